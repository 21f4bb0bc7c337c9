package main

import "strings"

func (x *xmlReader) element() {
	if !x.startTag() {
		return
	}
	x.content()
	if x.halted {
		return
	}
	if x.pos >= len(x.src) {
		t := x.open[len(x.open)-1]
		x.complain("Premature end of data in tag %s line %d", t.name, t.line)
		return
	}
	x.endTag()
}

// content reads up to the end tag of the outermost element.
func (x *xmlReader) content() {
	for !x.halted && x.pos < len(x.src) {
		from := x.pos
		switch {
		case x.at("<?"):
			x.instruction()
		case x.at("<![CDATA["):
			if end := strings.Index(x.src[x.pos:], "]]>"); end >= 0 {
				x.skip(end + 3)
			} else {
				body := x.src[x.pos+len("<![CDATA["):]
				x.skip(len(x.src) - x.pos)
				x.complain("CData section not finished\n%.50s", body[:max(0, len(body)-2)])
			}
		case x.at("<!--"):
			x.comment()
		case x.at("</"):
			if len(x.open) <= 1 {
				return
			}
			x.endTag()
		case x.at("<"):
			x.startTag()
		case x.at("&"):
			x.reference()
		default:
			x.text()
		}
		if x.pos == from {
			x.complain("internal error: detected an error in element content\n")
			x.halted = true
		}
	}
}

func (x *xmlReader) text() {
	from := x.pos
	for !x.halted {
		r, n := x.char()
		switch {
		case n == 0 || r == '<' || r == '&':
			return
		case x.at("]]>"):
			here := x.pos
			x.pos = from // the mark is at the beginning of the text
			x.complain("Sequence ']]>' not allowed in content")
			x.pos = here
			x.skip(1)
			return
		case isControl(r):
			x.complain("PCDATA invalid Char value %d", r)
			x.skip(1)
			return
		}
		x.skip(n)
	}
}

// startTag reports whether an element is open now.
func (x *xmlReader) startTag() bool {
	line := x.line
	x.skip(1)
	name := x.name()
	if name == "" {
		x.complain("StartTag: invalid element name")
		return false
	}
	x.blanks()
	seen := map[string]bool{}
	var twice []string
	for x.peek(0) != '>' && !x.at("/>") && x.pos < len(x.src) && !x.halted && !isControl(rune(x.peek(0))) {
		key, ok := x.attribute()
		if !ok {
			x.complain("attributes construct error")
			break
		}
		if seen[key] {
			twice = append(twice, key)
		}
		seen[key] = true
		if x.peek(0) == '>' || x.at("/>") {
			break
		}
		if !x.blanks() {
			x.complain("attributes construct error")
			break
		}
	}
	for _, key := range twice {
		x.complain("Attribute %s redefined", key)
	}
	switch {
	case x.at("/>"):
		x.skip(2)
		return false
	case x.peek(0) == '>':
		x.skip(1)
		x.open = append(x.open, xmlTag{name, line})
		return true
	}
	x.complain("Couldn't find end of Start Tag %s line %d", name, line)
	return false
}

// attribute reports false when there was no attribute to read.
func (x *xmlReader) attribute() (string, bool) {
	key := x.name()
	if key == "" {
		x.complain("error parsing attribute name")
		return "", false
	}
	x.blanks()
	if x.peek(0) != '=' {
		x.complain("Specification mandates value for attribute %s", key)
		return key, true
	}
	x.skip(1)
	x.blanks()
	quote := x.peek(0)
	if quote != '"' && quote != '\'' {
		x.complain(`AttValue: " or ' expected`)
		return key, true
	}
	x.skip(1)
	for !x.halted {
		r, n := x.char()
		switch {
		case n == 0:
			x.complain("AttValue: ' expected")
			return key, true
		case r == rune(quote):
			x.skip(1)
			return key, true
		case r == '<':
			x.complain("Unescaped '<' not allowed in attributes values")
			return key, true
		case r == '&':
			x.reference()
			continue
		case r < ' ' && r != '\t' && r != '\n' && r != '\r':
			x.complain("invalid character in attribute value")
			return key, true
		}
		x.skip(n)
	}
	return key, true
}

func (x *xmlReader) reference() {
	x.skip(1)
	if x.peek(0) == '#' {
		x.charReference()
		return
	}
	name := x.name()
	switch {
	case name == "":
		x.complain("xmlParseEntityRef: no name")
		return
	case x.peek(0) != ';':
		x.complain("EntityRef: expecting ';'")
		return
	}
	x.skip(1)
	if !strings.Contains(" amp lt gt quot apos ", " "+name+" ") && !strings.Contains(x.src, "<!ENTITY "+name+" ") {
		x.complain("Entity '%s' not defined", name)
	}
}

func (x *xmlReader) charReference() {
	x.skip(1)
	digits, base, kind := "0123456789", 10, "decimal"
	if x.peek(0) == 'x' {
		x.skip(1)
		digits, base, kind = "0123456789abcdefABCDEF", 16, "hexadecimal"
	}
	value := 0
	for x.peek(0) != ';' {
		i := strings.IndexByte(digits, x.peek(0))
		if i < 0 || x.peek(0) == 0 {
			x.complain("CharRef: invalid %s value", kind)
			value = 0
			break
		}
		if i > 15 {
			i -= 6
		}
		value = min(value*base+i, 0x110000)
		x.skip(1)
	}
	if x.peek(0) == ';' {
		x.skip(1)
	}
	if value < ' ' && value != '\t' && value != '\n' && value != '\r' || value >= 0xD800 && value < 0xE000 || value > 0x10FFFF {
		x.complain("xmlParseCharRef: invalid xmlChar value %d", value)
	}
}

func (x *xmlReader) endTag() {
	t := x.open[len(x.open)-1]
	x.skip(2)
	name := x.name()
	x.blanks()
	if x.peek(0) != '>' {
		x.complain("expected '>'")
	} else {
		x.skip(1)
	}
	if name != t.name {
		if name == "" {
			name = "unparsable"
		}
		x.complain("Opening and ending tag mismatch: %s line %d and %s", t.name, t.line, name)
	}
	x.open = x.open[:len(x.open)-1]
}

func (x *xmlReader) comment() {
	from := x.pos
	x.skip(4)
	for {
		r, n := x.char()
		switch {
		case n == 0:
			x.skip(len(x.src) - x.pos)
			x.complain("Comment not terminated")
			return
		case isControl(r):
			x.complain("xmlParseComment: invalid xmlChar value %d", r)
			return
		case x.at("-->"):
			x.skip(3)
			return
		case x.at("--"):
			x.complain("Double hyphen within comment: <!--%.50s", x.src[from+4:x.pos])
			n = 2
		}
		x.skip(n)
	}
}

// isControl reports whether XML has no such character.
func isControl(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }

func (x *xmlReader) instruction() {
	x.skip(2)
	target := x.name()
	switch {
	case target == "":
		x.complain("xmlParsePI : no target name")
		return
	case strings.EqualFold(target, "xml"):
		x.complain("XML declaration allowed only at the start of the document")
	case len(target) > 3 && strings.EqualFold(target[:3], "xml") && target != "xml-stylesheet" && target != "xml-model":
		x.print("warning", "xmlParsePITarget: invalid name prefix 'xml'")
	}
	if !x.at("?>") && strings.IndexByte(" \t\r\n", x.peek(0)) < 0 {
		x.complain("ParsePI: PI %s space expected", target)
	}
	end := strings.Index(x.src[x.pos:], "?>")
	if end < 0 {
		x.skip(len(x.src) - x.pos)
		x.complain("ParsePI: PI %s never end ...", target)
		return
	}
	x.skip(end + 2)
}
