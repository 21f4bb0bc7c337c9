// Package conf reads cluster.conf, checks it and writes it
// (cluster.conf reference, all sections).
//
// Three functions, three kinds of mistake:
//
//   - Parse refuses what is not well-formed XML with the root element
//     <cluster>, naming every place that is wrong, not only the first.
//   - Document.Check lists what is wrong with a well-formed file. Errors are
//     what the original let pass and what then failed when it mattered most;
//     such a file must not be pushed or started from. The rest are warnings:
//     the original took such files, and so do we.
//   - Config.Runnable says, in cman's words, why no node can start from a file
//     (cman, "Start-up checks and their texts").
//
// Document.Config always gives a usable Config, faults or not: where a thing
// is given twice the first counts, where a number is missing the default does.
package conf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// Document is a cluster.conf as written: comments, order, unknown elements
// and all. Unedited, its Bytes are those given to Parse.
type Document struct {
	file  string
	text  []byte
	tree  *etree.Document
	lines lines
	tags  map[*etree.Element]*tag // places of the elements that Parse saw
}

// Parse reads the text of a cluster.conf; name is how faults call the file.
// The error is of type Faults and lists all that is not well-formed, and with
// it the errors that Check would find (a fence device misspelled), as far as
// the broken text shows them.
//
// The encodings UTF-8, US-ASCII and ISO-8859-1 are known. A DTD is passed
// over; entities that it may define are not.
func Parse(name string, text []byte) (*Document, error) {
	src, fault := decode(name, text)
	if fault != nil {
		return nil, Faults{*fault}
	}
	s := scan(src)
	d := &Document{file: name, text: bytes.Clone(text), lines: s.lines}
	if len(s.flaws) == 0 {
		d.tree = etree.NewDocument()
		d.tree.ReadSettings.PreserveCData = strings.Contains(src, "<![CDATA[")
		if err := d.tree.ReadFromString(src); err != nil {
			return nil, Faults{d.unreadable(err)}
		}
		if !d.place(s.tags) {
			return nil, Faults{{File: name, Line: 1, Column: 1, Message: "elements cannot be told apart: expected well-formed XML"}}
		}
	} else if !s.lost {
		d.sketch(s.tags)
	}

	var faults Faults
	for _, f := range s.flaws {
		line, column := d.lines.at(f.off)
		faults = append(faults, Fault{File: name, Line: line, Column: column, Message: f.msg})
	}
	root := d.root()
	switch {
	case root != nil && root.FullTag() != "cluster":
		line, column := d.lines.at(s.tags[0].off)
		faults = append(faults, Fault{File: name, Line: line, Column: column,
			Message: "root element is <" + root.FullTag() + ">: expected <cluster>"})
	case root != nil && len(s.flaws) > 0:
		faults = append(faults, d.Check().Errors()...)
	}
	if len(faults) > 0 {
		faults.Sort()
		return nil, faults
	}
	return d, nil
}

// Bytes is the file's text.
func (d *Document) Bytes() []byte { return bytes.Clone(d.text) }

// WithVersion is the file's text with another config_version and no other
// change; one that has none gets it as first attribute.
func (d *Document) WithVersion(version int) []byte {
	src := d.lines.text
	t := d.tags[d.root()]
	at := t.off + len("<"+t.name)
	text := fmt.Sprintf(`%s config_version="%d"%s`, src[:at], version, src[at:])
	for _, a := range t.attrs {
		if a.key == "config_version" {
			rest := src[a.off+len(a.key):]
			value := strings.IndexAny(rest, `"'`)
			end := strings.IndexByte(rest[value+1:], rest[value])
			text = fmt.Sprintf(`%s="%d"%s`, src[:a.off+len(a.key)], version, rest[value+1+end+1:])
		}
	}
	if src == string(d.text) {
		return []byte(text)
	}
	var latin1 []byte // each character was a byte
	for _, c := range text {
		latin1 = append(latin1, byte(c))
	}
	return latin1
}

// File is the name given to Parse.
func (d *Document) File() string { return d.file }

// Check returns all faults of the file, errors and warnings, by place.
func (d *Document) Check() Faults {
	_, faults := d.Config()
	return faults
}

func (d *Document) root() *etree.Element {
	if d.tree == nil {
		return nil
	}
	return d.tree.Root()
}

// place matches the elements with the tags, both in document order.
func (d *Document) place(tags []tag) bool {
	d.tags = make(map[*etree.Element]*tag, len(tags))
	var walk func(e *etree.Element) bool
	walk = func(e *etree.Element) bool {
		i := len(d.tags)
		if i == len(tags) || tags[i].name != e.FullTag() {
			return false
		}
		d.tags[e] = &tags[i]
		for c := range e.ChildElementsSeq() {
			if !walk(c) {
				return false
			}
		}
		return true
	}
	root := d.root()
	return root != nil && walk(root) && len(d.tags) == len(tags)
}

// sketch makes a tree of the tags of a broken text, good enough to look for
// what else is wrong with it.
func (d *Document) sketch(tags []tag) {
	entities := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")
	d.tree = etree.NewDocument()
	d.tags = make(map[*etree.Element]*tag, len(tags))
	elements := make([]*etree.Element, len(tags))
	for i := range tags {
		t := &tags[i]
		e := etree.NewElement(t.name)
		if t.parent >= 0 {
			elements[t.parent].AddChild(e)
		} else {
			d.tree.AddChild(e)
		}
		for _, a := range t.attrs {
			e.CreateAttr(a.key, entities.Replace(a.value))
		}
		d.tags[e], elements[i] = t, e
	}
}

// unreadable makes a fault of the XML reader's error; the scanner finds
// nearly all that it could complain of, with a better place.
func (d *Document) unreadable(err error) Fault {
	f := Fault{File: d.file, Line: 1, Column: 1, Message: err.Error() + ": expected well-formed XML"}
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		f.Line, f.Message = syntax.Line, syntax.Msg+": expected well-formed XML"
	}
	return f
}

// decode returns the text as UTF-8.
func decode(name string, text []byte) (string, *Fault) {
	refuse := func(encoding string) (string, *Fault) {
		return "", &Fault{File: name, Line: 1, Column: 1,
			Message: "encoding " + encoding + " is not known: expected UTF-8, US-ASCII or ISO-8859-1"}
	}
	if bytes.HasPrefix(text, []byte("\xFE\xFF")) || bytes.HasPrefix(text, []byte("\xFF\xFE")) {
		return refuse("UTF-16")
	}
	src := string(text)
	head := strings.TrimPrefix(src, "\uFEFF")
	if !strings.HasPrefix(head, "<?xml") {
		return src, nil
	}
	head, _, _ = strings.Cut(head[len("<?"):], "?>")
	m := declaration.FindStringSubmatch(head)
	if m == nil {
		return src, nil // the scanner says so
	}
	switch encoding := strings.Trim(m[3], `"'`); strings.ToUpper(encoding) {
	case "", "UTF-8", "UTF8", "US-ASCII", "ASCII":
		return src, nil
	case "ISO-8859-1", "LATIN1":
		var b strings.Builder
		for _, c := range text {
			b.WriteRune(rune(c))
		}
		return b.String(), nil
	default:
		return refuse(encoding)
	}
}
