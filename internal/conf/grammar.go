package conf

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Kind is what an attribute's value may be.
type Kind string

const (
	Text   Kind = "text"
	Number Kind = "number"
	Flag   Kind = "0 or 1"    // any other number is 1
	YesNo  Kind = "yes or no" // true, 1 and on are yes
	Time   Kind = "time"      // a number and s m h d w or y
)

// Attribute is one attribute that we read.
type Attribute struct {
	Name    string
	Kind    Kind   // or the words that are allowed, with bars between them
	Unit    string // of a number
	Default string // as it would be written; empty: see Meaning
	Meaning string // one sentence
}

// Rule says what may stand in an element.
type Rule struct {
	Element  string
	In       string // the elements that it stands in, blank-separated
	Meaning  string
	Children string // blank-separated; * is anything
	Attrs    []Attribute
	Other    string // attributes that the original knew and we keep, and do not read; * is anything
}

// Rules are the grammar: what the parser knows, and what cluster.conf(5) tells
// (cluster.conf, sections 2 to 13; alias and type are what the graphical tools
// wrote). An element is looked up by its name alone, for no name means two
// things in what is looked at. Not to be changed.
func Rules() []Rule { return rules }

var rules = slices.Concat(clusterRules, nodeRules, fenceRules, rmRules)

func rule(element string) *Rule {
	for i := range rules {
		if rules[i].Element == element {
			return &rules[i]
		}
	}
	return nil
}

func (r *Rule) knows(key string) bool {
	return has(r.Other, key) || slices.ContainsFunc(r.Attrs, func(a Attribute) bool { return a.Name == key })
}

// strangers warns of children and attributes that the grammar does not have.
// They are kept, and not read.
func (r *reader) strangers(e *etree.Element) {
	g := rule(e.FullTag())
	if g == nil {
		return
	}
	for _, a := range e.Attr {
		key := a.FullKey()
		if !g.knows(key) && !strings.HasPrefix(key, "__") && !strings.HasPrefix(key, "xml") {
			r.warn(e, key, "attribute %s is not known in <%s>: it is not read", key, e.FullTag())
		}
	}
	for c := range e.ChildElementsSeq() {
		if !has(g.Children, c.FullTag()) {
			r.warn(c, "", "<%s> is not known in <%s>: it is not read", c.FullTag(), e.FullTag())
			continue
		}
		r.strangers(c)
	}
}

func has(list, word string) bool {
	if list == "*" {
		return true
	}
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}
