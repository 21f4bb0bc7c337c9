package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"fangnetz/internal/conf"
	"fangnetz/internal/getopt"
	"fangnetz/internal/wire"
)

// request is what the options and operands of a subcommand ask for.
type request struct {
	ctx     context.Context
	form    form
	config  string          // file to read
	output  string          // file to write; - is stdout
	options map[byte]string // argument by letter
	words   []string        // operands
}

func (q request) has(letter byte) bool {
	_, ok := q.options[letter]
	return ok
}

// file is the operand, or the file that is read without one.
func (q request) file() string {
	if len(q.words) > 0 {
		return q.words[0]
	}
	return q.config
}

// or is the argument of an option, or what counts without it.
func (q request) or(letter byte, otherwise string) string {
	if arg, ok := q.options[letter]; ok {
		return arg
	}
	return otherwise
}

// subcommand reads the options, which end the program as soon as one is wrong,
// and does what they ask for.
func (c *command) subcommand(ctx context.Context, s subcommand, args []string) int {
	q := request{ctx: ctx, form: c.form, config: c.conf, options: map[byte]string{}}
	for opt, err := range getopt.ParseLong(args, s.letters, s.long) {
		if err != nil {
			fmt.Fprintf(c.stderr, "%s: %v\n", s.name, err)
			return c.wrong(s)
		}
		switch {
		case opt.Letter == 'h' || opt.Letter == '?':
			return c.usage(s)
		case opt.Letter == 0:
			q.words = append(q.words, opt.Arg)
		case strings.IndexByte(s.numbers, opt.Letter) >= 0:
			if err := number(opt.Letter, opt.Arg); err != nil {
				return c.fail(err)
			}
		}
		if opt.Letter != 0 {
			q.options[opt.Letter] = opt.Arg
		}
	}
	q.config = q.or('c', c.conf)
	q.output = q.or('o', q.config)
	if len(q.words) < s.least || strings.ContainsFunc(s.needs, func(letter rune) bool { return !q.has(byte(letter)) }) {
		return c.wrong(s)
	}
	return s.run(c, q)
}

func (c *command) usage(s subcommand) int {
	io.WriteString(c.stderr, s.usage)
	return 0
}

// wrong is the answer to a wrong option: the usage, which was never a failure.
// In the commands that are ours it is one.
func (c *command) wrong(s subcommand) int {
	c.usage(s)
	return s.misused
}

// number says what is wrong with an option's argument that must be a number
// from 0 up.
func number(letter byte, arg string) error {
	digits := strings.TrimLeft(arg, " \t\n\v\f\r")
	if _, err := strconv.ParseInt(digits, 10, 64); err != nil && strings.Contains(err.Error(), "invalid syntax") {
		return short(fmt.Sprintf("argument to %c (%s) is not an integer", letter, arg))
	}
	if conf.Atoi(arg) < 0 {
		return short(fmt.Sprintf("argument to %c cannot be negative", letter))
	}
	return nil
}

// refusal is a complaint in the form that most have: an empty line follows.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// short is a complaint that no empty line follows.
type short string

func (s short) Error() string { return string(s) }

// bare is a complaint without the program's name.
type bare string

func (b bare) Error() string { return string(b) }

// fail prints a complaint in the form that its type asks for.
func (c *command) fail(err error) int {
	switch err := err.(type) {
	case bare:
		fmt.Fprintf(c.stderr, "%s\n", err)
	case short:
		fmt.Fprintf(c.stderr, "ccs_tool: %s\n", err)
	default:
		fmt.Fprintf(c.stderr, "ccs_tool: %s\n\n", err)
	}
	return 1
}

// change is what an editing subcommand does to the root element.
type change func(root conf.Element, q request) error

// edit changes the file that q names and saves it, config_version raised by
// one before anything else is looked at (ccs_tool, "Common rules of the editing
// commands").
func (c *command) edit(q request, change change) int {
	for _, word := range q.words {
		if !conf.Writable(word) {
			return c.fail(refuse("%q cannot be written as XML", word))
		}
	}
	for _, arg := range q.options {
		if !conf.Writable(arg) {
			return c.fail(refuse("%q cannot be written as XML", arg))
		}
	}
	draft, status := c.open(q.config)
	if draft == nil {
		return status
	}
	if !draft.Bump() {
		return c.fail(refuse(`Can't find "config_version" in config file`))
	}
	if err := change(draft.Root(), q); err != nil {
		return c.fail(err)
	}
	if status := c.save(draft, q.output); status != 0 {
		return status
	}
	c.tell(q)
	return 0
}

// open reads the file at path, - being stdin; without a draft it returns the
// exit status.
func (c *command) open(path string) (*conf.Draft, int) {
	text, err := c.read(path)
	if errors.Is(err, syscall.EISDIR) { // libxml2 opens a folder, and reads nothing
		fmt.Fprintln(c.stderr, "I/O error : Is a directory")
		text, err = nil, nil
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "I/O warning : failed to load external entity \"%s\"\n", path)
		return nil, c.fail(refuse("Error: unable to parse requested configuration file"))
	}
	draft, err := conf.Edit(path, text)
	if err != nil {
		io.WriteString(c.stderr, complaints(path, text, err))
		return nil, c.fail(refuse("Error: unable to parse requested configuration file"))
	}
	return draft, 0
}

func (c *command) read(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.stdin)
	}
	return os.ReadFile(path)
}

// save writes the draft to path, - being stdout.
func (c *command) save(draft *conf.Draft, path string) int {
	text := draft.Bytes()
	if path == "-" {
		c.stdout.Write(text)
		return 0
	}
	err := conf.Save(path, text)
	if _, ok := err.(*conf.Kept); ok {
		return c.fail(refuse("Can't move old config file out of the way"))
	}
	if err != nil {
		// libxml2 tries the name as an address and as it is, and complains of both.
		words := wire.SystemError(err)
		fmt.Fprintf(c.stderr, "I/O error : %s\nI/O error : %s\n", words, words)
		return c.fail(short("Error writing new config file " + path))
	}
	return 0
}

// tell runs an update with the file that was written, where the release did:
// when it is the one that was read, or -F wants it anyhow. The outcome is
// printed and changes nothing (ccs_tool, "RHEL 5: differences in editing").
func (c *command) tell(q request) {
	if !c.form.distributes || !q.has('F') && (q.has('C') || q.output != q.config) {
		return
	}
	fmt.Fprintln(c.stdout, "running ccs_tool update...")
	if problem := c.push(q.ctx, q.output); problem != "" {
		fmt.Fprintln(c.stderr, problem)
	}
}
