package daemon

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// replica keeps this node's rgmanager.Machine in step with all others'. It is
// as pure as the machine: deliveries in, messages and actions out.
//
// After a view with a newcomer nothing is decided before every member has
// said hello: whether it holds a machine, and a chain of hashes over all that
// was delivered to it. Two machines with the same chain are the same. The
// senior is the member with the most to tell; whoever has another chain than
// the senior forgets its own machine and waits for the senior's snapshot.
type replica struct {
	local  cluster.NodeID
	boot   string
	config string // our cluster.conf, until there is a machine
	wary   bool   // this node went down without leaving

	machine *rgmanager.Machine // nil: none yet
	applied uint64             // events that the machine has seen
	chain   [sha256.Size]byte  // over everything delivered
	view    cluster.View

	round   *round            // hellos are being collected; nil: none
	loading string            // key of the snapshot that is awaited; empty: none
	behind  cluster.NodeIDs   // members that await a snapshot
	held    []cluster.Message // delivered during a round, for the machine after it
	since   []cluster.Message // delivered while loading, all of them
	audited audit             // the machine at the latest audit

	out output
}

// output is what a delivery leads to.
type output struct {
	Actions   []rgmanager.Action // to be carried out, those of other nodes included
	Events    []rgmanager.Event  // that the machine has seen, for the log
	Send      []message          // to be multicast
	Config    string             // cluster.conf in force, to be stored before anything else; empty: as before
	Reset     bool               // the machine was given up: operations under way are void
	Migration *wire.Migration    // has come so far
	Warn      []string           // for the log
	Fatal     error              // this node cannot take part
}

// message is what replicas send each other.
type message struct {
	Hello    *hello          `json:",omitempty"`
	Event    json.RawMessage `json:",omitempty"` // rgmanager.EncodeEvent
	Snapshot *snapshot       `json:",omitempty"`
	Proceed  *proceed        `json:",omitempty"`
	Audit    *audit          `json:",omitempty"`
	Resync   *resync         `json:",omitempty"`
	Progress *wire.Migration `json:",omitempty"` // for those who watch; the machine does not see it
	Expel    *expel          `json:",omitempty"`
	Beat     bool            `json:",omitempty"` // says that the sender lives
}

// hello says what a member brings along.
type hello struct {
	Key     string // of the round
	Boot    string
	Blank   bool   // no machine
	Config  string // blank: our cluster.conf
	Version int    // of the configuration
	Chain   []byte
	Applied uint64
	Quorate bool // before this view
	Wary    bool
}

// snapshot is a machine for the members that are behind.
type snapshot struct {
	Key     string // of the round or resync that it answers
	State   []byte // rgmanager.Machine.Snapshot
	Behind  cluster.NodeIDs
	Chain   []byte
	Applied uint64
}

// proceed ends a round without the members that did not say hello in time.
type proceed struct{ Key string }

// audit carries the sender's hash as of the audit before, and how many events
// its machine had seen then.
type audit struct {
	Hash    string
	Applied uint64
}

// resync asks for a snapshot, from a replica that found itself different.
type resync struct{ Key string }

// expel puts a member out that has been silent for too long, though its
// process is there: from now on its cmand counts as dead.
type expel struct {
	Node cluster.NodeID
	Boot string // rgmanager.Machine.Boot
}

// round collects the hellos of a view.
type round struct {
	key     string
	left    []cluster.Departure // since the machine's latest view
	hellos  map[cluster.NodeID]hello
	quorate bool // of the view before
}

func newReplica(local cluster.NodeID, boot, config string, wary bool) *replica {
	return &replica{local: local, boot: boot, config: config, wary: wary}
}

// deliver takes the next delivery of the channel.
func (r *replica) deliver(d cluster.Delivery) output {
	r.out = output{}
	if d.View != nil {
		r.enter(*d.View)
	} else {
		r.receive(*d.Message)
	}
	return r.out
}

// overdue is called when a round has lasted too long: it goes on without the
// members that are silent.
func (r *replica) overdue(key string) output {
	r.out = output{}
	if r.round != nil && r.round.key == key {
		r.send(message{Proceed: &proceed{Key: key}})
	}
	return r.out
}

// audit begins a comparison of all replicas.
func (r *replica) audit() output {
	r.out = output{}
	if r.machine != nil && r.round == nil && r.loading == "" && len(r.view.Members) > 0 && r.view.Members[0] == r.local {
		r.send(message{Audit: &r.audited})
	}
	return r.out
}

// inRound returns the key of the round that is going on; empty: none.
func (r *replica) inRound() string {
	if r.round == nil {
		return ""
	}
	return r.round.key
}

func (r *replica) send(m message) { r.out.Send = append(r.out.Send, m) }

func (r *replica) warn(format string, args ...any) {
	r.out.Warn = append(r.out.Warn, fmt.Sprintf(format, args...))
}

// link extends the chain.
func (r *replica) link(parts ...any) {
	h := sha256.New()
	h.Write(r.chain[:])
	for _, p := range parts {
		fmt.Fprintf(h, "%v\n", p)
	}
	h.Sum(r.chain[:0])
}

func (r *replica) enter(v cluster.View) {
	before := r.view
	joined := len(v.Joined) > 0 ||
		slices.ContainsFunc(v.Members, func(id cluster.NodeID) bool { return !before.Members.Has(id) })
	if !joined && len(v.Left) == 0 && v.Ring == before.Ring && slices.Equal(v.Online, before.Online) && v.Quorate == before.Quorate {
		return // nothing new, and perhaps told to this node alone
	}
	r.link(v.Ring, v.Online, v.Members, v.Quorate)
	r.view = v
	if r.round == nil && !joined && r.machine != nil && r.loading == "" && len(r.behind) == 0 {
		r.membership(v.Left, nil, false)
		return
	}
	old := r.round
	r.round = &round{hellos: map[cluster.NodeID]hello{}, quorate: before.Quorate, left: v.Left,
		key: fmt.Sprintf("%s %v", v.Ring, v.Members)}
	if old != nil {
		r.round.left, r.round.quorate = append(old.left, v.Left...), old.quorate
	}
	h := &hello{Key: r.round.key, Boot: r.boot, Blank: r.machine == nil || r.loading != "", Chain: slices.Clone(r.chain[:]),
		Applied: r.applied, Quorate: r.round.quorate, Wary: r.wary}
	if h.Blank {
		h.Config, h.Version = r.config, version(r.config)
	} else {
		h.Version = r.machine.Conf().Version
	}
	r.send(message{Hello: h})
}

func (r *replica) receive(m cluster.Message) {
	if r.loading != "" && r.round == nil {
		r.load(m)
		return
	}
	r.link(m.From, string(m.Data))
	var msg message
	if err := json.Unmarshal(m.Data, &msg); err != nil {
		r.warn("message from node %d: %v", m.From, err)
		return
	}
	switch {
	case msg.Hello != nil:
		if r.round != nil && msg.Hello.Key == r.round.key && r.view.Members.Has(m.From) {
			r.round.hellos[m.From] = *msg.Hello
			if len(r.round.hellos) == len(r.view.Members) {
				r.conclude()
			}
		}
	case msg.Proceed != nil:
		if r.round != nil && msg.Proceed.Key == r.round.key {
			r.conclude()
		}
	case r.round != nil:
		if msg.Event != nil { // the others are about a round that is over
			r.held = append(r.held, m)
		}
	default:
		r.apply(m.From, msg)
	}
}

// apply takes a message that is about the machine itself.
func (r *replica) apply(from cluster.NodeID, msg message) {
	switch {
	case msg.Event != nil:
		ev, err := rgmanager.DecodeEvent(msg.Event)
		if err != nil {
			r.warn("message from node %d: %v", from, err)
			return
		}
		r.step(ev)
	case msg.Snapshot != nil:
		r.behind = nil
	case msg.Expel != nil:
		r.expelled(*msg.Expel)
	case msg.Progress != nil:
		r.out.Migration = msg.Progress
	case msg.Audit != nil:
		r.compare(from, *msg.Audit)
	case msg.Resync != nil:
		r.behind = r.behind.With(from)
		if from == r.local {
			r.await(msg.Resync.Key)
		} else if senior := r.synced(); len(senior) > 0 && senior[0] == r.local {
			r.snapshot(msg.Resync.Key)
		}
	}
}

func (r *replica) step(ev rgmanager.Event) {
	r.applied++
	r.out.Events = append(r.out.Events, ev)
	r.out.Actions = append(r.out.Actions, r.machine.Step(ev)...)
}

// synced returns the members that have a machine in step.
func (r *replica) synced() cluster.NodeIDs {
	return slices.DeleteFunc(slices.Clone(r.view.Members), func(id cluster.NodeID) bool { return r.behind.Has(id) })
}

// conclude ends the round: all members that take part choose the same senior
// from the same hellos.
func (r *replica) conclude() {
	round := r.round
	r.round = nil
	var senior cluster.NodeID
	for _, id := range r.view.Members {
		if _, ok := round.hellos[id]; ok && (senior == 0 || round.before(id, senior)) {
			senior = id
		}
	}
	first := round.hellos[senior]
	r.behind = nil
	fresh, wary := map[cluster.NodeID]string{}, first.Blank
	for _, id := range r.view.Members {
		h, ok := round.hellos[id]
		switch {
		case !ok:
		case first.Blank:
			fresh[id] = h.Boot
			wary = wary && h.Wary
		case h.Blank || string(h.Chain) != string(first.Chain):
			r.behind = r.behind.With(id)
			fresh[id] = h.Boot + " " + round.key // what it was doing is void
		}
	}
	switch _, here := round.hellos[r.local]; {
	case !here:
		r.out.Fatal = fmt.Errorf("the other members went on without this node: it did not answer in time")
		return
	case first.Blank:
		if !r.form(first.Config) {
			return
		}
		copy(r.chain[:], first.Chain) // from here on all have seen the same
	case r.behind.Has(r.local):
		r.out.Reset = r.machine != nil
		r.held = nil // the snapshot knows what these led to
		r.await(round.snapshotKey(senior))
		return
	}
	r.membership(round.left, fresh, wary)
	held := r.held
	r.held = nil
	for _, m := range held {
		r.replay(m)
	}
	if len(r.behind) > 0 && senior == r.local {
		r.snapshot(round.snapshotKey(senior))
	}
}

// before reports whether a should be senior rather than b.
func (r *round) before(a, b cluster.NodeID) bool {
	x, y := r.hellos[a], r.hellos[b]
	truth := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	c := cmp.Compare(truth(!x.Blank), truth(!y.Blank))
	switch {
	case x.Blank && y.Blank: // the highest version is the cluster's
		c = cmp.Or(c, -cmp.Compare(x.Version, y.Version))
	default:
		c = cmp.Or(c, cmp.Compare(truth(x.Quorate), truth(y.Quorate)), -cmp.Compare(x.Applied, y.Applied))
	}
	return cmp.Or(c, cmp.Compare(a, b)) < 0
}

// snapshotKey is what only this round's snapshot carries.
func (r *round) snapshotKey(senior cluster.NodeID) string {
	h := r.hellos[senior]
	return fmt.Sprintf("%s %s %d", r.key, h.Boot, h.Applied)
}

// form makes the machine of a cluster that is just forming.
func (r *replica) form(config string) bool {
	m, err := rgmanager.New(config)
	if err != nil {
		r.out.Fatal = err
		return false
	}
	r.machine, r.applied, r.loading, r.since, r.audited = m, 0, "", nil, audit{}
	r.takeOver(config)
	return true
}

// takeOver makes the cluster's configuration ours. A file with a higher
// version is one that was edited here and not pushed: it stays, and is not
// obeyed.
func (r *replica) takeOver(config string) {
	if config == r.config {
		return
	}
	if here, there := version(r.config), version(config); here > there {
		r.warn("cluster.conf here has config_version %d, the running cluster has %d, which is in force: "+
			"push the file with ccs_tool update", here, there)
	} else {
		r.out.Config = config
	}
	r.config = config
}

// membership tells the machine of the view. fresh holds the boots of members
// that it has to take for new.
func (r *replica) membership(left []cluster.Departure, fresh map[cluster.NodeID]string, wary bool) {
	ev := r.members(left, fresh)
	ev.Wary = wary
	r.step(ev)
}

func (r *replica) members(left []cluster.Departure, fresh map[cluster.NodeID]string) rgmanager.Membership {
	ev := rgmanager.Membership{Ring: r.view.Ring, Online: r.view.Online, Left: left, Quorate: r.view.Quorate}
	for _, id := range r.view.Members {
		if boot := cmp.Or(fresh[id], r.machine.Boot(id)); boot != "" { // else left out of the round, or put out
			ev.Members = append(ev.Members, rgmanager.Member{Node: id, Boot: boot})
		}
	}
	return ev
}

func (r *replica) expelled(e expel) {
	switch {
	case e.Boot == "" || r.machine.Boot(e.Node) != e.Boot:
		return // gone already, or back already
	case e.Node == r.local:
		r.out.Fatal = errors.New("the other members put this node out: it was silent for too long")
		return
	}
	ev := r.members([]cluster.Departure{{Node: e.Node, Reason: cluster.ProcessDied}}, nil)
	ev.Members = slices.DeleteFunc(ev.Members, func(m rgmanager.Member) bool { return m.Node == e.Node })
	r.step(ev)
}

// replay takes a message that was held back. Its place in the chain it has
// already.
func (r *replica) replay(m cluster.Message) {
	var msg message
	if json.Unmarshal(m.Data, &msg) == nil {
		r.apply(m.From, msg)
	}
}

// await gives up the machine until the snapshot comes.
func (r *replica) await(key string) {
	r.loading, r.since = key, nil
}

func (r *replica) snapshot(key string) {
	state, err := r.machine.Snapshot()
	if err != nil {
		r.out.Fatal = err
		return
	}
	r.send(message{Snapshot: &snapshot{Key: key, State: state, Behind: r.behind, Chain: slices.Clone(r.chain[:]), Applied: r.applied}})
}

// load keeps what is delivered until the awaited snapshot comes, loads that,
// and then takes what came since the snapshot was made.
func (r *replica) load(m cluster.Message) {
	r.since = append(r.since, m)
	var msg message
	if json.Unmarshal(m.Data, &msg) != nil || msg.Snapshot == nil || msg.Snapshot.Key != r.loading {
		return
	}
	machine, err := rgmanager.Restore(msg.Snapshot.State)
	if err != nil {
		r.out.Fatal = err
		return
	}
	r.machine, r.applied, r.behind, r.loading = machine, msg.Snapshot.Applied, msg.Snapshot.Behind, ""
	r.audited = audit{}
	copy(r.chain[:], msg.Snapshot.Chain)
	r.takeOver(machine.Config)
	r.out.Actions = append(r.out.Actions, machine.Resume(r.local)...)
	since := r.since
	r.since = nil
	for _, m := range since {
		r.receive(m)
	}
}

// compare checks our hash of the audit before against the sender's.
func (r *replica) compare(from cluster.NodeID, a audit) {
	if r.audited.Hash != "" && a.Applied == r.audited.Applied && a.Hash != r.audited.Hash {
		r.warn("this node's picture of the cluster differs from node %d's; fetching that", from)
		r.send(message{Resync: &resync{Key: fmt.Sprintf("resync %s %d", r.boot, r.applied)}})
	}
	hash, err := r.machine.Hash()
	if err != nil {
		r.warn("cannot hash the state: %v", err)
	}
	r.audited = audit{Hash: hash, Applied: r.applied}
}

// version is the config_version of a text; 0 when it has none.
func version(text string) int {
	doc, err := conf.Parse("cluster.conf", []byte(text))
	if err != nil {
		return 0
	}
	c, _ := doc.Config()
	return c.Version
}
