package conf

import (
	"regexp"
	"strings"
)

// entityMark stands before and after the name of an entity of the file's own
// while the text is in memory. It is the last character there is, and no
// text.
const entityMark = "\U0010FFFF"

// markNumber is that character by its number.
var markNumber = regexp.MustCompile(`&#(0*1114111|x0*10[Ff]{4});`)

// entities maps the names of entities that the file's DTD defines to their
// values.
type entities map[string]string

// expand puts the entities' values in the place of the marked names.
func (es entities) expand(s string) string {
	for range 8 { // an entity may stand in another's value, but not endlessly
		before, rest, ok := strings.Cut(s, entityMark)
		if !ok {
			break
		}
		name, after, _ := strings.Cut(rest, entityMark)
		s = before + es[name] + after
	}
	return strings.ReplaceAll(s, entityMark, "")
}

// prepared is a text made ready for the XML reader.
type prepared struct {
	text     string
	entities entities
	doctype  string // between <! and >
	strange  bool   // there is a DOCTYPE that is not understood, or a second one
}

// part is what may stand in the DTD inside a file.
const part = `(?:<!--(?s:.*?)-->|<\?(?s:.*?)\?>|<!(?:ENTITY|ELEMENT|ATTLIST|NOTATION)\s(?:"[^"]*"|'[^']*'|[^"'<>])*>|%[\w.:-]+;)`

var dtdPart = regexp.MustCompile(part)

// doctypeForm is a DOCTYPE: the name with what the DTD is called elsewhere,
// and the [ and parts of the DTD inside the file.
var doctypeForm = regexp.MustCompile(`^<!DOCTYPE\s+([A-Za-z_][\w.:-]*(?:\s+SYSTEM\s+` + literal + `|\s+PUBLIC\s+` + literal + `\s+` + literal + `)?)\s*` +
	`(?:(\[(?:\s*` + part + `)*)\s*\]\s*)?>$`)

const literal = `(?:"[^"]*"|'[^']*')`

var entityDecl = regexp.MustCompile(`^<!ENTITY\s+([\w.:-]+)\s+(` + literal + `)\s*>$`)

// prepare marks references to the file's own entities, and makes blanks of
// line breaks and tabs inside attributes, as an XML reader must but Go's does
// not. The DOCTYPE is as libxml2 writes it: one declaration a line.
func prepare(src string) prepared {
	p := prepared{entities: entities{}}
	var b strings.Builder
	for src != "" {
		end := 0
		switch {
		case strings.HasPrefix(src, "<!--"):
			end = after(src, "-->", 4)
		case strings.HasPrefix(src, "<![CDATA["):
			end = after(src, "]]>", 9)
		case strings.HasPrefix(src, "<?"):
			end = after(src, "?>", 2)
		case strings.HasPrefix(src, "<!DOCTYPE"):
			end = doctypeEnd(src)
			p.strange = p.strange || p.doctype != ""
			p.doctype = p.readDoctype(src[:end])
			p.strange = p.strange || p.doctype == ""
		}
		if end > 0 {
			b.WriteString(src[:end])
			src = src[end:]
			continue
		}
		part := ""
		if src[0] == '<' {
			part = src[:tagEnd(src)]
			src = src[len(part):]
			p.tag(&b, part)
			continue
		}
		part, _, _ = strings.Cut(src, "<")
		src = src[len(part):]
		b.WriteString(p.mark(part))
	}
	p.text = b.String()
	return p
}

// after is where src goes on behind the first end that is found from from on;
// an end that is missing is the scanner's business.
func after(src, end string, from int) int {
	i := strings.Index(src[from:], end)
	if i < 0 {
		return len(src)
	}
	return from + i + len(end)
}

// tagEnd is where the tag at the beginning of src ends. A quote counts only
// behind an equals sign: elsewhere it is a mistake.
func tagEnd(src string) int {
	var quote, last byte
	for i := 1; i < len(src); i++ {
		c := src[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case last == '=' && (c == '"' || c == '\''):
			quote = c
		case c == '>':
			return i + 1
		case c == '<':
			return i
		}
		if strings.IndexByte(whiteSpace, c) < 0 {
			last = c
		}
	}
	return len(src)
}

// tag copies a tag, its attributes' values made ready.
func (p *prepared) tag(b *strings.Builder, tag string) {
	for {
		i := strings.IndexAny(tag, `"'`)
		if i < 0 {
			break
		}
		end := strings.IndexByte(tag[i+1:], tag[i])
		if end < 0 {
			break
		}
		end += i + 1
		b.WriteString(tag[:i])
		value := tag[i:end]
		if !strings.Contains(value, "<") { // else a quote is missing, and the lines are needed
			value = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(value)
		}
		b.WriteString(p.mark(value))
		b.WriteByte(tag[end])
		tag = tag[end+1:]
	}
	b.WriteString(tag)
}

var ownReference = regexp.MustCompile(`&([\w.:-]+);`)

// mark makes marks of the references to the file's own entities.
func (p *prepared) mark(s string) string {
	if len(p.entities) == 0 {
		return s
	}
	return ownReference.ReplaceAllStringFunc(s, func(ref string) string {
		if _, ok := p.entities[ref[1:len(ref)-1]]; !ok {
			return ref
		}
		return entityMark + ref[1:len(ref)-1] + entityMark
	})
}

// doctypeEnd is where the DOCTYPE at the beginning of src ends.
func doctypeEnd(src string) int {
	s := &scanner{src: src}
	s.doctype()
	return s.pos
}

// readDoctype takes the entities of a <!DOCTYPE …> and returns what stands
// between <! and >, empty when it is not understood.
func (p *prepared) readDoctype(text string) string {
	for _, part := range dtdPart.FindAllString(text, -1) {
		m := entityDecl.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		if _, ok := p.entities[m[1]]; !ok { // the first counts
			value := m[2][1 : len(m[2])-1]
			p.entities[m[1]] = ""            // an entity does not hold itself
			p.entities[m[1]] = p.mark(value) // those before it may stand in it
		}
	}
	m := doctypeForm.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	head := "DOCTYPE " + strings.Join(strings.Fields(m[1]), " ")
	if m[2] == "" {
		return head
	}
	var b strings.Builder
	b.WriteString(head + " [\n")
	seen := map[string]bool{}
	for _, part := range dtdPart.FindAllString(m[2][1:], -1) {
		switch m := entityDecl.FindStringSubmatch(part); {
		case m != nil && !seen[m[1]]:
			seen[m[1]] = true
			b.WriteString("<!ENTITY " + m[1] + " " + m[2] + ">\n")
		case m == nil:
			b.WriteString(part)
			if !strings.HasPrefix(part, "<!--") {
				b.WriteByte('\n')
			}
		}
	}
	b.WriteString("]")
	return b.String()
}
