package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// complaints are the lines with which libxml2 2.9.14, the reader under the
// original, refuses the text of file; err is our own reader's view, printed
// where libxml2's is not known.
func complaints(file string, text []byte, err error) string {
	x := &xmlReader{file: file, src: string(text), line: 1}
	x.document()
	if x.out.Len() == 0 {
		return err.Error() + "\n"
	}
	return x.out.String()
}

// xmlReader goes through a text as libxml2 does and complains where it does.
// After a complaint it goes on as libxml2 does, which is what makes the lines
// that follow. It builds nothing.
type xmlReader struct {
	file   string
	src    string
	pos    int
	base   int // what is before it is not shown
	line   int
	open   []xmlTag // from the outermost
	out    strings.Builder
	latin1 bool // a byte that is not UTF-8 was complained of
	halted bool
}

type xmlTag struct {
	name string
	line int
}

func (x *xmlReader) peek(off int) byte {
	if i := x.pos + off; i < len(x.src) && !x.halted {
		return x.src[i]
	}
	return 0
}

func (x *xmlReader) at(s string) bool { return !x.halted && strings.HasPrefix(x.src[x.pos:], s) }

func (x *xmlReader) skip(n int) {
	x.line += strings.Count(x.src[x.pos:x.pos+n], "\n")
	x.pos += n
}

func (x *xmlReader) blanks() bool {
	from := x.pos
	for b := x.peek(0); b == ' ' || b == '\t' || b == '\r' || b == '\n'; b = x.peek(0) {
		x.skip(1)
	}
	return x.pos > from
}

// complain prints a message with the line it is about and a mark below.
func (x *xmlReader) complain(format string, args ...any) { x.print("error", format, args...) }

func (x *xmlReader) print(level, format string, args ...any) {
	const widest = 80
	fmt.Fprintf(&x.out, "%s:%d: parser %s : %s\n", x.file, x.line, level, fmt.Sprintf(format, args...))
	start := x.pos
	isEnd := func(i int) bool { return i < len(x.src) && (x.src[i] == '\n' || x.src[i] == '\r') }
	for start > x.base && isEnd(start) {
		start--
	}
	for n := 1; n < widest+1 && start > x.base && !isEnd(start); n++ {
		start--
	}
	if isEnd(start) {
		start++
	}
	column := x.pos - start
	end := start
	for end < len(x.src) && !isEnd(end) && end-start < widest {
		end++
	}
	shown := x.src[min(start, end):end]
	x.out.WriteString(shown + "\n")
	for i := 0; i < column && i < widest-1 && i < len(shown); i++ {
		if shown[i] == '\t' {
			x.out.WriteByte('\t')
		} else {
			x.out.WriteByte(' ')
		}
	}
	x.out.WriteString("^\n")
}

// char is the width of the character at pos, 0 at the end. Text that is not
// UTF-8 is complained of once, and is ISO-8859-1 from there on.
func (x *xmlReader) char() (rune, int) {
	b := x.peek(0)
	switch {
	case x.halted || x.pos >= len(x.src):
		return 0, 0
	case b < 0x80 || x.latin1:
		return rune(b), 1
	}
	r, n := utf8.DecodeRuneInString(x.src[x.pos:])
	if r == utf8.RuneError && n == 1 {
		if len(x.src)-x.pos < 4 { // libxml2 waits for more
			return 0, 0
		}
		x.latin1 = true
		x.complain("Input is not proper UTF-8, indicate encoding !\nBytes: 0x%02X 0x%02X 0x%02X 0x%02X", b, x.peek(1), x.peek(2), x.peek(3))
		return rune(b), 1
	}
	return r, n
}

func isNameStart(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0xC0 && r != 0xD7 && r != 0xF7
}

func (x *xmlReader) name() string {
	from := x.pos
	for {
		r, n := x.char()
		if n == 0 || !isNameStart(r) && r != ':' && (x.pos == from || r != '-' && r != '.' && r != 0xB7 && (r < '0' || r > '9')) {
			return x.src[from:x.pos]
		}
		x.skip(n)
	}
}

func (x *xmlReader) document() {
	if strings.HasPrefix(x.src, "\uFEFF") {
		x.pos = len("\uFEFF")
	}
	if x.src[x.pos:] == "" {
		x.complain("Document is empty")
		return
	}
	if x.at("<?xml") && strings.IndexByte(" \t\r\n", x.peek(5)) >= 0 && !x.declaration() {
		return
	}
	x.misc()
	if x.at("<!DOCTYPE") {
		if end := strings.IndexByte(x.src[x.pos:], '>'); end >= 0 {
			if subset := strings.IndexByte(x.src[x.pos:], '['); subset >= 0 && subset < end {
				if close := strings.Index(x.src[x.pos:], "]"); close >= 0 {
					end = close + max(0, strings.IndexByte(x.src[x.pos+close:], '>'))
				}
			}
			x.skip(end + 1)
		}
		x.misc()
	}
	if x.peek(0) != '<' {
		x.complain("Start tag expected, '<' not found")
		return
	}
	x.element()
	x.misc()
	if !x.halted && x.pos < len(x.src) {
		x.complain("Extra content at the end of the document")
	}
}

// What is read of the values in an XML declaration; a version needs the dot.
var (
	versionValue    = regexp.MustCompile(`^[0-9](\.[0-9]*)?`)
	encodingValue   = regexp.MustCompile(`^[A-Za-z][\w.-]*`)
	standaloneValue = regexp.MustCompile(`^(yes|no)`)
)

// declaration reads the XML declaration and reports whether to go on.
func (x *xmlReader) declaration() bool {
	x.skip(len("<?xml"))
	switch version, _ := x.declared("version", versionValue); {
	case !strings.Contains(version, "."):
		x.complain("Malformed declaration expecting version")
	case version != "1.0":
		x.print("warning", "Unsupported version '%s'", version)
	}
	x.needBlank()
	if encoding, closed := x.declared("encoding", encodingValue); closed {
		if !x.decode(encoding) {
			return false
		}
		x.needBlank()
	}
	x.declared("standalone", standaloneValue)
	x.blanks()
	if x.at("?>") {
		x.skip(2)
		return true
	}
	x.complain("parsing XML declaration: '?>' expected")
	if end := strings.IndexByte(x.src[x.pos:], '>'); end >= 0 {
		x.pos += end + 1 // libxml2 counts no lines here
	} else {
		x.pos = len(x.src)
	}
	return true
}

// needBlank complains unless the declaration ends here or a blank follows.
func (x *xmlReader) needBlank() {
	if !x.at("?>") && strings.IndexByte(" \t\r\n", x.peek(0)) < 0 {
		x.complain("Blank needed here")
	}
}

// declared reads `word="value"` and reports whether it was there, whole.
func (x *xmlReader) declared(word string, form *regexp.Regexp) (value string, closed bool) {
	x.blanks()
	if !x.at(word) {
		return "", false
	}
	x.skip(len(word))
	x.blanks()
	if x.peek(0) != '=' {
		x.complain("expected '='")
		return "", false
	}
	x.skip(1)
	x.blanks()
	quote := x.peek(0)
	if quote != '"' && quote != '\'' {
		x.complain(`String not started expecting ' or "`)
		return "", false
	}
	x.skip(1)
	if value = form.FindString(x.src[x.pos:]); value == "" && word == "encoding" {
		x.complain("Invalid XML encoding name")
	}
	x.skip(len(value))
	if x.peek(0) != quote {
		x.complain(`String not closed expecting " or '`)
		return value, false
	}
	x.skip(1)
	return value, true
}

// decode reads on in that encoding, and reports whether it can.
func (x *xmlReader) decode(encoding string) bool {
	switch strings.ToUpper(encoding) {
	case "UTF-8", "UTF8", "US-ASCII", "ASCII":
	case "ISO-8859-1", "LATIN1": // read, and shown, as UTF-8 from here on
		var b strings.Builder
		for _, c := range []byte(x.src[x.pos:]) {
			b.WriteRune(rune(c))
		}
		x.src, x.base = x.src[:x.pos]+b.String(), x.pos
	default:
		x.complain("Unsupported encoding %s", encoding)
		return false
	}
	return true
}

// misc passes over blanks, comments and instructions.
func (x *xmlReader) misc() {
	for {
		x.blanks()
		switch {
		case x.at("<?"):
			x.instruction()
		case x.at("<!--"):
			x.comment()
		default:
			return
		}
	}
}
