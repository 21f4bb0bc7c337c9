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
	// Warning: the original took such a file, and so do we; the thing named
	// is ignored, or counts as the message says.
	Warning
)

// Fault is one thing wrong in cluster.conf. It never quotes a secret: no
// value but names, numbers and words of the grammar appear in Message.
type Fault struct {
	File     string
	Line     int // from 1; 0: a place that no file has (an element added since)
	Column   int // from 1, in characters
	Message  string
	Severity Severity
}

// String is "cluster.conf:12:9: message", with "warning: " before the
// message of a warning.
func (f Fault) String() string {
	at := f.File
	if f.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if f.Severity == Warning {
		return at + ": warning: " + f.Message
	}
	return at + ": " + f.Message
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

func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
