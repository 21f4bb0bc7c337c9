package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a fault means for the file that has it.
type Severity int

const (
	// Error: the file must not be pushed to the cluster, nor a node started
	// from it.
	Error Severity = iota
	// Unstartable: the original took such a file, and then no node could start
	// from it, nor can one of ours: [Config.Runnable].
	Unstartable
	// Warning: the original took such a file, and so do we; the thing named
	// is ignored, or counts as the message says.
	Warning
	// Advice: nothing is wrong, yet it could be better.
	Advice
)

// String is the word for it; what cannot be pushed is an error.
func (s Severity) String() string {
	return [...]string{"error", "error", "warning", "advice"}[s]
}

// Fault is one thing wrong in cluster.conf. It never quotes a secret: no
// value but names, numbers and words of the grammar appear in Message.
type Fault struct {
	File     string
	Line     int // from 1; 0: a place that no file has (an element added since)
	Column   int // from 1, in characters
	Message  string
	Severity Severity
}

// Place is "cluster.conf:12:9".
func (f Fault) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// String is "cluster.conf:12:9: message", with "warning: " or "advice: " before
// the message of what is no error.
func (f Fault) String() string {
	switch f.Severity {
	case Error:
		return f.Place() + ": " + f.Message
	case Advice:
		return f.Place() + ": advice: " + f.Message
	}
	return f.Place() + ": warning: " + f.Message
}

// Faults lists what is wrong with a file, by line and column.
type Faults []Fault

// Error prints one fault per line, without a line break at the end.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the faults of severity Error, nil when there are none.
func (fs Faults) Errors() Faults {
	var errs Faults
	for _, f := range fs {
		if f.Severity == Error {
			errs = append(errs, f)
		}
	}
	return errs
}

// Pushable reports whether nothing is in the way of pushing the file.
func (fs Faults) Pushable() bool {
	return !slices.ContainsFunc(fs, func(f Fault) bool { return f.Severity <= Unstartable })
}

// Sort puts faults in the order of their places.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
