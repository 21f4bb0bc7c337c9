package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fangnetz/internal/cluster"
)

// A form is how a command is written: `SERVICE [on NODE] [by domain]`. Words
// in capitals stand for something, with dots for one or more of it; what is in
// brackets may be left out, and comes in any order after the rest.
//
// args are the words of a command, as its form has sorted them.
type args struct {
	nodes    []cluster.NodeID
	services []string
	words    map[string]string         // by the form's word: STATE, OPERATION, FILE
	number   map[string]int            // SECONDS, or by the option's first word
	node     map[string]cluster.NodeID // by the option's first word: on, at
	given    map[string]bool           // options without a value, whole
	text     string                    // lines below the command
}

var formField = regexp.MustCompile(`\[[^\]]*\]|\S+`)

// sort reads words according to form. The error names the word.
func (w *World) sort(form string, words []string) (*args, error) {
	a := &args{words: map[string]string{}, number: map[string]int{}, node: map[string]cluster.NodeID{}, given: map[string]bool{}}
	var options []string
	for _, field := range formField.FindAllString(form, -1) {
		if field[0] == '[' {
			options = append(options, strings.Trim(field, "[]"))
			continue
		}
		kind, many := strings.CutSuffix(field, "...")
		for first := true; first || many && len(words) > 0; first = false {
			if len(words) == 0 {
				return nil, fmt.Errorf("%s is missing", kind)
			}
			if err := w.value(a, kind, kind, words[0]); err != nil {
				return nil, err
			}
			words = words[1:]
		}
	}
	for len(words) > 0 {
		n, err := w.option(a, options, words)
		if err != nil {
			return nil, err
		}
		words = words[n:]
	}
	return a, nil
}

// option reads the option that words begin with, and returns how many of them
// it takes.
func (w *World) option(a *args, options, words []string) (int, error) {
	unfit := fmt.Errorf("%q is not expected here", words[0])
	for _, option := range options {
		f := strings.Fields(option)
		last := f[len(f)-1]
		takes := strings.ToUpper(last) == last
		literal := f
		if takes {
			literal = f[:len(f)-1]
		}
		if len(literal) == 0 || len(words) < len(literal) || !slices.Equal(literal, words[:len(literal)]) {
			if len(literal) > 0 || a.given[option] {
				continue
			}
			if err := w.value(a, last, last, words[0]); err != nil {
				unfit = err
				continue
			}
			a.given[option] = true
			return 1, nil
		}
		if a.given[option] {
			return 0, fmt.Errorf("%q is given twice", literal[0])
		}
		a.given[option] = true
		if !takes {
			return len(f), nil
		}
		if len(words) < len(f) {
			return 0, fmt.Errorf("%s is missing after %q", last, literal[0])
		}
		return len(f), w.value(a, last, literal[0], words[len(literal)])
	}
	return 0, unfit
}

// value reads one word that stands for something.
func (w *World) value(a *args, kind, key, word string) error {
	switch kind {
	case "NODE":
		n := w.m.Conf().NodeByName(word)
		if n == nil {
			return fmt.Errorf("no node %q", word)
		}
		if key == "NODE" {
			a.nodes = append(a.nodes, n.ID)
		} else {
			a.node[key] = n.ID
		}
	case "SERVICE":
		name, err := w.service(word)
		if err != nil {
			return err
		}
		a.services = append(a.services, name)
	case "SECONDS", "NUMBER":
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 || n > 1<<40 {
			return fmt.Errorf("%q is not a number", word)
		}
		a.number[key] = n
	case "OPERATION":
		if !slices.Contains([]string{"find", "start", "stop", "migrate", "stage", "activate", "probe", "fence"}, word) {
			return fmt.Errorf("no operation %q", word)
		}
		a.words[key] = word
	case "STATE":
		if _, ok := stateOf(word); !ok {
			return fmt.Errorf("no state %q", word)
		}
		a.words[key] = word
	default:
		a.words[key] = word
	}
	return nil
}

func stateOf(word string) (cluster.State, bool) {
	for s := cluster.Stopped; s <= cluster.Migrating; s++ {
		if s.String() == word {
			return s, true
		}
	}
	return 0, false
}

// service is the full name of a service; its type may be left out.
func (w *World) service(word string) (string, error) {
	if w.known[word] {
		return word, nil
	}
	for _, kind := range []string{"service:", "vm:"} {
		if w.known[kind+word] {
			return kind + word, nil
		}
	}
	return "", fmt.Errorf("no service %q", word)
}
