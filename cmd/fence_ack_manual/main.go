// Fence_ack_manual tells cmand that a node which waits to be fenced is down
// for certain (fence_ack_manual(8)).
//
// Warning, usage and success go to stdout; the prompt, when a terminal is to
// answer it, and errors, as `fence_ack_manual: ...`, to stderr.
//
// Exit status: 0 when cmand took the word, 1 when not, or when the answer was
// not `absolutely`.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

func main() { os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return getopt.Run(args, stdout, stderr, func(ctx context.Context, args []string) int {
		words := args[1:]
		if len(words) > 0 && words[0] == "-n" { // an option as the first word alone
			words = words[1:]
		}
		if len(words) == 0 || words[0] == "" || strings.HasPrefix(words[0], "-") {
			fmt.Fprintf(stdout, usage, args[0])
			return 1
		}
		node := words[0]
		fmt.Fprintf(stdout, warning, node)
		if !absolutely(stdin, stderr) {
			fmt.Fprintln(stdout, "Aborted.")
			return 1
		}
		if err := wire.New("").AckFence(ctx, node); err != nil {
			fmt.Fprintf(stderr, "%s: %s\n", filepath.Base(args[0]), wire.SystemError(err))
			return 1
		}
		fmt.Fprintln(stdout, "Done")
		return 0
	})
}

const usage = "usage:\n" +
	" \t%[1]s <nodename>\n" +
	" \t%[1]s -n <nodename>\n" +
	"\n" +
	"The -n flag exists to preserve compatibility with previous \n" +
	"releases of %[1]s, and is no longer required.\n"

const warning = "About to override fencing for %s.\n" +
	"Improper use of this command can cause severe file system damage.\n" +
	"\n"

// absolutely asks for the one word that goes on; a terminal sees a prompt, as
// bash's read shows it.
func absolutely(stdin io.Reader, stderr io.Writer) bool {
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(stderr, "Continue [NO/absolutely]? ")
	}
	line, _ := bufio.NewReader(io.LimitReader(stdin, 1<<10)).ReadString('\n')
	return strings.Trim(line, " \t\n") == "absolutely"
}
