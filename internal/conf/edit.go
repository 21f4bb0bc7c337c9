package conf

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Draft is a cluster.conf being edited: its comments, order, unknown elements,
// entities and encoding stay (ccs_tool, "Common rules of the editing
// commands"). Unlike Parse, Edit also takes another root element than
// <cluster> and the entities that a DTD in the file defines: the original
// edited such files.
type Draft struct {
	tree     *etree.Document
	entities entities
}

// Edit reads the text of a cluster.conf for editing; name is how faults call
// the file. The error is of type Faults and lists all that is not well-formed.
func Edit(name string, text []byte) (*Draft, error) {
	src, fault := decode(name, text)
	if fault != nil {
		return nil, Faults{*fault}
	}
	src = strings.TrimPrefix(src, "\uFEFF")
	if strings.Contains(src, entityMark) || markNumber.MatchString(src) {
		return nil, Faults{{File: name, Line: 1, Column: 1, Message: "character U+10FFFF is not allowed: expected text"}}
	}
	prepared := prepare(src)
	s := scan(prepared.text)
	d := &Draft{tree: etree.NewDocument(), entities: prepared.entities}
	if len(s.flaws) > 0 {
		lines := newLines(prepared.text)
		var faults Faults
		for _, f := range s.flaws {
			line, column := lines.at(f.off)
			faults = append(faults, Fault{File: name, Line: line, Column: column, Message: f.msg})
		}
		faults.Sort()
		return nil, faults
	}
	if prepared.strange {
		return nil, Faults{{File: name, Line: 1, Column: 1, Message: "DOCTYPE is not understood: expected one, with a DTD that XML has"}}
	}
	d.tree.ReadSettings.PreserveCData = true
	if err := d.tree.ReadFromString(prepared.text); err != nil {
		return nil, Faults{(&Document{file: name}).unreadable(err)}
	}
	if d.tree.Root() == nil {
		return nil, Faults{{File: name, Line: 1, Column: 1, Message: "no element found: expected <cluster>"}}
	}
	for _, t := range d.tree.Child {
		if dir, ok := t.(*etree.Directive); ok {
			dir.Data = prepared.doctype
		}
	}
	return d, nil
}

// New starts a configuration with nothing in it but the root element.
func New(root string, attrs ...Attr) *Draft {
	d := &Draft{tree: etree.NewDocument()}
	e := Element{d, d.tree.CreateElement(root)}
	for _, a := range attrs {
		e.Set(a.Key, a.Value)
	}
	return d
}

// Root is the outermost element.
func (d *Draft) Root() Element { return Element{d, d.tree.Root()} }

// Bump raises config_version by one, as every edit does, and reports whether
// there is one to raise. What is not a number counts as 0.
func (d *Draft) Bump() bool {
	old, ok := d.Root().Attr("config_version")
	if ok {
		d.Root().Set("config_version", strconv.Itoa(int(int32(Atoi(old)+1))))
	}
	return ok
}

// Atoi reads a number as atoi(3) does on a machine whose long has 64 bits:
// white space, a sign and digits, held at the ends of 64 bits and cut to 32.
func Atoi(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '+' || s[0] == '-')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64) // an error with n at an end: out of range
	if err != nil && n != math.MaxInt64 && n != math.MinInt64 {
		return 0
	}
	return int(int32(n))
}

// Writable reports whether s can stand in an attribute: it is UTF-8, of
// characters that XML has.
func Writable(s string) bool {
	return utf8.ValidString(s) && !strings.Contains(s, entityMark) &&
		!strings.ContainsFunc(s, func(c rune) bool {
			return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
		})
}

var writableName = regexp.MustCompile(`^[A-Za-z_][\w.-]*$`)

// WritableName reports whether s can be the name of an attribute; names with
// letters other than English ones are none that an agent has.
func WritableName(s string) bool { return writableName.MatchString(s) && s != "xmlns" }

// Element is one element of a Draft.
type Element struct {
	d *Draft
	e *etree.Element
}

// Attr is the value of an attribute, and whether it is there.
func (e Element) Attr(key string) (string, bool) {
	if a := e.e.SelectAttr(key); a != nil && a.FullKey() == key {
		return e.d.entities.expand(a.Value), true
	}
	return "", false
}

// Attrs are all attributes, in file order.
func (e Element) Attrs() []Attr {
	var attrs []Attr
	for _, a := range e.e.Attr {
		attrs = append(attrs, Attr{a.FullKey(), e.d.entities.expand(a.Value)})
	}
	return attrs
}

// Set gives an attribute a value, in its place or after all others. Key and
// value must be WritableName and Writable.
func (e Element) Set(key, value string) {
	if a := e.e.SelectAttr(key); a != nil && a.FullKey() == key {
		a.Value = value
		return
	}
	e.e.Attr = append(e.e.Attr, etree.Attr{Key: key, Value: value})
}

// All are the child elements of that name, in file order.
func (e Element) All(name string) []Element {
	var all []Element
	for c := range e.e.ChildElementsSeq() {
		if c.FullTag() == name {
			all = append(all, Element{e.d, c})
		}
	}
	return all
}

// First is the first child element of that name, and whether there is one.
func (e Element) First(name string) (Element, bool) {
	all := e.All(name)
	if len(all) == 0 {
		return Element{}, false
	}
	return all[0], true
}

// Find is the first child element of that name whose attribute key is value.
func (e Element) Find(name, key, value string) (Element, bool) {
	all := e.All(name)
	i := slices.IndexFunc(all, func(c Element) bool {
		got, ok := c.Attr(key)
		return ok && got == value
	})
	if i < 0 {
		return Element{}, false
	}
	return all[i], true
}

// Add appends a child element.
func (e Element) Add(name string, attrs ...Attr) Element {
	c := Element{e.d, e.e.CreateElement(name)}
	for _, a := range attrs {
		c.Set(a.Key, a.Value)
	}
	return c
}

// Remove takes the element out of its parent; the blanks around it stay.
func (e Element) Remove() {
	parent := e.e.Parent()
	i := e.e.Index()
	parent.RemoveChildAt(i)
	// Texts that meet now are one.
	if i > 0 && i < len(parent.Child) {
		before, ok1 := parent.Child[i-1].(*etree.CharData)
		after, ok2 := parent.Child[i].(*etree.CharData)
		if ok1 && ok2 && !before.IsCData() && !after.IsCData() {
			text := before.Data + after.Data
			parent.RemoveChildAt(i)
			before.SetData(text)
		}
	}
}

// Bytes is the text of the file, in its encoding.
func (d *Draft) Bytes() []byte {
	var b bytes.Buffer
	w := &writer{w: &b, charset: d.charset()}
	w.document(d.tree)
	return b.Bytes()
}

// KnownAttr reports whether we know an attribute of that name in the element.
func KnownAttr(element, key string) bool {
	r := rule(element)
	return r != nil && r.knows(key)
}

// Walk calls visit for e and all elements below it, in file order.
func (e Element) Walk(visit func(Element)) {
	visit(e)
	for c := range e.e.ChildElementsSeq() {
		Element{e.d, c}.Walk(visit)
	}
}

// Name is the element's name.
func (e Element) Name() string { return e.e.FullTag() }

// Elements are all child elements, in file order.
func (e Element) Elements() []Element {
	var all []Element
	for c := range e.e.ChildElementsSeq() {
		all = append(all, Element{e.d, c})
	}
	return all
}
