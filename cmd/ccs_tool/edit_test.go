package main

import (
	"os"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wiretest"
)

const two = `<?xml version="1.0"?>
<cluster name="alpha" config_version="1">
  <clusternodes>
    <clusternode name="n1" nodeid="1"/>
    <clusternode name="n2" nodeid="2"/>
  </clusternodes>
  <fencedevices/>
  <rm>
    <failoverdomains>
    </failoverdomains>
    <vm name="old" autostart="0" exclusive="1" path="/srv"/>
  </rm>
</cluster>
`

// edited runs one edit of the text and returns what it wrote to stdout.
func edited(t *testing.T, text string, args ...string) result {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return play(&command{form: formOf(cluster.Release318)}, append([]string{args[0], "-c", "c", "-o-"}, args[1:]...)...)
}

// What the originals did not have.
func TestMachinesAndPriorities(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string // in stdout, or stderr
		exit int
	}{
		{"machine", []string{"addvm", "web"}, "  <vm name=\"web\" autostart=\"1\"/></rm>", 0},
		{"machine with attributes", []string{"addvm", "-a", "0", "-x", "1", "-r", "restart", "web", "path=/a=b", "migrate=live"},
			`<vm name="web" autostart="0" exclusive="1" recovery="restart" path="/a=b" migrate="live"/></rm>`, 0},
		{"machine twice", []string{"addvm", "old"}, "ccs_tool: vm old already exists in c\n\n", 1},
		{"attribute that a machine has not", []string{"addvm", "web", "colour=red"}, "ccs_tool: vm has no attribute \"colour\" to give\n\n", 1},
		{"second name", []string{"addvm", "web", "name=x"}, "ccs_tool: vm has no attribute \"name\" to give\n\n", 1},
		{"attribute without a value", []string{"addvm", "web", "path"}, "ccs_tool: option 'path' is not opt=value pair\n\n", 1},
		{"domain that is not there", []string{"addvm", "-d", "d", "web"}, "ccs_tool: failover domain d doesn't exist in c\n\n", 1},
		{"autostart that is no number", []string{"addvm", "-a", "yes", "web"}, "ccs_tool: argument to a (yes) is not an integer\n", 1},
		{"machine removed", []string{"delvm", "old"}, "</failoverdomains>\n    \n  </rm>", 0},
		{"machine that is not there", []string{"delvm", "web"}, "vm web does not exist in c\n", 1},
		{"priorities", []string{"addfdomain", "d", "n2=10", "n1"},
			`<failoverdomainnode name="n2" priority="10"/><failoverdomainnode name="n1" priority="2"/>`, 0},
		{"priority out of range", []string{"addfdomain", "d", "n2=101"}, "ccs_tool: priority of n2 (101) is not a number from 1 to 100\n\n", 1},
		{"priority that is no number", []string{"addfdomain", "d", "n2="}, "ccs_tool: priority of n2 () is not a number from 1 to 100\n\n", 1},
		{"priority of a stranger", []string{"addfdomain", "d", "n3=1"}, "ccs_tool: Can't find node n3=1 in c.\n\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := edited(t, two, c.args...)
			if got.exit != c.exit || c.exit != 0 && (got.stderr != c.want || got.stdout != "") ||
				c.exit == 0 && (!strings.Contains(got.stdout, c.want) || got.stderr != "") {
				t.Errorf("ccs_tool %q = %+v; want %q, %d", c.args, got, c.want, c.exit)
			}
		})
	}
}

func TestListOfMachines(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c", []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "\nCluster name: alpha, config_version: 1\n\n" +
		"Name                             Autostart Exclusive Recovery\n" +
		"old                                      0         1 -\n  Properties:  path=/srv\n"
	got := play(&command{form: formOf(cluster.Release318)}, "lsvm", "-v", "-cc")
	if got != (result{want, "", 0}) {
		t.Errorf("lsvm = %+v; want %q", got, want)
	}
}

// fixes are the original's crashes and false answers, and ours instead.
func TestFixed(t *testing.T) {
	const fence = `<cluster name="a" config_version="1"><clusternodes>` +
		`<clusternode name="n1"/><clusternode name="n2"><fence><method><device name="d" port="1"/></method></fence></clusternode>` +
		`<clusternode name="n3"><fence><method/></fence></clusternode></clusternodes>` +
		`<fencedevices><fencedevice agent="x"/><fencedevice name="d"/></fencedevices></cluster>`
	for _, c := range []struct {
		why  string
		args []string
		want result
	}{
		{"lsnode -v crashed on a first node without fencing, and gave later ones their predecessor's properties",
			[]string{"lsnode", "-v", "-c", "c"}, result{stdout: "\nCluster name: a, config_version: 1\n\n" +
				"Nodename                        Votes Nodeid Fencetype\n" +
				"n1                                 1    0    \n" +
				"n2                                 1    0    d\n  Fence properties:  port=1\n" +
				"n3                                 1    0    \n"}},
		{"-verbose alone crashed", []string{"-verbose"}, result{stderr: "Too few arguments.\nTry 'ccs_tool help' for help.\n", exit: 1}},
		{"-verbose before delnode raised the version and removed nothing", []string{"-verbose", "delnode", "-o-", "-c", "c", "n9"},
			result{stderr: "node n9 does not exist in c\n", exit: 1}},
		{"addnodeids --nodeid crashed", []string{"addnodeids", "--nodeid", "x", "-c", "c"},
			result{stderr: "ccs_tool: argument to n (x) is not an integer\n", exit: 1}},
		{"a fencedevice without a name ended addnode -f", []string{"addnode", "-c", "c", "-n", "4", "-f", "e", "n4"},
			result{stderr: "ccs_tool: fence type 'e' not known\n\n", exit: 1}},
		{"an argument's name that is none was written all the same", []string{"addfence", "-c", "c", "e", "x", "a b=1"},
			result{stderr: "ccs_tool: option 'a b=1' is not opt=value pair\n\n", exit: 1}},
		{"so was what is no text", []string{"addfence", "-c", "c", "e\x01", "x"},
			result{stderr: "ccs_tool: \"e\\x01\" cannot be written as XML\n\n", exit: 1}},
		{"create had no bound", []string{"create", "-n", "2000000000", "-c", "new", "a"},
			result{stderr: "ccs_tool: argument to n (2000000000) is above 4096\n", exit: 1}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("c", []byte(fence), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := play(&command{form: formOf(cluster.Release318)}, c.args...); got != c.want {
				t.Errorf("ccs_tool %q = %+v; want %+v", c.args, got, c.want)
			}
		})
	}
}

// A name that XML has other signs for is escaped, also where the original
// wrote it as it was.
func TestCreateEscapes(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := ccsTool("create", "-c", "c", `a&"b`); got != (result{}) {
		t.Fatalf("create = %+v", got)
	}
	if text, err := os.ReadFile("c"); err != nil || !strings.Contains(string(text), `name="a&amp;&quot;b"`) {
		t.Errorf("create wrote %s, %v", text, err)
	}
}

// - is stdin, and then stdout.
func TestStandardInput(t *testing.T) {
	c := &command{form: formOf(cluster.Release318), stdin: strings.NewReader(two)}
	if got := play(c, "delvm", "-c-", "old"); got.exit != 0 || !strings.Contains(got.stdout, `config_version="2"`) {
		t.Errorf("delvm of stdin = %+v", got)
	}
}

func TestWriteFailures(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c", []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &command{form: formOf(cluster.Release318)}
	want := result{"", "I/O error : No such file or directory\nI/O error : No such file or directory\nccs_tool: Error writing new config file none/c\n", 1}
	if got := play(c, "delvm", "-c", "c", "-o", "none/c", "old"); got != want {
		t.Errorf("into a missing folder: %+v; want %+v", got, want)
	}
	if err := os.MkdirAll("c.old/full", 0o700); err != nil {
		t.Fatal(err)
	}
	want = result{"", "ccs_tool: Can't move old config file out of the way\n\n", 1}
	if got := play(c, "delvm", "-c", "c", "old"); got != want {
		t.Errorf("with a folder as old file: %+v; want %+v", got, want)
	}
	if text, err := os.ReadFile("c"); err != nil || string(text) != two {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// Queries without cmand, without a path, and the parts of paths.
func TestQuery(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c", []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &command{form: formOf(cluster.Release318), conf: "c"}
	refuseConnections(t)
	if got := play(c, "query", "/cluster/@name"); got != (result{"", "Unable to connect to ccs\n", 1}) {
		t.Errorf("without cmand: %+v", got)
	}
	wiretest.Serve(t, &fakeCmand{running: two}, true)
	if got := play(c, "query", "-n"); got != (result{"", queryUsage, 1}) {
		t.Errorf("without a path: %+v", got)
	}
	const invalid, none = "Query failed: Invalid argument\n", "Query failed: No data available\n"
	for _, q := range []struct {
		path            string
		full, fullErr   string
		small, smallErr string
	}{
		{"/cluster/@name", "alpha", "", "alpha", ""},
		{"/cluster/clusternodes/clusternode[2]/@name", "n2", "", "n2", ""},
		{`/cluster/clusternodes/clusternode[@name="n2"]/@nodeid`, "2", "", "2", ""},
		{"//vm[@name='old']/@path", "/srv", "", "", invalid},
		{"//clusternode[last()]/@name", "n2", "", "", invalid},
		{"/cluster/rm/vm/@*", "name=old", "", "name=old", ""},
		{"/cluster/child::*[2]", "fencedevices=", "", "fencedevices=", ""},
		{"/cluster/fencedevices", "", none, "", invalid},
		{"/cluster/rm", "\n", "", "", invalid},
		{"/cluster/child::*", "clusternodes=\n", "", "clusternodes=", ""},
		{"count(//vm)", "", invalid, "", invalid},
		{"/cluster/@none", "", invalid, "", invalid},
		{"/other/@name", "", invalid, "", invalid},
		{"/cluster[", "", "XPath error : Invalid expression\n" + invalid, "", invalid},
		{"/", "", none, "", invalid},
	} {
		for _, lite := range []bool{false, true} {
			args, want := []string{"query", q.path}, result{q.full, q.fullErr, 0}
			if lite {
				args, want = []string{"query", "-n", q.path}, result{q.small, q.smallErr, 0}
			}
			if want.stdout != "" {
				want.stdout += "\n"
			} else {
				want.exit = 255
			}
			if got := play(c, args...); got != want {
				t.Errorf("ccs_tool %q = %+v; want %+v", args, got, want)
			}
		}
	}
	const edited = `<cluster name="edited" config_version="9"/>`
	if err := os.WriteFile("c", []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := play(c, "query", "/cluster/@name"); got.stdout != "alpha\n" {
		t.Errorf("of an edited file: %+v; want what is in force", got)
	}
	if got := play(c, "query", "/cluster/@name", "/cluster/@config_version"); got != (result{"alpha\nalpha\n", "", 0}) {
		t.Errorf("two paths: %+v; want the first, twice", got)
	}
}

// An address that is none changes nothing, and is no failure.
func TestAddressThatDoesNotResolve(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c", []byte(two), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &command{form: formOf(cluster.Release318)}
	if got := play(c, "addnodeids", "-c", "c", "-m", "not an address"); got != (result{"", "not an address is not a valid multicast address\n", 0}) {
		t.Errorf("addnodeids = %+v", got)
	}
	if text, err := os.ReadFile("c"); err != nil || string(text) != two {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if !resolves(t.Context(), "239.1.2.3") || !resolves(t.Context(), "ff05::1") {
		t.Error("addresses do not resolve")
	}
}

// A <cman> without <multicast> is left alone, and another one written, as the
// original did. Only the first is read afterwards, of which check warns.
func TestSecondCman(t *testing.T) {
	const one = `<cluster name="a" config_version="1"><cman two_node="0"/><clusternodes><clusternode name="n1" nodeid="1"/></clusternodes></cluster>`
	got := edited(t, one, "addnodeids", "-m", "239.1.2.3")
	if got.exit != 0 || got.stderr != "" || !strings.Contains(got.stdout, `<cman two_node="0"/>`) ||
		!strings.Contains(got.stdout, `<multicast addr="239.1.2.3"/>`) || strings.Count(got.stdout, "<cman") != 2 {
		t.Fatalf("addnodeids -m = %+v; want a second <cman>", got)
	}
	got = edited(t, got.stdout, "addnodeids", "-m", "239.1.2.4")
	if got.exit != 0 || strings.Count(got.stdout, "<cman") != 3 || !strings.Contains(got.stdout, "239.1.2.3") {
		t.Errorf("addnodeids -m again = %+v; want a third <cman>, for the first has no <multicast>", got)
	}
	if got := checked(t, got.stdout, nil, "check", "c"); !strings.Contains(got.stdout, ": warning: <cman> is given twice: only the first is read\n") {
		t.Errorf("check = %+v; want a warning", got)
	}
}
