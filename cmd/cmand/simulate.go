package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/scenario"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// simulation is `cmand simulate`: what the cluster would do, played with the
// decisions of the real one and nothing else of it.
//
// Commands come from a script or from standard input, where a terminal gets a
// prompt. Standard output gets each command, the decisions that it led to with
// their reasons, and what clustat would then print; standard error what is
// wrong with a line. Exit status: 0; 1 when a line of a script cannot be
// played or the configuration cannot be read, 2 for wrong usage.
type simulation struct {
	config, script string
	cold           bool
	in             io.Reader
	out, errs      io.Writer

	play scenario.Script
	last cluster.Status // that was shown
}

func simulateCommand(out, errs io.Writer) *cli.Command {
	s := simulation{in: os.Stdin, out: out, errs: errs}
	return &cli.Command{
		Name: "simulate", Usage: "show what the cluster would do", HideHelpCommand: true,
		UsageText: "cmand simulate [--config FILE] [--script FILE] [--cold]\n\n" +
			"Commands are read from the script or from standard input; \"help\" lists them.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "read cluster.conf from `FILE`", Value: "/etc/cluster/cluster.conf", Destination: &s.config},
			&cli.StringFlag{Name: "script", Usage: "read commands from `FILE`", Destination: &s.script},
			&cli.BoolFlag{Name: "cold", Usage: "begin with no node up", Destination: &s.cold},
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError{fmt.Errorf("unexpected argument %q", c.Args().First())}
			}
			return s.run(c.IsSet("config"))
		},
	}
}

// run plays all commands. Without a configuration, and none was asked for, the
// script has to begin with one.
func (s *simulation) run(named bool) error {
	name := s.script
	if name != "" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		s.in = f
	}
	text, err := os.ReadFile(s.config)
	switch {
	case errors.Is(err, os.ErrNotExist) && !named:
		s.play.World = &scenario.World{}
	case err != nil:
		return err
	default:
		if s.play.World, err = scenario.New(string(text)); err != nil {
			return fmt.Errorf("%s: %w", s.config, err)
		}
		s.play.World.Auto = true
		if !s.cold {
			if err := s.begin(); err != nil {
				return err
			}
		}
	}
	s.play.World.Read = os.ReadFile
	prompt := ""
	if f, ok := s.in.(*os.File); ok && name == "" && term.IsTerminal(int(f.Fd())) {
		prompt = "simulate> "
	}
	lines := bufio.NewScanner(s.in)
	lines.Buffer(nil, 1<<20)
	for {
		fmt.Fprint(s.out, prompt)
		if !lines.Scan() {
			break
		}
		c, answer, err := s.play.Feed(lines.Text())
		switch {
		case err != nil && prompt != "":
			_, text, _ := strings.Cut(err.Error(), ": ") // the number of the line says nothing here
			fmt.Fprintln(s.errs, text)
		case err != nil:
			return s.at(name, err)
		case c != nil:
			if prompt == "" {
				fmt.Fprintf(s.out, "> %s\n", c)
			}
			s.show(answer)
		}
	}
	if err := cmp.Or(lines.Err(), s.play.End()); err != nil {
		return s.at(name, err)
	}
	return nil
}

// begin has all nodes join at once.
func (s *simulation) begin() error {
	up := scenario.Command{Verb: "up"}
	for _, n := range s.play.World.Machine().Conf().Nodes {
		up.Args = append(up.Args, n.Name)
	}
	if len(up.Args) == 0 {
		return fmt.Errorf("%s: no clusternode", s.config)
	}
	answer, err := s.play.World.Do(up, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "> %s\n", up)
	s.show(answer)
	return nil
}

// show prints what a command led to, and how things stand if that has changed.
func (s *simulation) show(answer string) {
	m := s.play.World.Machine()
	if m == nil {
		fmt.Fprint(s.out, answer)
		return
	}
	for _, a := range s.play.World.Actions() {
		switch a.(type) {
		case rgmanager.Probe, rgmanager.Find:
		default:
			answer = ""
			fmt.Fprintf(s.out, "  %s\n", s.play.World.Line(a))
		}
	}
	fmt.Fprint(s.out, answer)
	st := m.Status(0)
	if before, now := scenario.Clustat(s.last), scenario.Clustat(st); now != before {
		fmt.Fprintf(s.out, "\n%s\n", now)
	}
	s.last = st
}

func (s *simulation) at(script string, err error) error {
	if script == "" {
		script = "standard input"
	}
	return fmt.Errorf("%s: %w", script, err)
}
