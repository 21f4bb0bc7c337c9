// Cmand is the daemon of a Fangnetz node: membership, quorum, configuration,
// fencing and the resource manager in one (what cman, ccsd, fenced and
// rgmanager were).
//
// It stays in the foreground and logs to standard error, or to the journal
// when systemd started it. Nothing goes to standard output but --help and
// --version. Exit status: 0 after SIGTERM or SIGINT, when its services have
// been stopped; 1 when it cannot start or cannot go on, 2 for wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"fangnetz/internal/daemon"
	"fangnetz/internal/wire"

	"github.com/urfave/cli/v2"
)

// version is set by the linker.
var version = "unreleased"

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// paths are cmand's files and folders.
type paths struct{ config, socket, runDir, stateDir string }

func run(args []string, stdout, stderr io.Writer) int {
	var p paths
	app := &cli.App{
		Name: "cmand", Usage: "run this node's part of the cluster", Version: version,
		Writer: stdout, ErrWriter: stderr, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "read cluster.conf from `FILE`", Value: "/etc/cluster/cluster.conf", Destination: &p.config},
			&cli.StringFlag{Name: "socket", Usage: "answer the commands on `FILE`", Value: wire.Socket, Destination: &p.socket},
			&cli.StringFlag{Name: "run-dir", Usage: "keep corosync's files in `DIR`", Value: "/run/cluster", Destination: &p.runDir},
			&cli.StringFlag{Name: "state-dir", Usage: "keep the machines' definitions in `DIR`", Value: "/var/lib/cmand", Destination: &p.stateDir},
		},
		Commands:     []*cli.Command{simulateCommand(stdout, stderr)},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError{fmt.Errorf("unexpected argument %q", c.Args().First())}
			}
			return serve(p, logger(stderr))
		},
	}
	err := app.Run(args)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "cmand: %v\n", err)
		return 2
	}
	fmt.Fprintf(stderr, "cmand: %v\n", err)
	return 1
}

type usageError struct{ error }

// serve runs the daemon until it is told to end. A first signal lets it leave
// in good order, a second one ends it at once and leaves its machines alone.
func serve(p paths, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	n, err := start(ctx, p, log)
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-signals:
			n.daemon.Leave()
		case <-ctx.Done():
			return
		}
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	err = n.run(ctx)
	if errors.Is(err, daemon.ErrLeft) {
		log.Info("Exiting")
		return nil
	}
	return err
}
