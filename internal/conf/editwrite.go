package conf

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// writer writes a tree as libxml2's formatting save does: an element that
// holds text is written as it is, with all that is in it; any other has each
// child on a line of its own, two blanks deeper.
type writer struct {
	w       *bytes.Buffer
	charset charset
}

// charset is what the characters of a file may be.
type charset int

const (
	undeclared charset = iota // other than ASCII as &#x..;
	utf8Bytes
	latin1 // others as decimal numbers
	ascii  // likewise
)

// deepest is the level beyond which libxml2 indents no further.
const deepest = 30

// charset is the one that the XML declaration names.
func (d *Draft) charset() charset {
	_, encoding, _ := d.declaration()
	switch strings.ToUpper(encoding) {
	case "UTF-8", "UTF8":
		return utf8Bytes
	case "ISO-8859-1", "LATIN1":
		return latin1
	case "US-ASCII", "ASCII":
		return ascii
	}
	return undeclared
}

// declaration is what the file's XML declaration says, "" what it does not.
func (d *Draft) declaration() (version, encoding, standalone string) {
	version = "1.0"
	for _, t := range d.tree.Child {
		if p, ok := t.(*etree.ProcInst); ok && p.Target == "xml" {
			if m := declaration.FindStringSubmatch("xml " + p.Inst); m != nil {
				return version, strings.Trim(m[3], `"'`), strings.Trim(m[5], `"'`)
			}
		}
	}
	return version, "", ""
}

func (w *writer) document(tree *etree.Document) {
	version, encoding, standalone := (&Draft{tree: tree}).declaration()
	fmt.Fprintf(w.w, `<?xml version="%s"`, version)
	if encoding != "" {
		fmt.Fprintf(w.w, ` encoding="%s"`, encoding)
	}
	if standalone != "" {
		fmt.Fprintf(w.w, ` standalone="%s"`, standalone)
	}
	w.w.WriteString("?>\n")
	for _, t := range tree.Child {
		switch t := t.(type) {
		case *etree.CharData:
			continue // outside the root, blanks are nobody's
		case *etree.ProcInst:
			if t.Target == "xml" {
				continue
			}
		}
		w.token(t, 0, true)
		w.w.WriteByte('\n')
	}
}

func (w *writer) indent(level int) {
	w.w.WriteString(strings.Repeat("  ", min(level, deepest)))
}

func (w *writer) token(t etree.Token, level int, format bool) {
	if format {
		w.indent(level)
	}
	switch t := t.(type) {
	case *etree.Element:
		w.element(t, level, format)
	case *etree.CharData:
		if t.IsCData() {
			w.raw("<![CDATA[" + t.Data + "]]>")
		} else {
			w.escaped(t.Data, false)
		}
	case *etree.Comment:
		w.raw("<!--" + t.Data + "-->")
	case *etree.Directive:
		w.raw("<!" + t.Data + ">")
	case *etree.ProcInst:
		w.raw("<?" + t.Target)
		if t.Inst != "" {
			w.raw(" " + t.Inst)
		}
		w.raw("?>")
	}
}

func (w *writer) element(e *etree.Element, level int, format bool) {
	w.raw("<" + e.FullTag())
	for _, own := range []bool{true, false} { // libxml2 keeps namespaces apart
		for _, a := range e.Attr {
			if own == (a.Space == "xmlns" || a.FullKey() == "xmlns") {
				w.raw(" " + a.FullKey() + `="`)
				w.escaped(a.Value, true)
				w.raw(`"`)
			}
		}
	}
	if len(e.Child) == 0 {
		w.raw("/>")
		return
	}
	w.raw(">")
	for _, t := range e.Child {
		if _, ok := t.(*etree.CharData); ok {
			format = false
		}
	}
	if format {
		w.w.WriteByte('\n')
	}
	for _, t := range e.Child {
		w.token(t, level+1, format)
		if format {
			w.w.WriteByte('\n')
		}
	}
	if format {
		w.indent(level)
	}
	w.raw("</" + e.FullTag() + ">")
}

// escaped writes text, or an attribute's value.
func (w *writer) escaped(s string, attr bool) {
	for s != "" {
		before, rest, ok := strings.Cut(s, entityMark)
		for _, c := range before {
			switch {
			case c == '&':
				w.w.WriteString("&amp;")
			case c == '<':
				w.w.WriteString("&lt;")
			case c == '>':
				w.w.WriteString("&gt;")
			case c == '"' && attr:
				w.w.WriteString("&quot;")
			case attr && (c == '\r' || c == '\n' || c == '\t'), c == '\r' && w.charset != undeclared:
				fmt.Fprintf(w.w, "&#%d;", c)
			case c == '\r', c > 0x7F && w.charset == undeclared:
				fmt.Fprintf(w.w, "&#x%X;", c)
			default:
				w.rune(c)
			}
		}
		if !ok {
			return
		}
		name := ""
		name, s, _ = strings.Cut(rest, entityMark)
		w.raw("&" + name + ";")
	}
}

// raw writes what may not be escaped, in the file's encoding.
func (w *writer) raw(s string) {
	for _, c := range s {
		w.rune(c)
	}
}

// rune writes a character in the file's encoding, by its number if that lacks it.
func (w *writer) rune(c rune) {
	switch {
	case w.charset == latin1 && c > 0xFF, w.charset == ascii && c > 0x7F:
		fmt.Fprintf(w.w, "&#%d;", c)
	case w.charset == latin1:
		w.w.WriteByte(byte(c))
	default:
		w.w.WriteRune(c)
	}
}
