package scenario

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Command is one line of a scenario: `down node1  # its power supply breaks`.
type Command struct {
	Verb    string // empty: the line says nothing, save perhaps a comment
	Args    []string
	Comment string // what follows the first # that begins a word
}

// maxLine bounds a line, bytes.
const maxLine = 4096

// Parse reads one line. Words are separated by blanks; there is no quoting.
// What the verb and its arguments mean is not looked at. The error quotes what
// no line may hold.
func Parse(line string) (Command, error) {
	var c Command
	if len(line) > maxLine {
		return c, fmt.Errorf("line has %d bytes, more than %d", len(line), maxLine)
	}
	if !utf8.ValidString(line) {
		return c, fmt.Errorf("line is not UTF-8: %q", line)
	}
	line = strings.TrimSpace(line)
	if i := strings.IndexFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(line[i:])
		return c, fmt.Errorf("line has a control character: %q", r)
	}
	for rest := line; rest != ""; rest = strings.TrimSpace(rest) {
		if comment, ok := strings.CutPrefix(rest, "#"); ok {
			c.Comment = strings.TrimSpace(comment)
			break
		}
		end := strings.IndexFunc(rest, unicode.IsSpace)
		if end < 0 {
			end = len(rest)
		}
		if c.Verb == "" {
			c.Verb = rest[:end]
		} else {
			c.Args = append(c.Args, rest[:end])
		}
		rest = rest[end:]
	}
	return c, nil
}

// String is the line that Parse reads back as c.
func (c Command) String() string {
	s := strings.Join(append([]string{c.Verb}, c.Args...), " ")
	if c.Comment != "" {
		s = strings.TrimSpace(s + "  # " + c.Comment)
	}
	return s
}
