package simulate

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemon"
)

// Sim is one simulated cluster. Its time is in milliseconds since it began.
type Sim struct {
	// Trace is told what happens; nil: nobody wants to know.
	Trace func(at int64, node cluster.NodeID, what string)

	now     int64
	events  events
	seq     uint64
	hosts   []*host             // by id, from 1
	set     settings            // to begin with
	read    map[string]settings // of cluster.conf's texts
	seqRing uint64
	boots   int
	codec   *daemon.Codec
	rng     *rand.Rand // of the network
	reform  bool       // is scheduled
	calm    bool       // nothing goes wrong any more

	checks
}

// epoch is when simulated time begins.
var epoch = time.Unix(1_800_000_000, 0)

func (s *Sim) time() time.Time { return epoch.Add(time.Duration(s.now) * time.Millisecond) }

// event is something that will happen.
type event struct {
	at  int64
	seq uint64
	run func()
}

// events is a heap: the earliest first, of equals the one scheduled first.
type events []event

func (e events) less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}

func (e *events) push(ev event) {
	h := append(*e, ev)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	*e = h
}

func (e *events) pop() event {
	h := *e
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	for i := 0; ; {
		least := i
		for down := 2*i + 1; down <= 2*i+2 && down < len(h); down++ {
			if h.less(down, least) {
				least = down
			}
		}
		if least == i {
			break
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
	*e = h
	return first
}

// after has f run when d milliseconds have passed.
func (s *Sim) after(d int64, f func()) {
	s.seq++
	s.events.push(event{s.now + d, s.seq, f})
}

// run lets time pass until then, or until an invariant is broken.
func (s *Sim) run(until int64) {
	for len(s.events) > 0 && s.events[0].at <= until && s.broken == nil {
		ev := s.events.pop()
		s.now = ev.at
		ev.run()
	}
	if s.broken == nil {
		s.now = until
	}
}

func (s *Sim) trace(node cluster.NodeID, format string, args ...any) {
	if s.Trace != nil {
		s.Trace(s.now, node, fmt.Sprintf(format, args...))
	}
}

func (s *Sim) host(id cluster.NodeID) *host {
	if id == 0 || int(id) > len(s.hosts) {
		return nil
	}
	return s.hosts[id-1]
}

// between is a random number from lo to hi.
func between(r *rand.Rand, lo, hi int64) int64 { return lo + r.Int64N(hi-lo+1) }

// build makes the hosts of a cluster, all of them off.
func build(set settings, seed uint64) *Sim {
	s := &Sim{set: set, read: map[string]settings{}, codec: daemon.NewCodec(), rng: rand.New(rand.NewPCG(seed, 0)), checks: newChecks()}
	for _, id := range set.nodes {
		h := &host{s: s, id: id, rng: rand.New(rand.NewPCG(seed, uint64(id))),
			machines: map[string]*machine{}, incoming: map[string]int{}, fails: map[string]string{}}
		h.disk = disk{conf: set.text(), definitions: map[string]string{}, defined: map[string]bool{}}
		s.hosts = append(s.hosts, h)
	}
	for i, svc := range universe { // on two, for one may be taken out of cluster.conf
		s.hosts[i%len(s.hosts)].disk.defined[svc] = true
		s.hosts[(i+1)%len(s.hosts)].disk.defined[svc] = true
	}
	s.inForce[set.version] = set.text()
	return s
}

// Run plays a schedule to its end and returns what was wrong; nil: nothing.
func (p *Schedule) Run(trace func(at int64, node cluster.NodeID, what string)) (err error) {
	s := build(p.settings, p.Seed)
	s.Trace = trace
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic at %d ms: %v\n%s", s.now, r, debug.Stack())
		}
	}()
	for _, h := range s.hosts {
		s.after(between(h.rng, 0, 2000), h.boot)
	}
	s.after(5000, s.patrol)
	end := int64(15_000)
	for _, c := range p.Commands {
		end = max(end, c.At)
		s.after(c.At, func() { s.do(c.Command) })
	}
	s.run(end)
	s.heal()
	s.run(end + healTime)
	s.settle()
	s.run(end + healTime + settleTime)
	for range 100 { // what is on its way arrives
		if s.even() {
			break
		}
		s.run(s.now + 10)
	}
	if s.broken == nil {
		s.final()
	}
	return s.broken
}

const (
	// healTime is how long a cluster has, after the last fault, until it must
	// be whole again, in milliseconds.
	healTime = 75_000
	// settleTime is how long it then has to start what is not running.
	settleTime = 35_000
)

// heal ends all faults.
func (s *Sim) heal() {
	s.trace(0, "---- healing")
	s.calm = true
	for _, h := range s.hosts {
		h.agent, h.mutedUntil, h.group, h.parted = "", min(h.mutedUntil, s.now), 0, nil
		clear(h.fails)
		if h.proc != nil {
			h.proc.fuse = 0
			h.proc.stall(0)
		}
		h.on()
	}
	s.topology()
	s.after(healTime/3, s.mend)
}

// settle lifts what an administrator has set, and has one cmand start anew:
// with that the cluster looks again at what is stopped.
func (s *Sim) settle() {
	s.trace(0, "---- settling")
	for _, h := range s.hosts {
		if h.proc == nil && s.settings(s.listed()[0].disk.conf).nodes.Has(h.id) {
			h.on()
		}
	}
	at := s.hosts[0]
	if p := s.inStep(); p != nil {
		at = p.h
	}
	for _, h := range s.hosts {
		s.request(at, "undrain", "", h.id, false)
	}
	s.request(at, "unlock", "", 0, false)
	s.after(5000, at.kill)
	s.after(7000, at.on)
}

// sorted returns the keys of a map in order.
func sorted[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
