package getopt

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

// Run runs a command in urfave/cli's frame and returns its exit status. args
// begin with the program's name; the action gets them as they are, because
// options are Parse's business.
func Run(args []string, stdout, stderr io.Writer, action func(ctx context.Context, args []string) int) (status int) {
	app := &cli.App{
		Name:            filepath.Base(args[0]),
		SkipFlagParsing: true,
		HideHelp:        true,
		HideHelpCommand: true,
		HideVersion:     true,
		Writer:          stdout,
		ErrWriter:       stderr,
		Action: func(c *cli.Context) error {
			status = action(c.Context, args)
			return nil
		},
	}
	if err := app.Run(args); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		return 1
	}
	return status
}
