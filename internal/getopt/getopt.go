// Package getopt reads short options as the GNU C library does (getopt(3)):
// options may be bundled, an argument may stand in the same word or the next,
// options and operands may be mixed unless POSIXLY_CORRECT is set, and the
// complaints are the library's. A few long options of ours stand beside them;
// ParseLong reads those of getopt_long(3).
package getopt

import (
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
)

// Option is one option, or one operand when it has neither Letter nor Long.
type Option struct {
	Letter byte
	Long   string // name of a long option, without the dashes
	Arg    string // the option's argument, or the operand
}

// Error is a bad option. A program prints its own name, a colon and the error.
type Error struct {
	Letter  byte
	Missing bool // of its argument; else the letter is not known
}

func (e *Error) Error() string {
	letter := string([]byte{e.Letter}) // a byte, whatever the encoding
	if e.Missing {
		return fmt.Sprintf("option requires an argument -- '%s'", letter)
	}
	return fmt.Sprintf("invalid option -- '%s'", letter)
}

// Parse walks the options and operands of args, in their order; args does not
// hold the program's name. spec lists the letters, each with a colon behind it
// when it takes an argument, and with two when it takes what follows in the
// same word, if anything does. A word that is two dashes and one of long is that
// option, with the same colons; its argument follows an equals sign or, with one
// colon, may be the next word. getopt(3) takes such a word for a bundle, and
// so are all others. The walk goes on after an error.
func Parse(args []string, spec string, long ...string) iter.Seq2[Option, error] {
	return walk(args, spec, func(word string, rest *[]string) (opt Option, err error, ok bool) {
		name, arg, attached := strings.Cut(word, "=")
		must := slices.Contains(long, name+":")
		switch opt = (Option{Long: name, Arg: arg}); {
		case attached:
			return opt, nil, must || slices.Contains(long, name+"::")
		case must && len(*rest) == 0:
			return Option{}, &LongError{fmt.Sprintf("option '--%s' requires an argument", name)}, true
		case must:
			opt.Arg, *rest = (*rest)[0], (*rest)[1:]
			return opt, nil, true
		}
		return opt, nil, slices.Contains(long, name) || slices.Contains(long, name+"::")
	})
}

// walk is Parse; long reads a word that begins with two dashes, given without
// them, and takes its argument from the words that follow. It reports false
// when the word is a bundle of letters all the same.
func walk(args []string, spec string, long func(name string, rest *[]string) (Option, error, bool)) iter.Seq2[Option, error] {
	return func(yield func(Option, error) bool) {
		args := args // a walk may be repeated
		_, inOrder := os.LookupEnv("POSIXLY_CORRECT")
		for len(args) > 0 {
			word := args[0]
			args = args[1:]
			if word == "--" {
				break
			}
			operand := len(word) < 2 || word[0] != '-'
			if operand && inOrder {
				args = append([]string{word}, args...)
				break
			}
			if operand {
				if !yield(Option{Arg: word}, nil) {
					return
				}
				continue
			}
			if name, ok := strings.CutPrefix(word, "--"); ok {
				if opt, err, ok := long(name, &args); ok {
					if !yield(opt, err) {
						return
					}
					continue
				}
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
				case letters != "" || strings.HasPrefix(spec[i+1:], "::"):
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
