package conf

import (
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// reader turns elements into the model and collects what is wrong with them.
type reader struct {
	d      *Document
	faults Faults
	set    settings // the defaults
}

// warn and refuse note a fault at an element's attribute key, or at the
// element itself when key is empty or not there.
func (r *reader) warn(e *etree.Element, key, format string, args ...any) {
	r.fault(Warning, e, key, format, args...)
}

func (r *reader) refuse(e *etree.Element, key, format string, args ...any) {
	r.fault(Error, e, key, format, args...)
}

func (r *reader) unstartable(e *etree.Element, key, format string, args ...any) {
	r.fault(Unstartable, e, key, format, args...)
}

func (r *reader) fault(severity Severity, e *etree.Element, key, format string, args ...any) {
	f := Fault{File: r.d.file, Severity: severity, Message: fmt.Sprintf(format, args...)}
	if t := r.d.tags[e]; t != nil {
		off := t.off
		for _, a := range t.attrs {
			if a.key == key {
				off = a.off
			}
		}
		f.Line, f.Column = r.d.lines.at(off)
	}
	r.faults = append(r.faults, f)
}

// one returns the first child of that name, or nil, and warns of others: they
// are not read.
func (r *reader) one(parent *etree.Element, name string) *etree.Element {
	if parent == nil {
		return nil
	}
	all := parent.SelectElements(name)
	if len(all) == 0 {
		return nil
	}
	for _, e := range all[1:] {
		r.warn(e, "", "<%s> is given twice: only the first is read", name)
	}
	return all[0]
}

// all returns the children of that name; none of no parent.
func all(parent *etree.Element, name string) []*etree.Element {
	if parent == nil {
		return nil
	}
	return parent.SelectElements(name)
}

// attr returns an attribute's value, and whether it is there.
func attr(e *etree.Element, key string) (string, bool) {
	if e == nil {
		return "", false
	}
	if a := e.SelectAttr(key); a != nil {
		return a.Value, true
	}
	return "", false
}

// The following set *to when e has the attribute, and leave it at its default
// when it has not.

// text takes any text but the empty one.
func (r *reader) text(e *etree.Element, key string, to *string) {
	if v, _ := attr(e, key); v != "" {
		*to = v
	}
}

// number takes what atoi makes of the text.
func (r *reader) number(e *etree.Element, key string, to *int) bool {
	v, ok := attr(e, key)
	if !ok {
		return false
	}
	*to = atoi(v)
	if !isNumber(v) {
		r.warn(e, key, "%s %q is not a number: it counts as %d", key, v, *to)
	}
	return true
}

// flag is true for numbers other than 0.
func (r *reader) flag(e *etree.Element, key string, to *bool) {
	n := 0
	if r.number(e, key, &n) {
		*to = n != 0
	}
}

// yes is true for the words that the resource agents take for it.
func (r *reader) yes(e *etree.Element, key string, to *bool) {
	if v, _ := attr(e, key); v != "" {
		*to = isYes(v)
	}
}

func isYes(v string) bool {
	switch strings.ToLower(v) {
	case "yes", "true", "1", "on":
		return true
	}
	return false
}

// ticks takes a number of units, at least least; others are ignored.
func (r *reader) ticks(e *etree.Element, key string, unit time.Duration, least int, to *time.Duration) {
	n := 0
	if !r.number(e, key, &n) {
		return
	}
	if n < least {
		r.warn(e, key, "%s %d is ignored: expected at least %d", key, n, least)
		return
	}
	*to = time.Duration(n) * unit
}

// span takes a time with a unit.
func (r *reader) span(e *etree.Element, key string, to *time.Duration) {
	v, ok := attr(e, key)
	if !ok {
		return
	}
	d, ok := duration(v)
	if !ok {
		r.warn(e, key, "%s %q is not a time: it counts as 0; expected a number and s m h d w or y", key, v)
	}
	*to = d
}
