package scenario

import (
	"fmt"
	"strings"
)

// dashes end the lines below a command. What follows, up to an empty line, is
// what the command should print; between two pairs of dashes it may hold empty
// lines.
const dashes = "----"

// Script plays a scenario, line by line.
type Script struct {
	World *World

	line    int
	begun   *Command // its text is being read
	at      int      // the line of the latest command
	text    []string
	reading part
	want    []string // what the latest command should print
	printed string   // what it did print
}

// part says what the next line of a script belongs to.
type part int

const (
	commands  part = iota
	text           // of a command, up to dashes
	firstWant      // what should be printed, after the dashes
	want           // up to an empty line
	wideWant       // up to a pair of dashes
	lastDash       // of that pair
)

// Feed takes the next line. It returns the command that was played, if any,
// and what it printed. Errors begin with the line's number.
func (s *Script) Feed(line string) (played *Command, out string, err error) {
	s.line++
	line = strings.TrimRight(line, "\r\n")
	switch s.reading {
	case text:
		if line != dashes {
			s.text = append(s.text, line)
			return nil, "", nil
		}
		c := s.begun
		s.reading, s.begun = firstWant, nil
		return s.play(*c)
	case firstWant, want:
		switch {
		case s.reading == firstWant && line == dashes:
			s.reading = wideWant
			return nil, "", nil
		case line == "":
			s.reading = commands
			return nil, "", s.compare()
		}
		s.reading, s.want = want, append(s.want, line)
		return nil, "", nil
	case wideWant:
		if s.want = append(s.want, line); line == dashes {
			s.reading = lastDash
		}
		return nil, "", nil
	case lastDash:
		s.want = append(s.want, line)
		if s.reading = wideWant; line == dashes {
			s.reading, s.want = commands, s.want[:len(s.want)-2]
			return nil, "", s.compare()
		}
		return nil, "", nil
	}
	if line == dashes && s.at > 0 {
		s.reading, s.want = firstWant, nil
		return nil, "", nil
	}
	c, err := Parse(line)
	if err != nil {
		return nil, "", fmt.Errorf("line %d: %v", s.line, err)
	}
	if c.Verb == "" {
		return nil, "", nil
	}
	s.at, s.text = s.line, nil
	if TakesText(c) {
		s.reading, s.begun = text, &c
		return nil, "", nil
	}
	return s.play(c)
}

func (s *Script) play(c Command) (*Command, string, error) {
	out, err := s.World.Do(c, strings.Join(s.text, "\n"))
	if err != nil {
		return nil, "", fmt.Errorf("line %d: %v", s.at, err)
	}
	s.want, s.printed = nil, out
	return &c, out, nil
}

// compare wants the latest command to have printed what stands below it.
func (s *Script) compare() error {
	got, want := strings.TrimSpace(s.printed), strings.TrimSpace(strings.Join(s.want, "\n"))
	if got != want {
		return fmt.Errorf("line %d: printed\n%s\nnot\n%s", s.at, got, want)
	}
	return nil
}

// End says that there are no more lines.
func (s *Script) End() error {
	switch s.reading {
	case commands:
		return nil
	case text:
		return fmt.Errorf("line %d: the lines below it do not end with %s", s.at, dashes)
	}
	s.reading = commands
	return s.compare()
}
