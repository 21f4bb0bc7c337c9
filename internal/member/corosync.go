package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fangnetz/internal/cluster"
)

// Options say where corosync lives.
type Options struct {
	RunDir   string // for corosync.conf and the key: /run/cluster
	LogFile  string // corosync's: /var/log/cluster/corosync.log
	Corosync string // program: corosync
	Settings Settings
}

func (o Options) conf() string { return filepath.Join(o.RunDir, "corosync.conf") }
func (o Options) key() string  { return filepath.Join(o.RunDir, "authkey") }

// LostError says that corosync ended or stopped answering under us: the node
// is not a member any more, whatever the others think.
type LostError struct{ Reason string }

func (e *LostError) Error() string { return e.Reason }

// Corosync is the channel over corosync's closed process groups, with the
// verdict of votequorum. Its methods may be called from several goroutines.
type Corosync struct {
	opts  Options
	child *child // nil when corosync was running already
	lib   *library
	seq   *sequencer // owned by dispatch

	queue    *queue[cluster.Delivery]
	verdicts *queue[verdict] // to be multicast
	left     chan struct{}   // closed when our own clean departure was delivered
	ended    chan struct{}   // closed when dispatch has ended; err is set
	err      error
	stop     func() // ends the goroutines and waits for them
	once     sync.Once
	wg       sync.WaitGroup

	turn    chan struct{} // held by the one message on its way
	mu      sync.Mutex
	number  uint64       // of the last message of several parts
	outcome chan outcome // of that message; nil when none is on its way
}

// outcome is what became of a message of several parts: delivered, or cut by
// a View and to be sent again.
type outcome struct{ done bool }

// Start brings up corosync with what Settings say, or takes over the one that
// an earlier cmand left behind, and joins the channel. The first delivery is
// the View that this node is a member of.
//
// corosync goes on when this process ends; Stop ends it. One that runs on
// this host with another configuration file is an error.
func Start(ctx context.Context, o Options) (*Corosync, error) {
	o.RunDir = cmp.Or(o.RunDir, "/run/cluster")
	o.LogFile = cmp.Or(o.LogFile, "/var/log/cluster/corosync.log")
	o.Corosync = cmp.Or(o.Corosync, "corosync")

	// corosync reads its file again on a reload, from another folder.
	var err error
	if o.RunDir, err = filepath.Abs(o.RunDir); err != nil {
		return nil, err
	}

	pid, err := running()
	if err != nil {
		return nil, err
	}
	if pid != 0 && !ours(pid, o.conf()) {
		return nil, fmt.Errorf("corosync runs already, as process %d, with a configuration that is not ours: stop it and disable its service", pid)
	}
	if err := o.files(ctx); err != nil {
		return nil, err
	}
	c := &Corosync{
		opts:     o,
		queue:    newQueue[cluster.Delivery](),
		verdicts: newQueue[verdict](),
		left:     make(chan struct{}),
		ended:    make(chan struct{}),
		turn:     make(chan struct{}, 1),
	}
	if pid == 0 {
		if c.child, err = spawn(o); err != nil {
			return nil, err
		}
	}
	// libcorosync waits for answers without end: a corosync that hangs must
	// not take us with it.
	begun := make(chan error, 1)
	go func() { begun <- c.begin(ctx) }()
	select {
	case err = <-begun:
	case <-ctx.Done():
		err = fmt.Errorf("corosync does not answer: %w", context.Cause(ctx))
	}
	if err == nil {
		return c, nil
	}
	return nil, errors.Join(err, c.child.terminate(ctx))
}

// begin connects, joins and serves.
func (c *Corosync) begin(ctx context.Context) (err error) {
	if err := c.connect(ctx); err != nil {
		return err
	}
	if c.child == nil {
		err = reload(ctx) // the cmand before us may have died before it could
	} else {
		err = c.settle(ctx)
	}
	if err == nil {
		err = c.join(ctx)
	}
	if err == nil {
		err = context.Cause(ctx) // nobody waits any more
	}
	if err == nil {
		err = c.serve()
	}
	if err != nil {
		c.lib.close()
	}
	return err
}

// connect waits until corosync answers, and makes sure that it is what
// Settings speak of.
func (c *Corosync) connect(ctx context.Context) error {
	err := retry(ctx, func() (err error) {
		if c.child != nil {
			select {
			case <-c.child.ended:
				return fmt.Errorf("corosync did not start: %v: %s", c.child.cmd.ProcessState, lastWords(c.opts.LogFile))
			default:
			}
		}
		c.lib, err = open(c)
		return err
	}, func(err error) bool { return errors.As(err, new(csError)) })
	if err != nil {
		return fmt.Errorf("cannot connect to corosync: %w", err)
	}
	name, err := clusterName()
	switch want := c.opts.Settings; {
	case err != nil:
		err = fmt.Errorf("cannot ask corosync for its cluster: %v", err)
	case name != want.Name:
		err = fmt.Errorf("corosync is in cluster %q, not in %q: stop it before the cluster changes its name", name, want.Name)
	case c.lib.local != want.Local:
		err = fmt.Errorf("corosync took this host for node %d, not %d: look for host name and addresses in the node list", c.lib.local, want.Local)
	}
	if err != nil {
		c.lib.close()
	}
	return err
}

// settle waits until a corosync that has just started has found the nodes that
// are there. One that answers, and stays outside our ring, is in a ring with
// nodes that our list does not have, or does not list us: our cluster.conf is
// not the cluster's. Alone with such a file this node might be quorate, and
// fence a member of the true cluster.
func (c *Corosync) settle(ctx context.Context) error {
	set := c.opts.Settings
	if set.transport() != "knet" {
		return nil // nobody says who answers
	}
	// knet asks four times a token and takes a node for reached after two
	// answers.
	listen := cmp.Or(set.Token, 3*time.Second)
	for began := time.Now(); ; {
		nodes, err := presences(set.Nodes)
		if err != nil {
			return fmt.Errorf("cannot ask corosync who is there: %w", err)
		}
		missing, outside := 0, ""
		for i, n := range set.Nodes {
			if !nodes[i].joined {
				missing++
			}
			if nodes[i].reached && !nodes[i].joined && n.ID != set.Local {
				outside = n.Name
			}
		}
		switch waited := time.Since(began); {
		case missing == 0, outside == "" && waited > listen:
			return nil
		case waited > c.patience():
			return fmt.Errorf("%s answers, but not in the ring of this node: its cluster.conf is another; copy it from there", outside)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.child.ended:
			return fmt.Errorf("corosync ended: %v: %s", c.child.cmd.ProcessState, lastWords(c.opts.LogFile))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// retry calls f until it succeeds or fails for good, at growing intervals.
func retry(ctx context.Context, f func() error, passing func(error) bool) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := f()
		if err == nil || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(wait):
		}
	}
}

// Local is this node.
func (c *Corosync) Local() cluster.NodeID { return c.opts.Settings.Local }

// Deliveries gives what the channel delivers. Nobody else waits for its
// reader: it holds back any number. It is closed when the channel has ended.
func (c *Corosync) Deliveries() <-chan cluster.Delivery { return c.queue.out }

// Err says why Deliveries was closed: nil after Close, else a *LostError.
func (c *Corosync) Err() error {
	select {
	case <-c.ended:
		return c.err
	default:
		return nil
	}
}

// Send multicasts data to all members, this one included, after what it sent
// before. It returns when corosync has taken the message; one of several
// parts it accompanies until it is delivered here, and sends it again when a
// View cuts it. After an error it is unknown whether the message arrives.
func (c *Corosync) Send(ctx context.Context, data []byte) error {
	if err := tooBig(data); err != nil {
		return err
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return fmt.Errorf("cannot send: %w", context.Cause(ctx))
	case <-c.ended:
		return c.closed()
	}
	whole := parts(data)
	if len(whole) == 1 {
		return c.multicast(ctx, header{kind: partFrame, count: 1}, whole[0])
	}
	number, result := c.accompany()
	defer c.abandon()
	for {
		done, err := c.attempt(ctx, number, whole, result)
		if done || err != nil {
			return err
		}
	}
}

// accompany makes room for the outcome of a new message of several parts.
func (c *Corosync) accompany() (uint64, <-chan outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	c.outcome = make(chan outcome, 1)
	return c.number, c.outcome
}

func (c *Corosync) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcome = nil
}

// sent is told by the sequencer. A message has at most one outcome for each
// time it is sent, so there is room.
func (c *Corosync) sent(number uint64, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcome != nil && c.number == number {
		c.outcome <- outcome{done}
	}
}

// attempt sends all parts and waits for the outcome; false means again.
func (c *Corosync) attempt(ctx context.Context, number uint64, whole [][]byte, result <-chan outcome) (bool, error) {
	for i, part := range whole {
		select {
		case r := <-result:
			return r.done, nil
		default:
		}
		h := header{kind: partFrame, index: uint32(i), count: uint32(len(whole)), number: number}
		if err := c.multicast(ctx, h, part); err != nil {
			return false, err
		}
	}
	select {
	case r := <-result:
		return r.done, nil
	case <-ctx.Done():
		return false, fmt.Errorf("cannot send: %w", context.Cause(ctx))
	case <-c.ended:
		return false, c.closed()
	}
}

// multicast hands one frame to corosync, coming back as often as it asks to.
func (c *Corosync) multicast(ctx context.Context, h header, body []byte) error {
	err := retry(ctx, func() error {
		select {
		case <-c.ended:
			return c.closed()
		default:
			return c.lib.send(h, body)
		}
	}, again)
	if err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	return nil
}

// closed answers who sends after the end.
func (c *Corosync) closed() error {
	if c.err != nil {
		return c.err
	}
	return errClosed
}

// Reload gives corosync new settings: nodes, votes, time-outs. All nodes read
// their files when one of them is told to, so each must have its new file
// before the last is told. Name, transport and key need a restart.
func (c *Corosync) Reload(ctx context.Context, s Settings) error {
	o := c.opts
	o.Settings = s
	if s.Local != c.Local() || s.Name != c.opts.Settings.Name {
		return fmt.Errorf("cannot reload corosync: it is node %d of cluster %q and cannot become node %d of cluster %q",
			c.Local(), c.opts.Settings.Name, s.Local, s.Name)
	}
	if err := o.files(ctx); err != nil {
		return err
	}
	return reload(ctx)
}

func reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "corosync-cfgtool", "-R").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot reload corosync: %v: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Close leaves the channel, so that the others see this node go cleanly, and
// lets corosync run on. It waits for the departure until ctx ends, and for
// the end of all that Start began.
func (c *Corosync) Close(ctx context.Context) error {
	var err error
	c.once.Do(func() {
		err = c.leave(ctx)
		c.stop()
	})
	return err
}

func (c *Corosync) leave(ctx context.Context) error {
	asked := make(chan error, 1)
	go func() { asked <- retry(ctx, c.lib.leave, again) }() // corosync answers, or ends
	for {
		select {
		case err := <-asked:
			if err != nil {
				return fmt.Errorf("cannot leave the channel: %w", err)
			}
			asked = nil
		case <-c.left:
			return nil
		case <-c.ended:
			return nil // lost: there is nothing to leave
		case <-ctx.Done():
			return fmt.Errorf("cannot leave the channel: %w", context.Cause(ctx))
		}
	}
}

// Stop ends corosync, after Close. It is killed, and an error says so, when
// it has not ended before ctx does.
func (c *Corosync) Stop(ctx context.Context) error {
	pid, err := running()
	if err != nil || pid == 0 {
		return err
	}
	if !ours(pid, c.opts.conf()) {
		return fmt.Errorf("cannot stop corosync: process %d is not ours", pid)
	}
	return terminate(ctx, pid)
}
