package conf

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// lines turns byte offsets of a text into places.
type lines struct {
	text   string
	starts []int // offset of each line's first byte, ascending
}

func newLines(text string) lines {
	l := lines{text: text, starts: []int{0}}
	for off := 0; ; {
		n := strings.IndexByte(text[off:], '\n')
		if n < 0 {
			return l
		}
		off += n + 1
		l.starts = append(l.starts, off)
	}
}

// at returns the line and column of an offset, both from 1, the column in
// characters. A byte order mark counts as none.
func (l lines) at(off int) (line, column int) {
	line = sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > off })
	before := strings.TrimPrefix(l.text[l.starts[line-1]:off], "\uFEFF")
	return line, 1 + utf8.RuneCountInString(before)
}
