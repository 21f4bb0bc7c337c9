package conf

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the rules say into the manual page")

// whole has every element that the rules tell of, twice where a list is meant.
const whole = `<cluster name="a" config_version="1">
<cman><multicast/><altmulticast/></cman><totem/><quorumd/><fence_daemon/>
<clusternodes>
  <clusternode name="n1" nodeid="1"><altname name="b1"/><fence><method name="1"><device name="d"/></method></fence>
    <unfence><device name="d"/></unfence></clusternode>
  <clusternode name="n2" nodeid="2"/>
</clusternodes>
<fencedevices><fencedevice name="d" agent="fence_x"/></fencedevices>
<rm><failoverdomains><failoverdomain name="f"><failoverdomainnode name="n1"/></failoverdomain></failoverdomains>
  <resources/><resource-defaults/><service name="s"/><vm name="v"><action name="status" timeout="5"/></vm></rm>
</cluster>`

// with is the configuration of whole when the first element of that name has
// the attribute.
func with(t *testing.T, element, key, value string) *Config {
	t.Helper()
	tree := etree.NewDocument()
	if err := tree.ReadFromString(whole); err != nil {
		t.Fatal(err)
	}
	e := tree.FindElement("//" + element)
	if e == nil {
		t.Fatalf("there is no <%s>", element)
	}
	if key != "" {
		e.CreateAttr(key, value)
	}
	text, err := tree.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse("c", text)
	if err != nil {
		t.Fatal(err)
	}
	c, faults := d.Config()
	for _, f := range faults {
		if strings.Contains(f.Message, "is not known in") {
			t.Errorf("%s of <%s>: %v", key, element, f)
		}
	}
	return c
}

// other is a value that an attribute does not have by itself.
func other(a Attribute) string {
	switch a.Kind {
	case Text:
		return "zz"
	case Number:
		n, _ := strconv.Atoi(a.Default)
		return strconv.Itoa(n + 7)
	case Flag:
		return map[bool]string{true: "0", false: "1"}[a.Default == "1"]
	case YesNo:
		return map[bool]string{true: "no", false: "yes"}[a.Default == "yes"]
	case Time:
		return "9m"
	}
	words := strings.Split(string(a.Kind), "|")
	return words[len(words)-1]
}

// What is written out as default means what is not written; every other value
// means something else; what is said not to be read is not.
func TestRulesAreWhatIsRead(t *testing.T) {
	for _, r := range Rules() {
		t.Run(r.Element, func(t *testing.T) {
			plain := with(t, r.Element, "", "")
			for _, a := range r.Attrs {
				if a.Default != "" {
					if diff := cmp.Diff(plain, with(t, r.Element, a.Name, a.Default)); diff != "" {
						t.Errorf("%s=%q is not the default:\n%s", a.Name, a.Default, diff)
					}
				}
				if cmp.Equal(plain, with(t, r.Element, a.Name, other(a))) {
					t.Errorf("%s=%q means nothing", a.Name, other(a))
				}
				if !strings.HasSuffix(a.Meaning, ".") || a.Kind == "" {
					t.Errorf("%s: %q is no sentence", a.Name, a.Meaning)
				}
			}
			if r.Other == "*" {
				return
			}
			for key := range strings.FieldsSeq(r.Other) {
				if diff := cmp.Diff(plain, with(t, r.Element, key, "1")); diff != "" {
					t.Errorf("%s is read:\n%s", key, diff)
				}
			}
		})
	}
}

// An element stands where its rule says, and every rule is reached.
func TestRulesAreATree(t *testing.T) {
	in := map[string][]string{}
	for _, r := range Rules() {
		for c := range strings.FieldsSeq(r.Children) {
			in[c] = append(in[c], r.Element)
		}
	}
	for _, r := range Rules()[1:] {
		for parent := range strings.FieldsSeq(r.In) {
			if p := rule(parent); p == nil || !has(p.Children, r.Element) {
				t.Errorf("<%s> says that it stands in <%s>, which knows nothing of it", r.Element, parent)
			}
		}
		if r.In == "" {
			t.Errorf("<%s> stands nowhere", r.Element)
		}
	}
}

const page = "../../man/cluster.conf.5"

const begin, end = ".\\\" What follows comes from the table in internal/conf/rules.go.\n", ".\\\" End of the table.\n"

// The page tells what the rules say, word for word.
func TestPage(t *testing.T) {
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	text := head + begin + tables() + end + tail
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(old), text); diff != "" {
		t.Errorf("the page differs from the rules; go test -run TestPage -update writes it (-page +rules):\n%s", diff)
	}
	for _, p := range []string{page, "../../man/ccs_tool.8", "../../man/ccs_config_validate.8"} {
		out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", p).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", p, err, out)
		}
	}
}

// tables are the rules in the manual page's language.
func tables() string {
	var b bytes.Buffer
	for _, r := range Rules() {
		fmt.Fprintf(&b, ".Ss <%s>\n", r.Element)
		if r.In != "" {
			fmt.Fprintf(&b, "In <%s>.\n", strings.Join(strings.Fields(r.In), "> or <"))
		}
		if r.Meaning == "" {
			b.WriteString("Known, and not read.\n")
			continue
		}
		sentences(&b, r.Meaning)
		if len(r.Attrs) > 0 {
			b.WriteString(".Bl -tag -width Ds\n")
			for _, a := range r.Attrs {
				fmt.Fprintf(&b, ".It Cm %s Pq %s\n", a.Name, strings.Join(slices.DeleteFunc([]string{kindWords(a), a.unitWords(), a.defaultWords()},
					func(s string) bool { return s == "" }), ", "))
				sentences(&b, a.Meaning)
			}
			b.WriteString(".El\n")
		}
		switch {
		case r.Other != "" && r.Other != "*":
			fmt.Fprintf(&b, ".Pp\nKnown, and not read: %s.\n", strings.Join(strings.Fields(r.Other), ", "))
		case r.Element == "totem":
			b.WriteString(".Pp\nOther attributes are known, and not read.\n")
		}
	}
	return b.String()
}

func kindWords(a Attribute) string { return strings.ReplaceAll(string(a.Kind), "|", " | ") }

func (a Attribute) unitWords() string {
	return map[string]string{"ms": "milliseconds", "s": "seconds"}[a.Unit] + map[bool]string{true: a.Unit}[a.Unit != "ms" && a.Unit != "s"]
}

func (a Attribute) defaultWords() string {
	if a.Default == "" {
		return ""
	}
	return "default " + a.Default
}

// sentences puts each on a line of its own.
func sentences(b *bytes.Buffer, text string) {
	b.WriteString(strings.ReplaceAll(text, ". ", ".\n") + "\n")
}
