package conf

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tag is one start tag, as far as it could be read.
type tag struct {
	name   string
	off    int // of its <
	parent int // index of the tag around it, -1: none
	attrs  []tagAttr
	broken bool // reported; its missing end is not reported as well
	secret bool // quotes are wrong: what looks like a name may be part of a password
}

// tagAttr is one attribute of a tag, its value still with entities.
type tagAttr struct {
	key, value string
	off        int // of the key
}

// flaw is a fault at a byte offset.
type flaw struct {
	off int
	msg string
}

// scanner reads the tags of an XML text and goes on after each mistake, so
// that all of them are found in one go. It knows only what cluster.conf needs
// of XML 1.0: no entities of one's own, encodings dealt with by the caller.
//
// A text without flaws is well-formed. The tags are those of its elements, in
// document order, and give each its place.
type scanner struct {
	src   string
	lines lines
	pos   int
	tags  []tag
	open  []int // indexes of the tags around pos
	flaws []flaw
	stray bool // text outside the root was reported
	lost  bool // part of the text could not be read: tags or attributes are missing
}

// whiteSpace is what XML takes for it.
const whiteSpace = " \t\r\n"

// declaration is what may stand between <? and ?> at the start of a file.
var declaration = regexp.MustCompile(`^xml\s+version\s*=\s*("1\.0"|'1\.0')` +
	`(\s+encoding\s*=\s*("[A-Za-z][\w.-]*"|'[A-Za-z][\w.-]*'))?(\s+standalone\s*=\s*("(yes|no)"|'(yes|no)'))?\s*$`)

// reference is an entity that a text without a DTD may use.
var reference = regexp.MustCompile(`^&(amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);`)

func scan(src string) *scanner {
	s := &scanner{src: src, lines: newLines(src)}
	s.characters()
	s.pos = len(src) - len(strings.TrimPrefix(src, "\uFEFF"))
	start := s.pos
	for s.pos < len(s.src) {
		rest := s.src[s.pos:]
		switch {
		case rest[0] != '<':
			s.text()
		case strings.HasPrefix(rest, "<!--"):
			s.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			if len(s.open) == 0 {
				s.outside(s.pos)
			}
			s.skip("]]>", "CDATA section")
		case strings.HasPrefix(rest, "<!"):
			s.doctype()
		case strings.HasPrefix(rest, "<?"):
			s.instruction(start)
		case strings.HasPrefix(rest, "</"):
			s.end()
		default:
			s.start()
		}
	}
	for len(s.open) > 0 {
		s.unclosed("the end of the file")
	}
	if len(s.tags) == 0 {
		s.flaw(len(src), "no element found: expected <cluster>")
	}
	return s
}

func (s *scanner) flaw(off int, format string, args ...any) {
	s.flaws = append(s.flaws, flaw{off, fmt.Sprintf(format, args...)})
}

func (s *scanner) line(off int) int {
	line, _ := s.lines.at(off)
	return line
}

// characters reports what no XML text may hold, once per run.
func (s *scanner) characters() {
	bad := false
	for i, c := range s.src {
		was := bad
		bad = false
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(s.src[i:], "\uFFFD"):
			if bad = true; !was {
				s.flaw(i, "byte 0x%02x is not UTF-8: expected UTF-8, or the file's encoding in the XML declaration", s.src[i])
			}
		case c < ' ' && c != '\n' && c != '\r' && c != '\t', c == 0xFFFE, c == 0xFFFF:
			if bad = true; !was {
				s.flaw(i, "character %U is not allowed in XML: expected text", c)
			}
		}
	}
}

// text reads up to the next tag.
func (s *scanner) text() {
	part, _, _ := strings.Cut(s.src[s.pos:], "<")
	if len(s.open) == 0 {
		if rest := strings.TrimLeft(part, whiteSpace); rest != "" {
			s.outside(s.pos + len(part) - len(rest))
		}
	} else {
		s.references(s.pos, part)
		if i := strings.Index(part, "]]>"); i >= 0 {
			s.flaw(s.pos+i, "]]> ends no CDATA section: expected ]]&gt;")
		}
	}
	s.pos += len(part)
}

// outside reports text beside the root element, once.
func (s *scanner) outside(off int) {
	if !s.stray {
		s.stray = true
		s.flaw(off, "text outside the root element: expected only <cluster> … </cluster>")
	}
}

// references reports each & in part, found at off, that is no entity.
func (s *scanner) references(off int, part string) {
	for i := 0; ; i++ {
		next := strings.IndexByte(part[i:], '&')
		if next < 0 {
			return
		}
		i += next
		if !reference.MatchString(part[i:]) {
			s.flaw(off+i, "& stands alone: expected &amp; &lt; &gt; &quot; &apos; or a character number")
		}
	}
}

func (s *scanner) comment() {
	from := s.pos
	body := s.src[s.pos+len("<!--"):]
	end := strings.Index(body, "-->")
	if i := strings.Index(body, "--"); i >= 0 && i < end {
		s.flaw(from+len("<!--")+i, "-- inside a comment: expected --> (comments cannot be nested)")
	}
	s.skip("-->", "comment")
}

// skip passes over what started here and ends with close, and reports whether
// it does.
func (s *scanner) skip(close, what string) bool {
	head := 2
	if close == "-->" {
		head = len("<!--")
	}
	end := strings.Index(s.src[s.pos+head:], close)
	if end < 0 {
		s.flaw(s.pos, "%s has no end: expected %s", what, close)
		s.pos, s.lost = len(s.src), true
		return false
	}
	s.pos += head + end + len(close)
	return true
}

// doctype passes over <!DOCTYPE …>, whose DTD is not looked at.
func (s *scanner) doctype() {
	if !strings.HasPrefix(s.src[s.pos:], "<!DOCTYPE") || len(s.tags) > 0 {
		s.flaw(s.pos, "<! starts nothing that is allowed here: expected a comment <!-- … --> or an element")
		s.pos += len("<!")
		return
	}
	depth, quote := 0, rune(0)
	for i, c := range s.src[s.pos:] {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<' || c == '[':
			depth++
		case c == ']':
			depth--
		case c == '>':
			if depth--; depth <= 0 {
				s.pos += i + 1
				return
			}
		}
	}
	s.flaw(s.pos, "DOCTYPE has no end: expected >")
	s.pos, s.lost = len(s.src), true
}

// instruction passes over <? … ?>; start is where a declaration may stand.
func (s *scanner) instruction(start int) {
	from := s.pos
	if !s.skip("?>", "<?") {
		return
	}
	body := s.src[from+len("<?") : s.pos-len("?>")]
	switch target := name(body); {
	case target == "", len(target) < len(body) && strings.IndexByte(whiteSpace, body[len(target)]) < 0:
		s.flaw(from, "<? without a name and a blank: expected <?xml version=\"1.0\"?>")
	case !strings.EqualFold(target, "xml"):
	case from != start:
		s.flaw(from, "XML declaration is not at the start: expected it as the first characters of the file")
	case !declaration.MatchString(body):
		s.flaw(from, "XML declaration is not understood: expected <?xml version=\"1.0\"?>")
	}
}

// end reads an end tag.
func (s *scanner) end() {
	from := s.pos
	n := name(s.src[from+len("</"):])
	s.pos += len("</") + len(n)
	s.blanks()
	switch {
	case n == "":
		s.flaw(from, "</ without a name: expected </%s>", s.innermost())
	case s.peek() != '>':
		s.flaw(from, "tag </%s has no >: expected >", n)
	}
	if s.peek() == '>' {
		s.pos++
	}
	if n == "" {
		return
	}
	for depth := len(s.open) - 1; depth >= 0; depth-- {
		if s.tags[s.open[depth]].name == n {
			for len(s.open) > depth+1 {
				s.unclosed(fmt.Sprintf("</%s> on line %d", n, s.line(from)))
			}
			s.open = s.open[:depth]
			return
		}
	}
	if in := s.innermost(); in != "" {
		s.flaw(from, "</%s> closes no open element: expected </%s>", n, in)
	} else {
		s.flaw(from, "</%s> closes no open element: expected none", n)
	}
}

// innermost is the name of the element around pos, empty outside the root.
func (s *scanner) innermost() string {
	if len(s.open) == 0 {
		return ""
	}
	return s.tags[s.open[len(s.open)-1]].name
}

// unclosed closes the innermost element, whose end tag is missing.
func (s *scanner) unclosed(before string) {
	t := s.tags[s.open[len(s.open)-1]]
	s.open = s.open[:len(s.open)-1]
	if !t.broken {
		s.flaw(t.off, "<%s> is not closed: expected </%s> before %s", t.name, t.name, before)
	}
}

// name returns the XML name that src starts with.
func name(src string) string {
	for i, c := range src {
		switch {
		case c == '_' || c == ':' || unicode.IsLetter(c):
		case i > 0 && (c == '-' || c == '.' || c == '·' || unicode.IsDigit(c) || unicode.Is(unicode.Mn, c)):
		default:
			return src[:i]
		}
	}
	return src
}

func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// blanks passes over white space and reports whether there was any.
func (s *scanner) blanks() bool {
	from := s.pos
	for s.pos < len(s.src) && strings.IndexByte(whiteSpace, s.src[s.pos]) >= 0 {
		s.pos++
	}
	return s.pos > from
}
