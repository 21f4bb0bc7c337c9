// Package getopt reads short options as the GNU C library does (getopt(3)):
// options may be bundled, an argument may stand in the same word or the next,
// options and operands may be mixed, and the complaints are the library's.
package getopt

import (
	"fmt"
	"iter"
	"strings"
)

// Option is one option, or one operand when Letter is 0.
type Option struct {
	Letter byte
	Arg    string // the option's argument, or the operand
}

// Error is a bad option. A program prints its own name, a colon and the error.
type Error struct {
	Letter  byte
	Missing bool // of its argument; else the letter is not known
}

func (e *Error) Error() string {
	if e.Missing {
		return fmt.Sprintf("option requires an argument -- '%c'", e.Letter)
	}
	return fmt.Sprintf("invalid option -- '%c'", e.Letter)
}

// Parse walks the options and operands of args, in their order; args does not
// hold the program's name. spec lists the letters, each with a colon behind it
// when it takes an argument. The walk goes on after an error.
func Parse(args []string, spec string) iter.Seq2[Option, error] {
	return func(yield func(Option, error) bool) {
		for len(args) > 0 {
			word := args[0]
			args = args[1:]
			if word == "--" {
				break
			}
			if len(word) < 2 || word[0] != '-' {
				if !yield(Option{Arg: word}, nil) {
					return
				}
				continue
			}
			for letters := word[1:]; letters != ""; {
				opt := Option{Letter: letters[0]}
				letters = letters[1:]
				i := strings.IndexByte(spec, opt.Letter)
				var err error
				switch {
				case i < 0 || opt.Letter == ':':
					err = &Error{Letter: opt.Letter}
				case !strings.HasPrefix(spec[i+1:], ":"):
				case letters != "":
					opt.Arg, letters = letters, ""
				case len(args) > 0:
					opt.Arg, args = args[0], args[1:]
				default:
					err = &Error{Letter: opt.Letter, Missing: true}
				}
				if !yield(opt, err) {
					return
				}
			}
		}
		for _, word := range args {
			if !yield(Option{Arg: word}, nil) {
				return
			}
		}
	}
}
