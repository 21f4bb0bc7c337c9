package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fangnetz/internal/conf"
)

// What libxml2 2.9.14 printed.
func TestComplaints(t *testing.T) {
	const body = "<?xml version=\"1.0\"?>\n<cluster name=\"a\" config_version=\"1\">\n  <clusternodes>\n" +
		"    <clusternode name=\"n1\" nodeid=\"1\"/>\n  </clusternodes>\n</cluster>\n"
	for _, c := range []struct{ name, old, new, want string }{
		{"attribute twice", `name="n1"`, `name="n1" name="n2"`,
			"c:4: parser error : Attribute name redefined\n    <clusternode name=\"n1\" name=\"n2\" nodeid=\"1\"/>\n" + strings.Repeat(" ", 47) + "^\n"},
		{"two root elements", "</cluster>\n", "</cluster>\n<x/>\n", "c:7: parser error : Extra content at the end of the document\n<x/>\n^\n"},
		{"hyphens in a comment", "  <clusternodes>", "<!-- a -- b --><clusternodes>",
			"c:3: parser error : Double hyphen within comment: <!-- a \n<!-- a -- b --><clusternodes>\n       ^\n"},
		{"no blank", `" nodeid`, `"nodeid`,
			"c:4: parser error : attributes construct error\n    <clusternode name=\"n1\"nodeid=\"1\"/>\n                          ^\n" +
				"c:4: parser error : Couldn't find end of Start Tag clusternode line 4\n    <clusternode name=\"n1\"nodeid=\"1\"/>\n                          ^\n"},
		{"an entity of nobody", `"n1"`, `"&foo;"`,
			"c:4: parser error : Entity 'foo' not defined\n    <clusternode name=\"&foo;\" nodeid=\"1\"/>\n" + strings.Repeat(" ", 28) + "^\n"},
		{"no value", `nodeid="1"`, `nodeid`,
			"c:4: parser error : Specification mandates value for attribute nodeid\n    <clusternode name=\"n1\" nodeid/>\n" + strings.Repeat(" ", 33) + "^\n"},
		{"an encoding of nobody", `"1.0"`, `"1.0" encoding="foo"`,
			"c:1: parser error : Unsupported encoding foo\n<?xml version=\"1.0\" encoding=\"foo\"?>\n" + strings.Repeat(" ", 34) + "^\n"},
		{"a version without a dot", `"1.0"`, `"10"`, "c:1: parser error : String not closed expecting \" or '\n<?xml version=\"10\"?>\n                ^\n" +
			"c:1: parser error : Malformed declaration expecting version\n<?xml version=\"10\"?>\n                ^\n" +
			"c:1: parser error : Blank needed here\n<?xml version=\"10\"?>\n                ^\n" +
			"c:1: parser error : parsing XML declaration: '?>' expected\n<?xml version=\"10\"?>\n                ^\n"},
		{"an encoding without its end", `"1.0"`, `"1.0" encoding="UTF-8`, "c:1: parser error : String not closed expecting \" or '\n<?xml version=\"1.0\" encoding=\"UTF-8?>\n" +
			strings.Repeat(" ", 35) + "^\n"},
		{"a declaration without its end", `"1.0"?>`, `"1.0"?`, "c:1: parser error : Blank needed here\n<?xml version=\"1.0\"?\n                   ^\n" +
			"c:1: parser error : parsing XML declaration: '?>' expected\n<?xml version=\"1.0\"?\n                   ^\n" +
			"c:5: parser error : Extra content at the end of the document\n</cluster>\n^\n"},
		{"an instruction that begins with xml", "<?xml ", "<?xml", "c:1: parser warning : xmlParsePITarget: invalid name prefix 'xml'\n<?xmlversion=\"1.0\"?>\n            ^\n" +
			"c:1: parser error : ParsePI: PI xmlversion space expected\n<?xmlversion=\"1.0\"?>\n            ^\n"},
		{"a control character in a comment", "  <clusternodes>", "<!-- a\x01 --><clusternodes>",
			"c:3: parser error : xmlParseComment: invalid xmlChar value 1\n<!-- a\x01 --><clusternodes>\n      ^\n" +
				"c:3: parser error : PCDATA invalid Char value 1\n<!-- a\x01 --><clusternodes>\n      ^\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := []byte(strings.Replace(body, c.old, c.new, 1))
			_, err := conf.Edit("c", text)
			if err == nil {
				t.Fatal("the text is taken")
			}
			if got := complaints("c", text, err); got != c.want {
				t.Errorf("complaints:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// No panic and no endless loop; what is refused is complained of.
func FuzzComplaints(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/conf/*.conf")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"<a b", "<a>&#x;</a>", "<?xml versio?>", "<!DOCTYPE a [", "<a>\xe9xyz", "<a><!-- --", "<a><?b", "]]>", "<a>]]>"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := conf.Edit("c", text)
		if err != nil && complaints("c", text, err) == "" {
			t.Errorf("%q is refused without a word", text)
		}
	})
}
