package conf

import (
	"strings"
	"unicode/utf8"
)

// start reads a start tag, which may turn out not to be one.
func (s *scanner) start() {
	from := s.pos
	n := name(s.src[from+1:])
	if n == "" {
		s.flaw(from, "< starts no element: expected a name after it, or &lt; for the character")
		s.pos++
		return
	}
	if strings.HasPrefix(s.src[from+1+len(n):], "=") {
		// <expected_votes="1" …/>: attributes where an element should be.
		s.pos = from + 1
		var t tag
		s.attributes(&t)
		what := "<" + n + "="
		if len(t.attrs) > 0 && isNumber(t.attrs[0].value) && !strings.Contains(n, "pass") {
			what += `"` + t.attrs[0].value + `"`
		}
		for _, a := range t.attrs {
			s.lost = s.lost || a.key == "name" // others may refer to it
		}
		s.flaw(from, "%s is not an element: expected an element's name after <, found attribute %s", what, n)
		return
	}
	s.pos = from + 1 + len(n)
	t := tag{name: n, off: from, parent: -1}
	switch {
	case len(s.open) > 0:
		t.parent = s.open[len(s.open)-1]
	case len(s.tags) > 0:
		s.flaw(from, "<%s> follows the end of the root element <%s>: expected nothing more", n, s.tags[0].name)
	}
	empty := s.attributes(&t)
	s.tags = append(s.tags, t)
	if !empty {
		s.open = append(s.open, len(s.tags)-1)
	}
}

// attributes reads up to the end of a start tag into t and reports whether
// it ended in />, or had to be taken so.
func (s *scanner) attributes(t *tag) (empty bool) {
	for {
		s.blanks()
		rest := s.src[s.pos:]
		switch {
		case rest == "":
			s.unended(t, "the end of the file")
			return false
		case rest[0] == '>':
			s.pos++
			return false
		case strings.HasPrefix(rest, "/>"):
			s.pos += len("/>")
			return true
		case rest[0] == '<':
			s.unended(t, "the next <")
			return false
		}
		key := name(rest)
		if key == "" {
			junk := strings.IndexAny(rest[1:], " \t\r\n<>/=") + 1
			if junk == 0 {
				junk = len(rest)
			}
			c, _ := utf8.DecodeRuneInString(rest) // no more of it: it may be part of a password
			s.flaw(s.pos, "%q does not start an attribute: expected name=\"value\", > or />", c)
			s.pos += junk
			continue
		}
		if before := s.src[s.pos-1]; before == '"' || before == '\'' {
			s.flaw(s.pos, "text follows a closing quote: expected a blank, > or />")
			t.secret = true
			if !strings.HasPrefix(rest[len(key):], "=") {
				s.pos += len(key)
				continue
			}
		}
		if s.attribute(t, key) {
			return t.broken && strings.HasSuffix(s.src[:s.pos], "/>")
		}
	}
}

// unended reports a start tag that the next tag or the file's end cuts short.
func (s *scanner) unended(t *tag, before string) {
	if t.broken || t.name == "" {
		return // it is reported already
	}
	t.broken = true
	if s.pos < len(s.src) {
		s.flaw(t.off, "tag <%s has no >: expected > before %s, on line %d", t.name, before, s.line(s.pos))
		return
	}
	s.flaw(t.off, "tag <%s has no >: expected > before %s", t.name, before)
}

// attribute reads one attribute, whose key starts at pos, and reports whether
// the tag ended with it because its value has no closing quote.
func (s *scanner) attribute(t *tag, key string) (ended bool) {
	at, label := s.pos, "attribute "+key
	if t.secret {
		label = "this attribute"
	}
	for _, a := range t.attrs {
		if a.key == key {
			s.flaw(at, "%s is given twice: expected it once", label)
			break
		}
	}
	s.pos += len(key)
	s.blanks()
	if s.peek() != '=' {
		s.lost = true
		s.flaw(at, "%s has no value: expected name=\"value\"", label)
		return false
	}
	s.pos++
	s.blanks()
	quote := s.peek()
	if quote != '"' && quote != '\'' {
		s.lost, t.secret = true, true
		s.flaw(s.pos, "value of %s is not quoted: expected \" or ' after =", label)
		s.word()
		return false
	}
	s.pos++
	from := s.pos
	end := strings.IndexByte(s.src[from:], quote)
	if end < 0 {
		end = len(s.src) - from
	}
	value := s.src[from : from+end]
	if next := tagAhead(value); next >= 0 || from+end == len(s.src) {
		// The quote found belongs to a later tag: this tag ended before.
		if next >= 0 {
			value = value[:next]
		}
		s.flaw(at, "value of %s has no closing quote: expected %c before line %d ends",
			label, quote, s.line(at))
		t.broken, s.lost = true, true
		if i := strings.IndexByte(value, '>'); i >= 0 {
			s.pos = from + i + 1
			return true
		}
		s.pos = from + len(value)
		return false
	}
	if i := strings.IndexByte(value, '<'); i >= 0 {
		s.flaw(from+i, "value of %s holds <: expected &lt;", label)
	}
	s.references(from, value)
	t.attrs = append(t.attrs, tagAttr{key, value, at})
	s.pos = from + end + 1
	return false
}

// word passes over a value without quotes.
func (s *scanner) word() {
	for s.pos < len(s.src) && strings.IndexByte(" \t\r\n<>", s.src[s.pos]) < 0 &&
		!strings.HasPrefix(s.src[s.pos:], "/>") {
		s.pos++
	}
}

// tagAhead returns where in an attribute's value another tag seems to start,
// -1 when none does: a < that a name follows and that a > or a line's end
// goes before. Any other < seems meant as text.
func tagAhead(value string) int {
	for i := 0; ; i++ {
		next := strings.IndexByte(value[i:], '<')
		if next < 0 {
			return -1
		}
		i += next
		after := value[i+1:]
		if strings.ContainsAny(value[:i], ">\n") && (name(after) != "" || strings.HasPrefix(after, "/") || strings.HasPrefix(after, "!")) {
			return i
		}
	}
}
