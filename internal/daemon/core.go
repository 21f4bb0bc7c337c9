package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// Core is all that a daemon thinks, without goroutines, clock, files and
// sockets. What happens is told to it together with the time, and each call
// returns the effects that are to be carried out, in their order. It is not
// safe for concurrent use.
type Core struct {
	local   cluster.NodeID
	boot    string
	replica *replica
	now     time.Time
	effects []Effect
	lastID  uint64          // of requests
	open    map[string]bool // requests to be answered, by id: whether the machines have heard of them
	leaving bool            // told to end in good order
	depart  bool            // the machine let us go
	ended   bool

	heard map[cluster.NodeID]time.Time // when a member was last heard
	alone time.Time                    // until then this daemon could not listen

	beatAt, checkAt, auditAt time.Time
	roundAt, probeAt         time.Time // zero: not counted
	rewriteAt                time.Time // of cluster.conf; zero: it is the one in force
	roundKey                 string    // of the round that roundAt is for
	lostAt                   time.Time // since then there is no quorum; zero: there is
	hadQuorum                bool
	waits                    []wait

	work    map[string][]*Task     // by what they touch: the first is under way, the others wait for it
	fencing map[rgmanager.Op]*Task // under way
	probing *Task                  // the latest probe: under way or waiting
	looking map[string]*Task       // looks under way, by machine; "": at all
	checks  checks
	written map[string]string // definitions that are kept, by service
	codec   *Codec            //
	parsed  struct {          // the configuration, as long as there is no machine
		text string
		conf *conf.Config
	}
}

// wait is an rgmanager.Wait whose time is counted here.
type wait struct {
	at time.Time
	id rgmanager.Op
}

// Effect is something that the daemon is to do for its core.
type Effect any

type (
	// Send multicasts Data.
	Send struct{ Data []byte }
	// Happened is an event that the machine has seen.
	Happened struct{ Event rgmanager.Event }
	// Remember writes the epoch, so that it outlives this daemon.
	Remember struct{ Epoch uint64 }
	// Store writes cluster.conf; the daemon ends if that fails.
	Store struct{ Text string }
	// InForce tells of the configuration that is in force from now on.
	InForce struct{ Conf *conf.Config }
	// Keep stores a definition, so that it outlives a stop of the whole cluster.
	Keep struct {
		Service    *conf.Service
		Definition string
	}
	// Cancel is for a Task whose result is not wanted any more. It ends all the same.
	Cancel struct{ Task *Task }
	// Progress says how far a migration has come.
	Progress struct{ Migration wire.Migration }
	// Log is a line for the log.
	Log struct {
		Level slog.Level
		Text  string
		Args  []any
	}
	// End says that this was all: the daemon has left (ErrLeft), or cannot
	// go on. It is the last effect.
	End struct{ Err error }
)

// Further effects are *Task, to be begun, rgmanager.Reply, rgmanager.Note and
// rgmanager.History.

// Task is an operation that takes time. Its end is told to Core.Ended, once.
type Task struct {
	Action rgmanager.Action // Probe, Find, Start, Stop, Migrate, Fence, Stage, Activate, Look or Check
	Conf   *conf.Config     // in force when it was decided

	key     string // what it touches, see Core.work
	begun   bool
	void    bool // its end is nobody's business any more
	records map[string]rgmanager.Record
}

// Look asks what runs here: one machine, or all when Machine is empty.
type Look struct {
	On      cluster.NodeID
	Machine string
}

// Node is this node.
func (a Look) Node() cluster.NodeID { return a.On }

func (a Look) String() string { return "look " + a.Machine }

// NewCore returns the core of a daemon that starts from the text of
// cluster.conf, and the epoch that was remembered. Codec may be nil.
func NewCore(local cluster.NodeID, boot, config string, wary bool, epoch uint64, codec *Codec, now time.Time) *Core {
	c := &Core{
		local: local, boot: boot, now: now, codec: codec,
		replica: newReplica(local, boot, config, wary, codec),
		heard:   map[cluster.NodeID]time.Time{}, open: map[string]bool{},
		work: map[string][]*Task{}, fencing: map[rgmanager.Op]*Task{}, looking: map[string]*Task{}, checks: newChecks(),
		written: map[string]string{},
	}
	c.replica.epoch = epoch
	c.beatAt, c.auditAt = now.Add(beatTime), now.Add(auditTime)
	c.checkAt = now.Add(c.Conf().StatusPollInterval)
	return c
}

// Conf is the configuration in force.
func (c *Core) Conf() *conf.Config {
	if m := c.replica.machine; m != nil {
		return m.Conf()
	}
	if c.parsed.conf == nil || c.parsed.text != c.replica.config {
		c.parsed.text, c.parsed.conf = c.replica.config, c.codec.conf(c.replica.config)
		if c.parsed.conf == nil {
			c.parsed.conf = &conf.Config{StatusPollInterval: time.Minute}
		}
	}
	return c.parsed.conf
}

// Text is cluster.conf as it is in force.
func (c *Core) Text() string { return c.replica.config }

// Machine is the replica's machine; nil before there is one. The caller may
// only ask it.
func (c *Core) Machine() *rgmanager.Machine { return c.replica.machine }

// InStep reports whether the machine is up to date with what was delivered.
func (c *Core) InStep() bool {
	return c.replica.machine != nil && c.replica.round == nil && c.replica.loading == ""
}

// Applied counts the events that the machine has seen.
func (c *Core) Applied() uint64 { return c.replica.applied }

func (c *Core) begin(now time.Time) { c.now, c.effects = now, nil }

func (c *Core) end() []Effect {
	effects := c.effects
	c.effects = nil
	return effects
}

func (c *Core) do(e Effect) {
	if !c.ended {
		c.effects = append(c.effects, e)
	}
}

func (c *Core) finish(err error) {
	c.do(End{err})
	c.ended = true
}

func (c *Core) log(level slog.Level, text string, args ...any) { c.do(Log{level, text, args}) }

func (c *Core) stamp() rgmanager.Time { return c.now.UnixMilli() }

// Deliver takes the channel's next delivery.
func (c *Core) Deliver(now time.Time, d cluster.Delivery) []Effect {
	c.begin(now)
	if d.Message != nil {
		c.heard[d.Message.From] = now
		if d.Message.From == c.local && len(c.open) > 0 {
			c.ordered(d.Message.Data)
		}
	} else if d.View.Quorate {
		c.lostAt, c.hadQuorum = time.Time{}, true
	} else if c.lostAt.IsZero() {
		c.lostAt = now
	}
	c.take(c.replica.deliver(d))
	return c.end()
}

// Request makes an event of an administrator's wish; event is given the id
// that the Reply will carry. It reports false when there is no machine to ask.
func (c *Core) Request(now time.Time, event func(id string) rgmanager.Event) (id string, effects []Effect, ok bool) {
	if c.replica.machine == nil {
		return "", nil, false
	}
	c.begin(now)
	c.lastID++
	id = fmt.Sprintf("%s-%d", c.boot, c.lastID)
	c.open[id] = false
	c.multicast(event(id))
	return id, c.end(), true
}

// Leave asks to end in good order: this node's services are stopped, so that
// others start them.
func (c *Core) Leave(now time.Time) []Effect {
	c.begin(now)
	c.leaving = true
	if c.replica.machine == nil {
		c.finish(ErrLeft)
		return c.end()
	}
	c.log(slog.LevelInfo, "Shutting down")
	c.multicast(rgmanager.Leaving{Node: c.local, At: c.stamp()})
	return c.end()
}

// take carries out what the replica says.
func (c *Core) take(out output) {
	for _, w := range out.Warn {
		c.log(slog.LevelWarn, w)
	}
	if out.Fatal != nil {
		c.finish(out.Fatal)
		return
	}
	if out.Reset {
		c.reset()
	}
	if m := c.replica.machine; m != nil && m.Epoch() > c.replica.epoch { // before anything is done in it
		c.replica.epoch = m.Epoch()
		c.do(Remember{m.Epoch()})
	}
	if out.Config != "" {
		c.do(Store{out.Config})
	}
	if out.InForce {
		c.rewriteAt = time.Time{}
		c.do(InForce{c.Conf()})
	}
	for _, m := range out.Send {
		c.send(m)
	}
	for _, ev := range out.Events {
		c.do(Happened{ev})
	}
	for _, a := range out.Actions {
		if a.Node() == c.local || a.Node() == 0 {
			c.act(a)
		}
	}
	if out.Loaded {
		c.loaded()
	}
	if key := c.replica.inRound(); key != c.roundKey {
		c.roundKey, c.roundAt = key, time.Time{}
		if key != "" {
			c.roundAt = c.now.Add(roundTime)
		}
	}
	if len(out.Events) > 0 { // nothing else changes what the machine knows
		c.keepDefinitions()
	}
	if out.Migration != nil {
		c.do(Progress{*out.Migration})
	}
	if c.depart {
		c.finish(ErrLeft)
	}
}

// ordered notes that a request of ours has its place in the order.
func (c *Core) ordered(data []byte) {
	msg, err := c.codec.decode(data)
	if err != nil {
		return
	}
	var id string
	switch ev := msg.event.(type) {
	case rgmanager.Request:
		id = ev.ID
	case rgmanager.Proposed:
		id = ev.ID
	case rgmanager.Acknowledged:
		id = ev.ID
	}
	if _, ok := c.open[id]; ok {
		c.open[id] = true
	}
}

// loaded follows up what the others have decided while this node had no
// machine.
func (c *Core) loaded() {
	if c.leaving { // they may not have heard it
		c.multicast(rgmanager.Leaving{Node: c.local, At: c.stamp()})
	}
	for _, id := range slices.Sorted(maps.Keys(c.open)) {
		if c.open[id] && !c.replica.machine.Owes(id) {
			c.act(rgmanager.Reply{On: c.local, ID: id, Result: cluster.TryAgain,
				Problem: "this node was cut off; whether that was done is not known here"})
		}
	}
}

// reset gives up what was under way: the machine that decided on it is gone.
func (c *Core) reset() {
	c.log(slog.LevelWarn, "this node's picture of the cluster was given up for that of the other members")
	for key, tasks := range c.work {
		tasks[0].void = true
		c.work[key] = tasks[:1]
	}
	c.queue(c.task(rgmanager.Stage{On: c.local}, configKey)) // an update may have come to nothing meanwhile
	for op, t := range c.fencing {
		t.void = true
		c.do(Cancel{t})
		delete(c.fencing, op)
	}
	c.probing, c.probeAt, c.waits = nil, time.Time{}, nil
	clear(c.looking)
	clear(c.checks.running)
}

// Next is when Tick is to be called, unless something happens before.
func (c *Core) Next() time.Time {
	next := c.beatAt
	for _, at := range []time.Time{c.checkAt, c.auditAt, c.roundAt, c.probeAt, c.rewriteAt} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	for _, w := range c.waits {
		if w.at.Before(next) {
			next = w.at
		}
	}
	return next
}

// Tick does what is due.
func (c *Core) Tick(now time.Time) []Effect {
	c.begin(now)
	due := func(at *time.Time) bool {
		if at.IsZero() || now.Before(*at) {
			return false
		}
		*at = time.Time{}
		return true
	}
	if due(&c.roundAt) {
		c.take(c.replica.overdue(c.roundKey))
	}
	for _, w := range slices.Clone(c.waits) {
		if !now.Before(w.at) {
			c.multicast(rgmanager.Elapsed{Wait: w.id, At: c.stamp()})
		}
	}
	c.waits = slices.DeleteFunc(c.waits, func(w wait) bool { return !now.Before(w.at) })
	if due(&c.probeAt) && c.probing != nil {
		c.probing.begun = false
		c.probe()
	}
	if due(&c.rewriteAt) {
		c.queue(c.task(rgmanager.Activate{On: c.local, Text: c.replica.config, Version: c.Conf().Version}, configKey))
	}
	if due(&c.beatAt) {
		c.beat()
		c.beatAt = now.Add(beatTime)
	}
	if due(&c.checkAt) {
		c.look("")
		c.gather()
		c.checkAt = now.Add(c.Conf().StatusPollInterval)
	}
	if due(&c.auditAt) {
		c.take(c.replica.audit())
		c.auditAt = now.Add(auditTime)
	}
	return c.end()
}

func (c *Core) send(m message) {
	data, err := json.Marshal(m)
	if err != nil {
		c.log(slog.LevelError, "cannot encode a message", "err", err)
		return
	}
	c.do(Send{data})
}

// multicast makes ev the next event of all nodes.
func (c *Core) multicast(ev rgmanager.Event) {
	data, err := rgmanager.EncodeEvent(ev)
	if err != nil {
		c.log(slog.LevelError, "cannot encode an event", "err", err)
		return
	}
	c.send(message{Event: data})
}

// keepDefinitions has definitions stored that changed.
func (c *Core) keepDefinitions() {
	m := c.replica.machine
	if m == nil {
		return
	}
	for i := range m.Conf().Services {
		svc := &m.Conf().Services[i]
		name := svc.FullName()
		if def := m.Definition(name); def != "" && def != c.written[name] {
			c.written[name] = def
			c.do(Keep{svc, def})
		}
	}
}

// ErrLeft says that the daemon ended in good order.
var ErrLeft = errors.New("left the cluster")
