package getopt

import (
	"fmt"
	"iter"
	"strings"
)

// Long is one long option of getopt_long(3): another name of a letter.
type Long struct {
	Name   string
	Letter byte
	Arg    bool // takes an argument
}

// LongError is a bad long option. A program prints its own name, a colon and
// the error.
type LongError struct{ words string }

func (e *LongError) Error() string { return e.words }

// ParseLong walks as Parse does, with the long options of getopt_long(3): an
// argument may follow an equals sign or be the next word, and a name may be
// cut short as long as it is one option's only. A long option is given as its
// letter.
func ParseLong(args []string, spec string, longs []Long) iter.Seq2[Option, error] {
	return walk(args, spec, func(word string, rest *[]string) (Option, error, bool) {
		opt, err := longOption(word, rest, longs)
		return opt, err, true
	})
}

func longOption(word string, rest *[]string, longs []Long) (Option, error) {
	name, arg, hasArg := strings.Cut(word, "=")
	var found []Long
	for _, l := range longs {
		if l.Name == name {
			found = []Long{l}
			break
		}
		if strings.HasPrefix(l.Name, name) {
			found = append(found, l)
		}
	}
	if len(found) == 0 {
		return Option{}, &LongError{fmt.Sprintf("unrecognized option '--%s'", word)}
	}
	l := found[0]
	for _, other := range found[1:] {
		if other.Letter != l.Letter || other.Arg != l.Arg { // else it does not matter which
			words := fmt.Sprintf("option '--%s' is ambiguous; possibilities:", word)
			for _, f := range found {
				words += fmt.Sprintf(" '--%s'", f.Name)
			}
			return Option{}, &LongError{words}
		}
	}
	switch {
	case hasArg && !l.Arg:
		return Option{}, &LongError{fmt.Sprintf("option '--%s' doesn't allow an argument", l.Name)}
	case !hasArg && l.Arg && len(*rest) == 0:
		return Option{}, &LongError{fmt.Sprintf("option '--%s' requires an argument", l.Name)}
	case !hasArg && l.Arg:
		arg, *rest = (*rest)[0], (*rest)[1:]
	}
	return Option{Letter: l.Letter, Arg: arg}, nil
}
