package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// moving is a fake cmand that is half-way through a migration until it was
// watched.
type moving struct {
	fakeCmand
	watched chan bool
}

func (m *moving) Act(context.Context, wire.Action) (wire.Answer, error) {
	select {
	case <-m.watched:
	case <-time.After(200 * time.Millisecond): // nobody watches
	}
	return wire.Answer{Owner: 2}, nil
}

func (m *moving) Watch(ctx context.Context, emit func(wire.Event) error) error {
	err := emit(wire.Event{Migrations: []wire.Migration{{Service: "vm:web", From: 1, To: 2,
		Progress: cluster.Progress{Total: 400 << 20, Remaining: 100 << 20, Rate: 50 << 20, Downtime: 0.04}}}})
	time.Sleep(20 * time.Millisecond) // until it is read
	close(m.watched)
	<-ctx.Done()
	return err
}

const migrated = "Trying to migrate vm:web to node2..."

func (m *moving) begin(t *testing.T) {
	m.Rgmanager.Reachable = true
	m.Nodes = append(m.Nodes, struct {
		Name   string
		ID     cluster.NodeID
		Online bool
		Local  bool
	}{"node2", 2, true, false})
	m.watched = make(chan bool)
	wiretest.Serve(t, m, true)
}

func TestMigrationIsFollowedOnATerminal(t *testing.T) {
	m := new(moving)
	m.begin(t)
	master, slave := terminal(t)
	c := fixed()
	c.stdout = slave
	if status := c.run(t.Context(), []string{"clusvcadm", "-M", "vm:web", "-m", "node2"}); status != 0 {
		t.Errorf("exit status %d", status)
	}
	slave.Close()
	seen, _ := io.ReadAll(master) // ends in an error, when the other end is closed
	want := migrated + "\r\n\r\x1b[K 75 %, 50 MiB/s, 100 MiB remaining, paused 40 ms" +
		fmt.Sprintf("\r\x1b[K\x1b[A\x1b[%dG", len(migrated)+1) + "Success\r\n"
	if got := string(seen); got != want {
		t.Errorf("on a terminal: %q\nwant           %q", got, want)
	}
}

func TestMigrationIsNotFollowedInAPipe(t *testing.T) {
	m := new(moving)
	m.begin(t)
	if got := runAs(fixed(), "-M", "vm:web", "-m", "node2"); got != (result{migrated + "Success\n", "", 0}) {
		t.Errorf("in a pipe: %+v", got)
	}
	select {
	case <-m.watched:
		t.Error("cmand was watched for nobody to see")
	default:
	}
}

// leaving is a fake cmand that drains node 1 of a machine.
type leaving struct{ moving }

func (l *leaving) Status(context.Context) (cluster.Status, error) {
	st, err := l.fakeCmand.Status(context.Background())
	st.Services = []cluster.Service{{Name: "vm:web", State: cluster.Started, Owner: 1}}
	select {
	case <-l.watched:
		st.Services[0].Owner = 2
	default:
	}
	return st, err
}

func TestDrainIsFollowedOnATerminal(t *testing.T) {
	l := new(leaving)
	l.Nodes = append(l.Nodes, struct {
		Name   string
		ID     cluster.NodeID
		Online bool
		Local  bool
	}{"node1", 1, true, true})
	l.Rgmanager.Reachable = true
	l.watched = make(chan bool)
	wiretest.Serve(t, l, true)
	master, slave := terminal(t)
	c := fixed()
	c.stdout = slave
	if status := c.run(t.Context(), []string{"clusvcadm", "--drain", "node1"}); status != 0 {
		t.Errorf("exit status %d", status)
	}
	slave.Close()
	seen, _ := io.ReadAll(master) // ends in an error, when the other end is closed
	const clear = "\r\x1b[K"
	want := "Draining node1: 1 service runs there\r\n" +
		clear + "vm:web is migrating from node1 to (null)\r\nvm:web 75 %" + clear +
		clear + "vm:web is now running on (null), 0 left\r\n" + clear +
		"node1 is drained: nothing is started there until it is undrained\r\n"
	if got := string(seen); got != want {
		t.Errorf("on a terminal: %q\nwant           %q", got, want)
	}
}

// objecting is a fake cmand that refuses, and says why.
type objecting struct{ fakeCmand }

func (*objecting) Act(context.Context, wire.Action) (wire.Answer, error) {
	return wire.Answer{Result: cluster.InvalidOperation, Problem: "it is disabled"}, nil
}

// A person is told why; a script hears what the original said.
func TestRefusalIsExplainedOnATerminal(t *testing.T) {
	o := new(objecting)
	o.Rgmanager.Reachable = true
	wiretest.Serve(t, o, true)
	const words = "Trying to relocate service:web...Invalid operation for resource\n"
	if got := runAs(fixed(), "-r", "web"); got != (result{words, "", 248}) {
		t.Errorf("in a pipe: %+v", got)
	}
	for _, form := range []form{formOf(cluster.Release318), formOf(cluster.Release2)} {
		master, slave := terminal(t)
		c := fixed()
		c.stdout, c.stderr, c.form = io.Discard, slave, form
		c.run(t.Context(), []string{"clusvcadm", "-r", "web"})
		slave.Close()
		want := ""
		if form.release == cluster.Release318 {
			want = "it is disabled\r\n"
		}
		if seen, _ := io.ReadAll(master); string(seen) != want {
			t.Errorf("release %d, on a terminal: %q; want %q", form.release, seen, want)
		}
	}
}

func TestProgressWords(t *testing.T) {
	if got := describe(cluster.Progress{}); !strings.HasPrefix(got, "  0 %,") {
		t.Errorf("before the first reading: %q", got)
	}
}

// terminal returns both ends of a new terminal of 80 columns.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}
