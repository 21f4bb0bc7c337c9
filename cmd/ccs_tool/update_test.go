package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// fakeCmand answers every update alike.
type fakeCmand struct {
	wire.Backend
	answer wire.UpdateAnswer
	err    error
	broken bool
	took   chan string // file and text

	running  string // the configuration in force
	kept     map[int]string
	services []cluster.Service

	addresses []string // of node 1
}

func (f *fakeCmand) Membership(context.Context) (cluster.Membership, error) {
	return cluster.Membership{Nodes: []cluster.Voter{{ID: 1, Addresses: f.addresses}}}, nil
}

func (f *fakeCmand) Config(_ context.Context, version int) (wire.ConfigText, error) {
	text, ok := f.kept[version]
	switch {
	case version == 0:
		return wire.ConfigText{Text: []byte(f.running)}, nil
	case !ok:
		return wire.ConfigText{}, &wire.Refusal{Code: wire.NotKept, Words: "version 9 was not in force here, or too long ago"}
	}
	return wire.ConfigText{Version: version, Text: []byte(text)}, nil
}

func (f *fakeCmand) ConfigHistory(context.Context) ([]wire.ConfigEntry, error) {
	return []wire.ConfigEntry{
		{Version: 7, Since: 1262304000, Size: 2345, Nodes: 2, Services: 9},
		{Version: 8, Since: 1262307600, Node: "node1", Size: 2376, Nodes: 2, Services: 10, Changes: []string{"vm:new added", "vm:web: path /a -> /b"}, More: 3},
	}, nil
}

func (f *fakeCmand) Status(context.Context) (cluster.Status, error) {
	return cluster.Status{Services: f.services, Members: []cluster.Member{
		{Name: "node1", ID: 1, Online: true}, {Name: "node2", ID: 2}, {Name: "/dev/sdb1", Online: true},
	}}, nil
}

func (f *fakeCmand) Update(_ context.Context, file string, text []byte) (wire.UpdateAnswer, error) {
	f.took <- file + ": " + string(text)
	if f.broken {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	return f.answer, f.err
}

func ccsTool(args ...string) result {
	var stdout, stderr bytes.Buffer
	exit := run(append([]string{"ccs_tool"}, args...), strings.NewReader(""), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), exit}
}

const failed = "\nFailed to update config file.\n"

// The words are those that the original of RHEL 5 printed; @CWD@ is where it ran.
func TestUpdate(t *testing.T) {
	for name, c := range map[string]struct {
		answer wire.UpdateAnswer
		err    error
		broken bool
		want   result
	}{
		"done": {
			answer: wire.UpdateAnswer{From: 4, To: 5},
			want:   result{"Config file updated from version 4 to 5\n\nUpdate complete.\n", "", 0},
		},
		"done but for one member": {
			answer: wire.UpdateAnswer{From: 4, To: 5, Nodes: []wire.NodeProblem{{Node: "node2", Problem: "no space left on device"}}},
			want: result{"Config file updated from version 4 to 5\n\nUpdate complete.\n",
				"Unable to send msg to node2: no space left on device\n", 0},
		},
		"version is not greater": {
			answer: wire.UpdateAnswer{From: 5, To: 5, Problem: wire.VersionNotGreater(5, 5)},
			want: result{"", "Proposed updated config file does not have greater version number.\n" +
				"  Current config_version :: 5\n  Proposed config_version:: 5\n" + failed, 1},
		},
		"inquorate": {
			answer: wire.UpdateAnswer{From: 1, To: 5, Problem: wire.UpdateNeedsQuorum},
			want:   result{"", "Unable to honor update request. Cluster is not quorate.\n" + failed, 1},
		},
		"another one was faster": {
			answer: wire.UpdateAnswer{From: 1, To: 5, Problem: wire.LostRace(1, 5, 9)},
			want: result{"", "Warning:: Simultaneous update requests detected.\n  You have lost the race.\n" +
				"  Old config version :: 1\n  Proposed config version :: 5\n  Winning config version  :: 9\n\n" +
				"Check /etc/cluster/cluster.conf to ensure it contains the desired contents.\n" + failed, 1},
		},
		"every fault is named with its place": {
			answer: wire.UpdateAnswer{From: 1, Faults: []string{"new.conf:3:5: votes \"x\" is not a number", "new.conf:4:1: end tag"}},
			want:   result{"", "Unable to parse @CWD@/new.conf\nnew.conf:3:5: votes \"x\" is not a number\nnew.conf:4:1: end tag\n" + failed, 1},
		},
		"connection breaks": {
			broken: true,
			want: result{"", "No answer from the CCS daemon: Connection reset by peer\n" +
				"The update may or may not have been made.\n" + failed, 1},
		},
		"cmand fails": {
			err:  context.Canceled,
			want: result{"", "The CCS daemon refuses: context canceled\n" + failed, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			dir, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("new.conf", []byte("<cluster/>\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			fake := &fakeCmand{answer: c.answer, err: c.err, broken: c.broken, took: make(chan string, 1)}
			wiretest.Serve(t, fake, true)
			got := ccsTool("update", "new.conf")
			got.stderr = strings.ReplaceAll(got.stderr, dir, "@CWD@")
			if got != c.want {
				t.Errorf("ccs_tool update = %+v; want %+v", got, c.want)
			}
			if took := <-fake.took; took != "new.conf: <cluster/>\n" {
				t.Errorf("cmand was sent %q", took)
			}
		})
	}
}

func TestUpdateThatIsNotSent(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("new.conf", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CMAND_SOCKET", filepath.Join(t.TempDir(), "none"))
	want := result{"", "Unable to connect to the CCS daemon: No such file or directory\n" + failed, 1}
	if got := ccsTool("update", "new.conf"); got != want {
		t.Errorf("without cmand: %+v; want %+v", got, want)
	}
	wiretest.Serve(t, &fakeCmand{}, false)
	want = result{"", "The CCS daemon refuses: Permission denied\n" + failed, 1}
	if got := ccsTool("update", "new.conf"); got != want {
		t.Errorf("as an ordinary user: %+v; want %+v", got, want)
	}
	want = result{"", "/none.conf: No such file or directory\nUnable to parse /none.conf\n" + failed, 1}
	if got := ccsTool("update", "/none.conf"); got != want {
		t.Errorf("without a file: %+v; want %+v", got, want)
	}
	const tooFew = "Too few arguments.\nTry 'ccs_tool help' for help.\n"
	for _, args := range [][]string{{"update"}, {"-verbose"}, {"-verbose", "update"}} {
		if got := ccsTool(args...); got != (result{"", tooFew, 1}) {
			t.Errorf("ccs_tool %q = %+v; want %q", args, got, tooFew)
		}
	}
}

// Each member is named for each time that it was asked: to store the text, and
// to take it into use.
func TestVerboseNamesMembersOnline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const four, six = "Processing node: node1\n family: ipv4\n address: 10.0.0.1\n", "Processing node: node1\n family: ipv6\n address: fd00::1\n"
	for _, c := range []struct {
		fact    string
		answer  wire.UpdateAnswer
		address []string
		want    string // on stdout
	}{
		{"done", wire.UpdateAnswer{From: 1, To: 2}, []string{"10.0.0.1", "10.1.0.1"}, four + four + "Config file updated from version 1 to 2\n\nUpdate complete.\n"},
		{"by the newer protocol", wire.UpdateAnswer{From: 1, To: 2}, []string{"fd00::1"}, six + six + "Config file updated from version 1 to 2\n\nUpdate complete.\n"},
		{"an address that is not known", wire.UpdateAnswer{From: 1, To: 2}, nil,
			strings.Repeat("Processing node: node1\n", 2) + "Config file updated from version 1 to 2\n\nUpdate complete.\n"},
		{"another one was faster", wire.UpdateAnswer{From: 1, To: 2, Problem: wire.LostRace(1, 2, 3)}, []string{"10.0.0.1"}, four + four},
		{"a disk is full", wire.UpdateAnswer{From: 1, To: 2, Problem: "no", Nodes: []wire.NodeProblem{{Node: "node1", Problem: "full"}}}, []string{"10.0.0.1"}, four},
		{"nobody was asked", wire.UpdateAnswer{From: 2, To: 2, Problem: wire.VersionNotGreater(2, 2)}, []string{"10.0.0.1"}, ""},
		{"the text is wrong", wire.UpdateAnswer{Faults: []string{"new.conf:1:1: no"}}, []string{"10.0.0.1"}, ""},
	} {
		t.Run(c.fact, func(t *testing.T) {
			wiretest.Serve(t, &fakeCmand{answer: c.answer, addresses: c.address, took: make(chan string, 1)}, true)
			if got := ccsTool("-verbose", "update", file); got.stdout != c.want {
				t.Errorf("ccs_tool -verbose update = %+v; want %q", got, c.want)
			}
		})
	}
}

func TestFirstWord(t *testing.T) {
	for _, args := range [][]string{nil, {"-h"}, {"help"}, {"-verbose", "help"}} {
		if got := ccsTool(args...); got != (result{usage, "", 0}) {
			t.Errorf("ccs_tool %q = %+v; want the usage", args, got)
		}
	}
	for _, word := range []string{"frobnicate", "-x", "--help", "Update", ""} {
		if got := ccsTool(word); got != (result{"", "Unknown command, " + word + ".\nTry 'ccs_tool help' for help.\n", 1}) {
			t.Errorf("ccs_tool %q = %+v; want it unknown", word, got)
		}
	}
	if got := ccsTool("-V"); got != (result{"ccs_tool " + version + "\n", "", 0}) {
		t.Errorf("ccs_tool -V = %+v; want the version", got)
	}
}
