package conf

import (
	"slices"
	"strings"
	"testing"
)

const base = `<cluster name="a" config_version="1">
  <cman expected_votes="2"/><totem token="10000" join="60"/>
  <clusternodes>
    <clusternode name="n1" nodeid="1"><fence><method name="1"><device name="bmc1" port="1"/></method></fence></clusternode>
    <clusternode name="n2" nodeid="2"/>
  </clusternodes>
  <fencedevices><fencedevice name="bmc1" agent="fence_x" ipaddr="10.0.0.1" passwd="secret1"/></fencedevices>
  <rm>
    <failoverdomains><failoverdomain name="first"><failoverdomainnode name="n1" priority="1"/></failoverdomain></failoverdomains>
    <vm name="web" path="/a" status_program="check -p secret2"/>
    <service name="db"><ip ref="10.0.0.9"/></service>
  </rm>
</cluster>`

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		fact, from, to string
		want           string // joined by |
	}{
		{"nothing", "", "", ""},
		{"the version is not told", `config_version="1"`, `config_version="2"`, ""},
		{"a default written out is none", `<vm name="web"`, `<vm autostart="1" name="web"`, ""},
		{"blanks and comments are none", `<rm>`, "<!-- x -->\n\n<rm>", ""},
		{"machine in a domain", `<vm name="web"`, `<vm name="web" domain="first"`, "vm:web: domain (none) -> first"},
		{"machine found elsewhere", `path="/a"`, `path="/b"`, "vm:web: path /a -> /b"},
		{"command with a secret", `check -p secret2`, `check -p secret3`, "vm:web: status_program changed"},
		{"machine removed", `<vm name="web" path="/a" status_program="check -p secret2"/>`, ``, "vm:web removed"},
		{"machine added", `<vm name="web"`, `<vm name="new"/><vm name="web"`, "vm:new added"},
		{"machine renamed", `<vm name="web"`, `<vm name="www"`, "vm:web removed|vm:www added"},
		{"resource of a service", `<ip ref="10.0.0.9"/>`, `<ip ref="10.0.0.8"/>`, "service:db: resources changed"},
		{"time-out of a machine", `status_program="check -p secret2"/>`, `status_program="check -p secret2"><action name="stop" timeout="3m"/></vm>`,
			"vm:web: stop timeout 120 -> 180"},
		{"node added", `<clusternode name="n2"`, `<clusternode name="n3" nodeid="3"/><clusternode name="n2"`, "node n3 added"},
		{"votes", `name="n2" nodeid="2"`, `name="n2" nodeid="2" votes="3"`, "node n2: votes 1 -> 3"},
		{"another device", `<device name="bmc1" port="1"/>`, `<device name="bmc1" port="1"/><device name="bmc2"/>`, "node n1: fence bmc1 -> bmc1+bmc2"},
		{"another plug", `port="1"`, `port="2"`, "node n1: fence changed"},
		{"password", `passwd="secret1"`, `passwd="secret4"`, "fencedevice bmc1: passwd changed"},
		{"password removed", `passwd="secret1"`, ``, "fencedevice bmc1: passwd removed"},
		{"password added", `ipaddr="10.0.0.1"`, `ipaddr="10.0.0.1" password="secret4"`, "fencedevice bmc1: password added"},
		{"address", `10.0.0.1`, `10.0.0.2`, "fencedevice bmc1: ipaddr 10.0.0.1 -> 10.0.0.2"},
		{"token", `token="10000"`, `token="30000"`, "totem: token 10000 -> 30000"},
		{"what corosync is told", `join="60"`, `join="70"`, "totem: join changed"},
		{"two nodes", `expected_votes="2"`, `expected_votes="1" two_node="1"`, "cman: two_node 0 -> 1|cman: expected_votes 2 -> 1"},
		{"domain", `priority="1"`, `priority="2"`, "failoverdomain first: nodes n1=1 -> n1=2"},
		{"limits", `<rm>`, `<rm max_starts="9">`, "rm: max_starts 4 -> 9"},
		{"what is not read", `<rm>`, `<logging debug="on"/><rm>`, "<logging> added"},
		{"defaults of all machines", `<vm name="web"`, `<resource-defaults><vm migrate="pause"/></resource-defaults><vm name="web"`,
			"vm:web: migrate live -> pause|<resource-defaults> added"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			before, err := Parse("c", []byte(base))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(base, c.from) {
				t.Fatalf("no %q in the text", c.from)
			}
			after, err := Parse("c", []byte(strings.Replace(base, c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, ch := range Diff(before, after) {
				got = append(got, ch.String())
			}
			text := strings.Join(got, "|")
			if text != c.want {
				t.Errorf("Diff = %q; want %q", text, c.want)
			}
			if strings.Contains(text, "secret") {
				t.Errorf("Diff tells a secret: %q", text)
			}
		})
	}
}

// Policies take effect at once, the rest when the machine is next started or
// migrated; only one that is gone is stopped.
func TestEffects(t *testing.T) {
	before, err := Parse("c", []byte(base))
	if err != nil {
		t.Fatal(err)
	}
	after, err := Parse("c", []byte(strings.NewReplacer(`<vm name="web" path="/a"`, `<vm name="new"/><vm name="web" recovery="disable" migrate="pause" path="/b"`,
		`<service name="db"><ip ref="10.0.0.9"/></service>`, "", `token="10000"`, `token="20000"`).Replace(base)))
	if err != nil {
		t.Fatal(err)
	}
	got := Diff(before, after)
	want := []Change{
		{"service:db", "removed", "service:db", Removed},
		{"totem", "token 10000 -> 20000", "", 0},
		{"vm:new", "added", "vm:new", Added},
		{"vm:web", "recovery restart -> disable", "vm:web", AtOnce},
		{"vm:web", "path /a -> /b", "vm:web", NextStart},
		{"vm:web", "migrate live -> pause", "vm:web", NextMigration},
	}
	if !slices.Equal(got, want) {
		t.Errorf("Diff = %v; want %v", got, want)
	}
}

// No panic; no difference one way is none the other way; of a password it is
// told that it changed, and no more.
func FuzzDiff(f *testing.F) {
	f.Add(base, strings.Replace(base, "secret1", "secret4", 1))
	f.Add(base, strings.Replace(base, `<vm name="web"`, `<vm name="www" domain="first"`, 1))
	f.Add(two(""), two(`<vm name="v"><action name="start" timeout="1m"/></vm>`))
	f.Fuzz(func(t *testing.T, a, b string) {
		before, err := Parse("a", []byte(a))
		if err != nil {
			return
		}
		after, err := Parse("b", []byte(b))
		if err != nil {
			return
		}
		there, back := Diff(before, after), Diff(after, before)
		if (len(there) == 0) != (len(back) == 0) {
			t.Errorf("one way %v, the other way %v", there, back)
		}
		for _, c := range there {
			if words := strings.Fields(c.Text); strings.HasPrefix(c.Subject, "fencedevice ") && words[0] == "passwd" && len(words) > 2 {
				t.Errorf("%v tells a password", c)
			}
		}
	})
}
