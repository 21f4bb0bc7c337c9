package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What libxml2 2.9.14 wrote after config_version was set to 2.
func TestEditWritesAsLibxml2(t *testing.T) {
	const head = "<?xml version=\"1.0\"?>\n"
	for _, c := range []struct{ name, text, want string }{
		{"white space in attributes, other letters without an encoding",
			"<cluster config_version=\"1\" a=\"x\ny\tz&#10;&#9;&#13;\" b='q\"q'>t&gt;x&#13;é<a/></cluster>",
			head + "<cluster config_version=\"2\" a=\"x y z&#10;&#9;&#13;\" b=\"q&quot;q\">t&gt;x&#xD;&#xE9;<a/></cluster>\n"},
		{"a declared encoding keeps its letters and its name",
			"<?xml version='1.0' encoding='utf-8'?><!-- é --><cluster config_version='1' a='é'><b>é&#13;</b></cluster><?x y?>",
			"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- é -->\n<cluster config_version=\"2\" a=\"é\">\n  <b>é&#13;</b>\n</cluster>\n<?x y?>\n"},
		{"ASCII has numbers for the rest",
			`<?xml version="1.0" encoding="US-ASCII"?><cluster config_version="1" a="&#233;&#x20AC;"/>`,
			"<?xml version=\"1.0\" encoding=\"US-ASCII\"?>\n<cluster config_version=\"2\" a=\"&#233;&#8364;\"/>\n"},
		{"ISO-8859-1 stays so",
			"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><cluster config_version=\"1\" a=\"\xe9&#x20AC;\"><!-- \xe9 --></cluster>",
			"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<cluster config_version=\"2\" a=\"\xe9&#8364;\">\n  <!-- \xe9 -->\n</cluster>\n"},
		{"no text, and all is indented",
			`<?xml version="1.0" standalone="no"?><cluster config_version="1"><b></b><c>  </c><d><!-- x --></d><e><?p?></e><f><![CDATA[x<y]]></f></cluster>`,
			"<?xml version=\"1.0\" standalone=\"no\"?>\n<cluster config_version=\"2\">\n  <b/>\n  <c>  </c>\n  <d>\n    <!-- x -->\n  </d>\n  <e>\n    <?p?>\n  </e>\n  <f><![CDATA[x<y]]></f>\n</cluster>\n"},
		{"entities stay entities",
			"<!DOCTYPE cluster [<!ENTITY a \"1\"> <!ENTITY b '2\"'>\n<!-- c -->\n<!ENTITY a \"3\"><!ELEMENT cluster ANY>]><cluster config_version=\"1\" x=\"&a;&b;&amp;\"><r>&a; x</r><s>&b;</s></cluster>",
			head + "<!DOCTYPE cluster [\n<!ENTITY a \"1\">\n<!ENTITY b '2\"'>\n<!-- c --><!ELEMENT cluster ANY>\n]>\n<cluster config_version=\"2\" x=\"&a;&b;&amp;\">\n  <r>&a; x</r>\n  <s>&b;</s>\n</cluster>\n"},
		{"line breaks of other systems", "<cluster\r\n config_version=\"1\"\r\n a=\"x\r\ny\">\r\n<b/>\r\n</cluster>\r\n",
			head + "<cluster config_version=\"2\" a=\"x y\">\n<b/>\n</cluster>\n"},
		{"a mark at the beginning goes", "\uFEFF<cluster config_version=\"1\"/>", head + "<cluster config_version=\"2\"/>\n"},
		{"namespaces come first", `<cluster b="2" xmlns:x="u" config_version="1"><x:b x:c="1"/></cluster>`,
			head + "<cluster xmlns:x=\"u\" b=\"2\" config_version=\"2\">\n  <x:b x:c=\"1\"/>\n</cluster>\n"},
		{"quotes", `<cluster config_version="1" a="&lt;&gt;&apos;&quot;"/>`, head + "<cluster config_version=\"2\" a=\"&lt;&gt;'&quot;\"/>\n"},
		{"any root element", `<other config_version=" +1x"/>`, head + "<other config_version=\"2\"/>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Edit("c", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if !d.Bump() {
				t.Error("nothing to bump")
			}
			if got := string(d.Bytes()); got != c.want {
				t.Errorf("wrote\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}

func TestEditIndentsThirtyLevels(t *testing.T) {
	d, err := Edit("c", []byte(strings.Repeat("<a>", 40)+strings.Repeat("</a>", 40)))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.Bytes()); !strings.Contains(got, "\n"+strings.Repeat(" ", 60)+"<a>\n"+strings.Repeat(" ", 60)+"<a>\n") {
		t.Errorf("wrote %s", got)
	}
}

func TestEditRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "c:1:1: no element found",
		"<cluster><a></cluster>":    "c:1:10: <a> is not closed",
		"<cluster a='&b;'/>":        "c:1:13: & stands alone",
		"<cluster a='1' a='2'/>":    "attribute a is given twice",
		"<cluster a='\U0010FFFF'/>": "U+10FFFF is not allowed",
		"<?xml version='1.0' encoding='UTF-16'?><a/>": "encoding UTF-16 is not known",
	} {
		d, err := Edit("c", []byte(text))
		if err == nil || d != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Edit(%q) = %v, %v; want %q", text, d, err, want)
		}
	}
}

func TestAtoiAsAMachineDoes(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "7": 7, " \t+7x": 7, "-5": -5, "x": 0, "--1": 0, "- 1": 0, "007": 7,
		"2147483648": -2147483648, "99999999999999999999": -1, "-99999999999999999999": 0,
	} {
		if got := Atoi(text); got != want {
			t.Errorf("Atoi(%q) = %d; want %d", text, got, want)
		}
	}
}

func TestElements(t *testing.T) {
	d, err := Edit("c", []byte("<!DOCTYPE c [<!ENTITY e \"n1\">]><c>\n <n name='&e;' id='2'/>\n <m/>\n</c>"))
	if err != nil {
		t.Fatal(err)
	}
	n, ok := d.Root().Find("n", "name", "n1")
	if id, has := n.Attr("id"); !ok || !has || id != "2" {
		t.Errorf("Find = %v, id %q; want the element, whose name an entity holds", ok, id)
	}
	n.Remove()
	if _, ok := d.Root().First("n"); ok {
		t.Error("the element is still there")
	}
	d.Root().Add("o", Attr{"k", "a&b"}, Attr{"k", "c"})
	want := "<c>\n \n <m/>\n<o k=\"c\"/></c>\n"
	if got := string(d.Bytes()); !strings.HasSuffix(got, want) {
		t.Errorf("wrote %q; want %q at its end", got, want)
	}
	if d.Bump() {
		t.Error("bumped a config_version that is not there")
	}
}

// The old text is kept, an older one goes, and the new file has its own mode.
func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.conf")
	for i, text := range []string{"one", "two", "three"} {
		if i == 1 {
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := Save(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	alone(t, dir, "cluster.conf", "cluster.conf.old")
	if got, old := content(t, path), content(t, path+".old"); got != "three" || old != "two" {
		t.Errorf("files hold %q and %q; want three, two", got, old)
	}
	if m := mode(t, path); m != 0o640 {
		t.Errorf("mode = %o, want 640", m)
	}
}

func TestSaveKeepsTheModeOfTheOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.conf")
	if err := os.WriteFile(path, []byte("one"), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if m := mode(t, path+".old"); m != 0o604 {
		t.Errorf("mode of the old file = %o, want 604", m)
	}
}

// What cannot be saved leaves the old text where it was.
func TestSaveFailsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.conf")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path+".old", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, ok := Save(path, []byte("two")).(*Kept); !ok {
		t.Error("Save did not say that the old text cannot be kept")
	}
	if got := content(t, path); got != "one" {
		t.Errorf("file holds %q, want one", got)
	}
	alone(t, dir, "cluster.conf", "cluster.conf.old")
	if _, ok := Save(path+".old", []byte("two")).(*Kept); !ok {
		t.Error("Save took a folder for a file")
	}
	if err := Save(filepath.Join(dir, "none", "cluster.conf"), []byte("two")); err == nil {
		t.Error("Save wrote into a folder that is not there")
	}
}

// Every well-formed file of the corpus can be edited, and what is written is
// read again as the same.
func TestEditCorpus(t *testing.T) {
	files, err := filepath.Glob(corpus + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Skip("no corpus here")
	}
	edited := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Edit(file, text)
		if _, parsed := Parse(file, text); (parsed == nil) != (err == nil) {
			t.Errorf("%s: Parse = %v, Edit = %v", file, parsed, err)
		}
		if err != nil {
			continue
		}
		edited++
		once := d.Bytes()
		again, err := Edit(file, once)
		if err != nil {
			t.Errorf("%s: what was written is refused: %v", file, err)
		} else if string(again.Bytes()) != string(once) {
			t.Errorf("%s is written otherwise the second time", file)
		}
	}
	if edited != 174 {
		t.Errorf("%d files edited, want 174", edited)
	}
}

// No panic, never a draft together with an error; what is written is read
// again, and written the same, before an edit and after one.
func FuzzEdit(f *testing.F) {
	files, _ := filepath.Glob("../../testdata/conf/*.conf")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "name", "value")
	}
	for _, text := range []string{
		"<cluster config_version='1'/>", "<!DOCTYPE c [<!ENTITY e \"n1\"><!-- x -->]><c a='&e;'>&e;</c>",
		"<?xml version='1.0' encoding='latin1'?><c name='\xe9'><![CDATA[a]]></c>", "<c>\n<b/>\n</c><!-- e -->", "<a b='&#10;&#x10FFFE;'>&#13;</a>",
	} {
		f.Add([]byte(text), "k", "v\n\"<é")
	}
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		d, err := Edit("c", text)
		if err != nil {
			if faults, ok := err.(Faults); d != nil || !ok || len(faults) == 0 {
				t.Fatalf("Edit = %v, %v; want no draft and Faults", d, err)
			}
			return
		}
		stable(t, d)
		if !WritableName(key) || !Writable(value) {
			return
		}
		d.Bump()
		d.Root().Add("new", Attr{key, value})
		d = stable(t, d)
		e, ok := d.Root().First("new")
		if ok { // another one may have been there
			all := d.Root().All("new")
			e = all[len(all)-1]
		}
		if got, has := e.Attr(key); !ok || !has || got != value {
			t.Fatalf("attribute %q is %q; want %q", key, got, value)
		}
		e.Remove()
		stable(t, d)
	})
}

// stable writes d, reads it again and fails unless that is written the same.
func stable(t *testing.T, d *Draft) *Draft {
	t.Helper()
	once := d.Bytes()
	again, err := Edit("c", once)
	if err != nil {
		t.Fatalf("wrote %q, which is refused: %v", once, err)
	}
	if twice := again.Bytes(); string(twice) != string(once) {
		t.Fatalf("wrote %q, then %q", once, twice)
	}
	return again
}
