package conf

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDomains(t *testing.T) {
	for _, test := range []struct {
		name, xml string
		want      []FailoverDomain
	}{
		{"flags are numbers", `<failoverdomain name="d" ordered="2" restricted="-1" nofailback="yes"/>`,
			[]FailoverDomain{{Name: "d", Ordered: true, Restricted: true}}},
		{"a node given twice ends the domain", `<failoverdomain name="d"><failoverdomainnode name="n1" priority="2"/>` +
			`<failoverdomainnode name="n1"/><failoverdomainnode name="n2"/></failoverdomain><failoverdomain name="e"/>`,
			[]FailoverDomain{{Name: "d", Members: []DomainMember{{"n1", 2}}}, {Name: "e"}}},
		{"a domain given twice ends them all", `<failoverdomain name="d"/><failoverdomain name="D" ordered="1"/><failoverdomain name="e"/>`,
			[]FailoverDomain{{Name: "d"}}},
		{"priorities out of range count as 0", `<failoverdomain name="d"><failoverdomainnode name="n1" priority="101"/>` +
			`<failoverdomainnode name="n2" priority="abc"/><failoverdomainnode name="n3" priority="-3"/>` +
			`<failoverdomainnode name="n4" priority="100"/><failoverdomainnode name="n5" priority="1x"/></failoverdomain>`,
			[]FailoverDomain{{Name: "d", Members: []DomainMember{{"n1", 0}, {"n2", 0}, {"n3", 0}, {"n4", 100}, {"n5", 1}}}}},
		{"an unknown node stays", `<failoverdomain name="d"><failoverdomainnode name="x"/></failoverdomain>`,
			[]FailoverDomain{{Name: "d", Members: []DomainMember{{"x", 0}}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, _ := parse(t, two("<failoverdomains>"+test.xml+"</failoverdomains>")).Config()
			if diff := cmp.Diff(test.want, c.Domains); diff != "" {
				t.Errorf("domains (-want +got):\n%s", diff)
			}
		})
	}
}

// The original's answers for autostart (golden placement cases) and exclusive.
func TestAutostartAndExclusive(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "0": false, "no": false, "2": true, "yes": false, "abc": false, "": false} {
		c, _ := parse(t, two(`<service name="s" autostart="`+value+`"/>`)).Config()
		if got := c.Services[0].Autostart; got != want {
			t.Errorf("autostart=%q gives %v, want %v", value, got, want)
		}
	}
	for value, want := range map[string]int{"yes": 1, "no": 0, "0": 0, "1": 1, "3": 3, "-1": 0, "abc": 0, "": 0} {
		c, _ := parse(t, two(`<service name="s" exclusive="`+value+`"/>`)).Config()
		if got := c.Services[0].Exclusive; got != want {
			t.Errorf("exclusive=%q gives %d, want %d", value, got, want)
		}
	}
}

func TestServices(t *testing.T) {
	names := func(c *Config) (list []string) {
		for _, s := range c.Services {
			list = append(list, s.FullName())
		}
		return list
	}
	c, _ := parse(t, two(`<resources><vm name="shared" migrate="pause" domain="d"/><service name="v"/></resources>`+
		`<service name="a"/><vm ref="shared" migrate="live"/><vm ref="none"/><vm name="a" no_kill="1"/><vm name="a"/><vm/><group name="g"/>`+
		`<service name="z"><vm name="inner"/></service>`)).Config()
	if diff := cmp.Diff([]string{"service:a", "vm:shared", "vm:a", "service:z"}, names(c)); diff != "" {
		t.Fatalf("services (-want +got):\n%s", diff)
	}
	if s := c.Service("vm:shared"); s.VM.Migrate != "pause" || s.Domain != "d" {
		t.Errorf("attributes beside ref count: %+v", s.VM)
	}
	if !c.Service("vm:a").VM.NoKill {
		t.Error("of two vm:a the second was read")
	}
	if s := c.Service("service:z"); !s.Children || s.VM != nil {
		t.Errorf("service:z = %+v; want children and no VM", s)
	}
	if c.Service("vm:none") != nil {
		t.Error("vm:none exists")
	}
}

func TestResourceDefaults(t *testing.T) {
	c, faults := parse(t, two(`<resource-defaults><vm migrate="pause" max_restarts="2" hypervisor="qemu"/><service restart_expire_time="1w"/></resource-defaults>`+
		`<vm name="a"/><vm name="b" migrate="live"/><service name="s"/>`)).Config()
	if len(faults) > 0 {
		t.Errorf("faults:\n%v", faults)
	}
	a, b, s := c.Service("vm:a"), c.Service("vm:b"), c.Service("service:s")
	if a.VM.Migrate != "pause" || a.MaxRestarts != 2 || b.VM.Migrate != "live" || b.VM.Hypervisor != "qemu" {
		t.Errorf("vm:a = %+v, vm:b = %+v", a.VM, b.VM)
	}
	if a.VM == b.VM {
		t.Error("two machines share their attributes")
	}
	if s.RestartExpire != 7*24*time.Hour || s.MaxRestarts != 0 || a.RestartExpire != 0 {
		t.Errorf("service:s = %+v", s)
	}
}
