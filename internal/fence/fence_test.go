package fence_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fangnetz/internal/conf"
	"fangnetz/internal/fence"
)

// attrs makes attributes of k=v words.
func attrs(words ...string) []conf.Attr {
	var list []conf.Attr
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		list = append(list, conf.Attr{Key: k, Value: v})
	}
	return list
}

func device(name string, words ...string) conf.Device {
	return conf.Device{Name: name, Attrs: attrs(words...)}
}

func method(name string, devices ...conf.Device) conf.FenceMethod {
	return conf.FenceMethod{Name: name, Devices: devices}
}

// config has node1 with the given methods, the fake agent as device "fake",
// and some devices that cannot work.
func config(methods ...conf.FenceMethod) *conf.Config {
	return &conf.Config{
		Nodes: []conf.Node{{Name: "node1.example.com", ID: 1, Fence: methods}},
		FenceDevices: []conf.FenceDevice{
			{Name: "fake", Agent: "fence_fake", Attrs: attrs("agent=fence_fake", "login=admin", "passwd=s3cret'\"x")},
			{Name: "human", Agent: "/sbin/fence_manual", Attrs: attrs("agent=/sbin/fence_manual")},
			{Name: "absent", Agent: "fence_absent", Attrs: attrs("agent=fence_absent")},
			{Name: "agentless"},
		},
	}
}

// fencer finds the fake agents first, then the shell's tools.
func fencer(t *testing.T) *fence.Fencer {
	bin, err := filepath.Abs("../../testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	return &fence.Fencer{Path: bin + ":/usr/bin:/bin"}
}

func TestMethodsAreFallbacks(t *testing.T) {
	good, bad := device("fake"), device("fake", "status=1")
	for name, c := range map[string]struct {
		methods []conf.FenceMethod
		runs    string // method of each attempt, - when it failed
		err     string // part of the error, empty: success
	}{
		"first method suffices":                {[]conf.FenceMethod{method("a", good), method("b", good)}, "a", ""},
		"second method after the first":        {[]conf.FenceMethod{method("a", bad), method("b", good)}, "-a b", ""},
		"all devices of a method":              {[]conf.FenceMethod{method("a", good, good, good)}, "a a a", ""},
		"failing device abandons its method":   {[]conf.FenceMethod{method("a", good, bad, good), method("b", good)}, "a -a b", ""},
		"last method's failure is the error":   {[]conf.FenceMethod{method("a", bad), method("b", device("fake", "status=7"))}, "-a -b", `method "b", device "fake", agent fence_fake: exit status 7`},
		"no method":                            {nil, "", "cannot fence node1.example.com: no fence method is defined"},
		"method without device fails":          {[]conf.FenceMethod{method("a")}, "", `method "a" has no device`},
		"method without device has a fallback": {[]conf.FenceMethod{method("a"), method("b", good)}, "b", ""},
		"unknown device fails":                 {[]conf.FenceMethod{method("a", device("x"))}, "-a", `method "a": fencedevice "x" is not defined`},
		"device without agent fails":           {[]conf.FenceMethod{method("a", device("agentless"))}, "-a", `fencedevice "agentless" has no agent`},
		"agent that is not installed fails":    {[]conf.FenceMethod{method("a", device("absent"))}, "-a", "agent fence_absent: not found in /"},
		"manual waits for the administrator":   {[]conf.FenceMethod{method("a", bad), method("b", device("human")), method("c", good)}, "-a -b", "waiting for fence_ack_manual"},
		"line break in a value is refused":     {[]conf.FenceMethod{method("a", device("fake", "port=1\naction=on"))}, "-a", `the value of "port" holds a line break`},
		"agent killed by a signal fails":       {[]conf.FenceMethod{method("a", device("fake", "status=$(kill -9 $$)")), method("b", good)}, "-a b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rep, err := fencer(t).Node(t.Context(), config(c.methods...), 1)
			var runs []string
			for _, a := range rep.Attempts {
				mark := a.Method
				if a.Err != nil {
					mark = "-" + mark
				}
				runs = append(runs, mark)
			}
			if got := strings.Join(runs, " "); got != c.runs {
				t.Errorf("attempts = %q; want %q", got, c.runs)
			}
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("Node = %v; want %q", err, c.err)
			}
		})
	}
}

func TestErrorsTellWhatToDo(t *testing.T) {
	_, err := fencer(t).Node(t.Context(), config(), 1)
	if !errors.Is(err, fence.ErrUndefined) {
		t.Errorf("Node without methods = %v; want ErrUndefined", err)
	}
	_, err = fencer(t).Node(t.Context(), config(method("a", device("human"))), 1)
	if !errors.Is(err, fence.ErrManual) {
		t.Errorf("Node with fence_manual = %v; want ErrManual", err)
	}
	_, err = fencer(t).Node(t.Context(), config(method("a", device("fake", "status=3"))), 1)
	if e, ok := errors.AsType[*fence.AgentError](err); !ok || e.Status != 3 || e.Method != "a" || e.Device != "fake" || e.Agent != "fence_fake" {
		t.Errorf("Node = %#v; want an AgentError with status 3 of a, fake, fence_fake", err)
	}
	if _, err := fencer(t).Node(t.Context(), config(), 9); err == nil {
		t.Error("Node of an unknown node = nil; want an error")
	}
}

// (cman, "Fencing semantics"): device, then nodename, then fencedevice.
func TestArgumentsArriveOnStandardInput(t *testing.T) {
	const shared = "agent=fence_fake\nlogin=admin\npasswd=s3cret'\"x\n"
	for name, c := range map[string]struct{ device, want string }{
		"nodename is added":         {"port=4 action=off", "port=4\naction=off\nnodename=node1.example.com\n" + shared},
		"nodename given is kept":    {"nodename=plug7", "nodename=plug7\n" + shared},
		"what comes twice is twice": {"login=other", "login=other\nnodename=node1.example.com\n" + shared},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "record")
			dev := device("fake", append(strings.Fields(c.device), "record="+file)...)
			if _, err := fencer(t).Node(t.Context(), config(method("a", dev)), 1); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, argv, _ := strings.Cut(string(b), "argv:")
			if got := strings.Replace(input, "record="+file+"\n", "", 1); got != c.want {
				t.Errorf("agent read (-want +got):\n%s", cmp.Diff(c.want, got))
			}
			if !strings.HasSuffix(argv, "/fence_fake \n") || strings.Contains(argv, "s3cret") {
				t.Errorf("agent's command line = %q; want its name alone", argv)
			}
		})
	}
}

func TestSecretsAreTakenOutOfErrors(t *testing.T) {
	dev := device("fake", "echo=yes", "status=1", "snmp_priv_passwd=hid den", "community=*", "passwd_script=/etc/pw.sh")
	rep, err := fencer(t).Node(t.Context(), config(method("a", dev)), 1)
	text := fmt.Sprint(err) + fmt.Sprintf("%+v", rep)
	for _, s := range []string{"s3cret", "hid den", "community=*\n"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is shown in %s", s, text)
		}
	}
	for _, s := range []string{"cannot log in", "login=admin", "passwd=***", "snmp_priv_passwd=***", "passwd_script=/etc/pw.sh"} {
		if !strings.Contains(text, s) {
			t.Errorf("%q is missing in %s", s, text)
		}
	}
}

func TestHangingAgentIsKilledWithItsChildren(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	dev := device("fake", "hang="+pids)
	t.Run("by its time limit", func(t *testing.T) {
		f := fencer(t)
		f.Timeout = 3 * time.Second
		_, err := f.Node(t.Context(), config(method("a", dev), method("b", device("fake"))), 1)
		if err != nil {
			t.Errorf("Node = %v; want success of the second method", err)
		}
		wantGone(t, pids)
	})
	t.Run("by its caller", func(t *testing.T) {
		os.Remove(pids)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(pids); err == nil {
					cancel(errors.New("node1 is back"))
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		rep, err := fencer(t).Node(ctx, config(method("a", dev), method("b", device("fake"))), 1)
		if err == nil || !strings.Contains(err.Error(), "node1 is back") || len(rep.Attempts) != 1 {
			t.Errorf("Node = %v after %d attempts; want the cause after one", err, len(rep.Attempts))
		}
		wantGone(t, pids)
	})
}

// wantGone waits until none of the processes in file runs any more.
func wantGone(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pids [2]int
	if n, err := fmt.Sscan(string(b), &pids[0], &pids[1]); n != 2 {
		t.Fatal(err)
	}
	for _, pid := range pids {
		for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("process %d still runs", pid)
				syscall.Kill(pid, syscall.SIGKILL)
				break
			}
		}
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestUnfenceRunsAllDevices(t *testing.T) {
	cfg := config()
	if rep, err := fencer(t).Unfence(t.Context(), cfg, 1); err != nil || len(rep.Attempts) != 0 {
		t.Errorf("Unfence without devices = %v, %v; want success", rep, err)
	}
	cfg.Nodes[0].Unfence = []conf.Device{device("fake", "status=1"), device("fake", "action=on")}
	rep, err := fencer(t).Unfence(t.Context(), cfg, 1)
	if err == nil || len(rep.Attempts) != 2 || rep.Attempts[0].Err == nil || rep.Attempts[1].Err != nil {
		t.Errorf("Unfence = %+v, %v; want both run and a failure", rep, err)
	}
}
