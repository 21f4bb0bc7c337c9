package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../testdata/conf", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parse is for texts that are well-formed.
func parse(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse("c", []byte(text))
	if err != nil {
		t.Fatalf("Parse(%q) = %v", text, err)
	}
	return d
}

func lineList(fs Faults) []string {
	if len(fs) == 0 {
		return nil
	}
	return strings.Split(fs.Error(), "\n")
}

// The magazine's listing, typed in as printed.
func TestArticleAsPrintedNamesAllThreeMistakes(t *testing.T) {
	text := string(sample(t, "article-as-printed.conf"))
	device := `cluster.conf:18:29: device "balde-mgmt.example.com" of clusternode "host2-cluster.example.com" names no fencedevice: ` +
		`expected "blade-mgmt" or "manual"`
	cman := `cluster.conf:26:5: tag <cman has no >: expected > before the next <, on line 27`
	votes := `cluster.conf:27:5: <expected_votes="1" is not an element: expected an element's name after <, found attribute expected_votes`

	check := func(text string, want ...string) *Document {
		t.Helper()
		d, err := Parse("cluster.conf", []byte(text))
		got, _ := err.(Faults)
		if err == nil {
			got = d.Check().Errors()
		}
		if diff := cmp.Diff(want, lineList(got)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
		return d
	}
	check(text, device, cman, votes)
	text = strings.Replace(text, "<cman\n", "<cman>\n", 1)
	check(text, device, votes)
	text = strings.Replace(text, "<cman>\n    <expected_votes=\"1\" two_node=\"1\"/>", `<cman expected_votes="1" two_node="1">`, 1)
	check(text, device)
	text = strings.Replace(text, "balde-mgmt.example.com", "blade-mgmt", 1)
	check(text)
	if text != string(sample(t, "article.conf")) {
		t.Error("the mended text is not article.conf")
	}
}

func TestParseNamesEveryBrokenPlace(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"empty file", "", []string{`c:1:1: no element found: expected <cluster>`}},
		{"other root", `<clutser/>`, []string{`c:1:1: root element is <clutser>: expected <cluster>`}},
		{"end tag missing", "<cluster>\n <rm>\n</cluster>", []string{`c:2:2: <rm> is not closed: expected </rm> before </cluster> on line 3`}},
		{"end tag misspelled", "<cluster>\n <rm>\n </mr>\n</cluster>", []string{
			`c:2:2: <rm> is not closed: expected </rm> before </cluster> on line 4`,
			`c:3:2: </mr> closes no open element: expected </rm>`}},
		{"file cut off", "<cluster>\n <rm/>\n <cman", []string{
			`c:1:1: <cluster> is not closed: expected </cluster> before the end of the file`,
			`c:3:2: tag <cman has no >: expected > before the end of the file`}},
		{"closed twice", `<cluster/></cluster>`, []string{`c:1:11: </cluster> closes no open element: expected none`}},
		{"two roots", `<cluster/><rm/>`, []string{`c:1:11: <rm> follows the end of the root element <cluster>: expected nothing more`}},
		{"text around", "x<cluster/>y", []string{`c:1:1: text outside the root element: expected only <cluster> … </cluster>`}},
		{"no quotes, no value, no blank, twice", `<cluster a=1 b c="2"d="3" c="4"/>`, []string{
			`c:1:12: value of attribute a is not quoted: expected " or ' after =`,
			`c:1:14: this attribute has no value: expected name="value"`,
			`c:1:21: text follows a closing quote: expected a blank, > or />`,
			`c:1:27: this attribute is given twice: expected it once`}},
		{"typographic quotes", `<cluster name=”a”/>`, []string{`c:1:15: value of attribute name is not quoted: expected " or ' after =`}},
		{"closing quote missing", "<cluster>\n<vm name=\"a/>\n<vm name=\"b\"/>\n</cluster>", []string{
			`c:2:5: value of attribute name has no closing quote: expected " before line 2 ends`}},
		{"last quote missing", "<cluster>\n<vm name=\"a/>\n</cluster>", []string{
			`c:2:5: value of attribute name has no closing quote: expected " before line 2 ends`}},
		{"raw < and &", `<cluster a="1 < 2" b="x&y">&z;</cluster>`, []string{
			`c:1:15: value of attribute a holds <: expected &lt;`,
			`c:1:24: & stands alone: expected &amp; &lt; &gt; &quot; &apos; or a character number`,
			`c:1:28: & stands alone: expected &amp; &lt; &gt; &quot; &apos; or a character number`}},
		{"< in text", `<cluster>1 < 2</cluster>`, []string{`c:1:12: < starts no element: expected a name after it, or &lt; for the character`}},
		{"junk in a tag", `<cluster , name="a"/>`, []string{`c:1:10: ',' does not start an attribute: expected name="value", > or />`}},
		{"comment in a comment", "<cluster>\n<!-- <!-- --> -->\n</cluster>", []string{
			`c:2:8: -- inside a comment: expected --> (comments cannot be nested)`}},
		{"comment without end", "<cluster>\n<!-- \n</cluster>", []string{
			`c:1:1: <cluster> is not closed: expected </cluster> before the end of the file`,
			`c:2:1: comment has no end: expected -->`}},
		{"declaration late", "\n<?xml version=\"1.0\"?><cluster/>", []string{
			`c:2:1: XML declaration is not at the start: expected it as the first characters of the file`}},
		{"declaration wrong", `<?xml version=\"1.0\"?><cluster/>`, []string{
			`c:1:1: XML declaration is not understood: expected <?xml version="1.0"?>`}},
		{"declaration without a blank, after another fault", "<cluster a=1>\n<?xmlversion=\"1.0\"?></cluster>", []string{
			`c:1:12: value of attribute a is not quoted: expected " or ' after =`,
			`c:2:1: <? without a name and a blank: expected <?xml version="1.0"?>`}},
		{"encoding unknown", `<?xml version="1.0" encoding="EBCDIC"?><cluster/>`, []string{
			`c:1:1: encoding EBCDIC is not known: expected UTF-8, US-ASCII or ISO-8859-1`}},
		{"not UTF-8", "<cluster name=\"m\xfcller\"/>", []string{
			`c:1:17: byte 0xfc is not UTF-8: expected UTF-8, or the file's encoding in the XML declaration`}},
		{"control character", "<cluster name=\"a\x01\"/>", []string{`c:1:17: character U+0001 is not allowed in XML: expected text`}},
		{"column counts characters", `<cluster name="müller" x/>`, []string{`c:1:24: attribute x has no value: expected name="value"`}},
		{"entity of one's own", `<!DOCTYPE cluster [<!ENTITY a "b">]><cluster name="&a;"/>`, []string{
			`c:1:52: & stands alone: expected &amp; &lt; &gt; &quot; &apos; or a character number`}},
		{"fencedevice unreadable, so devices are not judged",
			`<cluster><clusternodes><clusternode name="a"><fence><method name="1"><device name="x"/><device name="y"/></method></fence></clusternode>` +
				`</clusternodes><fencedevices><fencedevice name="x"/><fencedevice name=y/></fencedevices></cluster>`,
			[]string{`c:1:207: value of attribute name is not quoted: expected " or ' after =`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := Parse("c", []byte(test.text))
			got, ok := err.(Faults)
			if !ok || d != nil {
				t.Fatalf("Parse = %v, %v; want no document and Faults", d, err)
			}
			if diff := cmp.Diff(test.want, lineList(got)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsStayOutOfFaults(t *testing.T) {
	for _, text := range []string{
		`<cluster><fencedevice passwd="s3"cret"/></cluster>`,
		`<cluster><fencedevice passwd=s3cret/></cluster>`,
		`<cluster><fencedevice passwd="s3cret/><rm/></cluster>`,
		`<cluster><passwd="s3cret"/></cluster>`,
		`<cluster><passwd="12345"/></cluster>`,
		`<cluster><fencedevice passwd="s3<cret"/></cluster>`,
		`<cluster><fencedevice passwd="a" "s3cret"/></cluster>`,
		`<cluster><fencedevice passwd="a "s3" cret"/></cluster>`,
		`<cluster><fencedevice passwd=a s3cret/></cluster>`,
	} {
		_, err := Parse("c", []byte(text))
		if err == nil {
			t.Errorf("Parse(%q) succeeded", text)
			continue
		}
		for _, secret := range []string{"s3", "cret", "12345"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("Parse(%q) tells the password: %v", text, err)
			}
		}
	}
}

func TestBytesAreThoseGiven(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark":      "\uFEFF<?xml version=\"1.0\"?>\n<cluster name=\"a\"/>",
		"ISO-8859-1":           "<?xml version='1.0' encoding='iso-8859-1'?>\n<cluster name=\"m\xfcller\"/>\n",
		"DTD":                  "<!DOCTYPE cluster SYSTEM \"a>b.dtd\" [ <!ELEMENT cluster ANY> ]>\n<cluster/>",
		"CDATA":                "<cluster><rm><events><event><![CDATA[ a < b && c ]]></event></events></rm></cluster>",
		"carriage returns":     "<cluster\r\n  name = 'a'\t>\r\n</cluster >\r\n",
		"instruction":          "<?xml version=\"1.0\"?><?xml-stylesheet href=\"x\"?><cluster/><!-- end -->\n",
		"prefixes and unknown": "<cluster xmlns:x=\"u\" x:a=\"1\"><x:y>text</x:y></cluster>",
		"character numbers":    "<cluster name=\"&#65;&amp;&#x42;\"/>",
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(parse(t, text).Bytes()); got != text {
				t.Errorf("Bytes() = %q, want %q", got, text)
			}
		})
	}
	c, _ := parse(t, "<?xml version='1.0' encoding='iso-8859-1'?>\n<cluster name=\"m\xfcller\"/>\n").Config()
	if c.Name != "müller" {
		t.Errorf("name from ISO-8859-1 = %q", c.Name)
	}
	c, _ = parse(t, `<cluster name="&#65;&amp;&#x42;"/>`).Config()
	if c.Name != "A&B" {
		t.Errorf("name with character numbers = %q", c.Name)
	}
}

// A new version is all that changes, to the byte.
func TestWithVersion(t *testing.T) {
	for _, c := range []struct{ fact, text, want string }{
		{"a number", "<!-- a -->\n<cluster\tname='b'\n  config_version = '7' ></cluster>\n", "<!-- a -->\n<cluster\tname='b'\n  config_version=\"12\" ></cluster>\n"},
		{"no number", `<cluster config_version="a&quot;b" name="c"/>`, `<cluster config_version="12" name="c"/>`},
		{"none", `<cluster name="c"/>`, `<cluster config_version="12" name="c"/>`},
		{"none at all", `<cluster/>`, `<cluster config_version="12"/>`},
		{"ISO-8859-1", "<?xml version=\"1.0\" encoding=\"latin1\"?><cluster name=\"\xe9\" config_version=\"1\"/>",
			"<?xml version=\"1.0\" encoding=\"latin1\"?><cluster name=\"\xe9\" config_version=\"12\"/>"},
		{"a byte order mark", "\uFEFF<cluster config_version=\"1\"/>", "\uFEFF<cluster config_version=\"12\"/>"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			d, err := Parse("c", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(d.WithVersion(12)); got != c.want {
				t.Errorf("WithVersion(12) = %q; want %q", got, c.want)
			}
		})
	}
}
