package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"fangnetz/internal/cluster"
	"fangnetz/internal/daemon"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/scenario"
)

// Schedule is all that happens to one cluster, and when. The seed decides on
// what is left to chance: how long things take.
type Schedule struct {
	Seed     uint64
	Commands []Command
	settings settings
}

// Command is a scenario's command at a time, milliseconds after the beginning.
type Command struct {
	At int64
	scenario.Command
}

func (c Command) String() string { return fmt.Sprintf("%d %s", c.At, c.Command) }

// universe are all machines that there may be.
var universe = []string{"a", "b", "c", "d"}

func nodeName(id cluster.NodeID) string { return "node" + id.String() }

// New makes up a schedule.
func New(seed uint64) *Schedule {
	r := rand.New(rand.NewPCG(seed, 1<<32))
	p := &Schedule{Seed: seed, settings: randomSettings(r)}
	at := int64(10_000)
	if r.IntN(4) == 0 {
		at = between(r, 0, 10_000)
	}
	g := generator{r, p.settings, pick(r, p.settings.nodes...)}
	for range 1 + r.IntN(14) {
		for _, line := range late(g.next(), at) {
			delay, text, _ := strings.Cut(line, " ")
			d, _ := strconv.ParseInt(delay, 10, 64)
			c, err := scenario.Parse(text)
			if err != nil {
				panic(err) // a line of ours
			}
			p.Commands = append(p.Commands, Command{d, c})
		}
		if r.IntN(3) == 0 {
			at += between(r, 0, 200)
		} else {
			at += between(r, 200, 12_000)
		}
	}
	slices.SortStableFunc(p.Commands, func(a, b Command) int { return int(a.At - b.At) })
	return p
}

// generator makes up what happens next.
type generator struct {
	r     *rand.Rand
	set   settings
	guest cluster.NodeID // that is taken out of cluster.conf, and put in again: always the same one, so that old lists have no majority
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func (g generator) node() string { return nodeName(pick(g.r, g.set.nodes...)) }

func (g generator) service() string { return "vm:" + pick(g.r, g.set.services...).name }

// next returns a few lines, each of a delay and a command.
func (g generator) next() []string {
	r, n, svc := g.r, g.node(), g.service()
	soon := func(lo, hi int64) int64 { return between(r, lo, hi) }
	fuse := ""
	if r.IntN(2) == 0 {
		fuse = fmt.Sprintf(" after %d", 1+r.IntN(25))
	}
	switch r.IntN(35) {
	case 0, 1, 2:
		return []string{"0 down " + n + fuse, fmt.Sprintf("%d up %s", soon(3000, 60000), n)}
	case 3:
		return []string{"0 down " + n, "1 wipe " + n, fmt.Sprintf("%d up %s", soon(3000, 60000), n)}
	case 4, 5, 6:
		return []string{"0 killed " + n + fuse, fmt.Sprintf("%d up %s", soon(500, 25000), n)}
	case 7, 8, 9:
		var side []string
		for _, id := range g.set.nodes {
			if r.IntN(2) == 0 {
				side = append(side, nodeName(id))
			}
		}
		if len(side) == 0 {
			side = []string{n}
		}
		cut := "0 cut " + strings.Join(side, " ")
		if r.IntN(4) == 0 {
			cut = "0 part " + n + " " + g.node()
		}
		if r.IntN(4) == 0 {
			return []string{cut}
		}
		return []string{cut, fmt.Sprintf("%d heal", soon(100, 40000))}
	case 10:
		return []string{"0 ring " + n}
	case 11:
		return []string{"0 lose " + n}
	case 12:
		return []string{fmt.Sprintf("0 stall %s %d", n, soon(500, 30000))}
	case 13, 14:
		return []string{fmt.Sprintf("0 mute %s %d", n, soon(1000, 60000))}
	case 15, 16:
		what := pick(r, "start", "stop", "migrate", "migrate")
		return []string{fmt.Sprintf("0 fails %s %s %s %s", what, svc, n, pick(r, failures...)),
			fmt.Sprintf("%d works %s %s %s", soon(5000, 60000), what, svc, n)}
	case 17, 18:
		return []string{"0 agent " + n + " " + pick(r, agents...), fmt.Sprintf("%d agent %s works", soon(5000, 60000), n)}
	case 19:
		return []string{"0 crash " + svc}
	case 20:
		return []string{pick(r, "0 running ", "0 moved ") + svc + " " + n}
	case 21:
		return []string{"0 leave " + n, fmt.Sprintf("%d up %s", soon(3000, 60000), n)}
	case 22, 32:
		var list []string
		for _, name := range universe {
			if r.IntN(2) == 0 {
				list = append(list, "vm:"+name)
			}
		}
		lines := []string{"0 update at " + n + " " + strings.Join(list, " ")}
		if r.IntN(4) == 0 {
			lines = append([]string{"0 fails stage vm: " + g.node() + " cleanly"}, lines...)
		}
		return lines
	case 33, 34: // a node goes, and comes back
		if len(g.set.nodes) < 3 {
			break
		}
		guest, rest := nodeName(g.guest), ""
		for _, id := range g.set.nodes {
			if id != g.guest {
				rest += " " + nodeName(id)
			}
		}
		at := soon(1000, 15000)
		lines := []string{pick(r, "0 leave ", "0 leave ", "0 down ") + guest,
			fmt.Sprintf("%d update at %s%s", at, n, rest)}
		if r.IntN(2) == 0 {
			lines = append(lines, fmt.Sprintf("%d up %s", at+soon(-2000, 10000), guest))
		}
		if r.IntN(4) > 0 {
			lines = append(lines, fmt.Sprintf("%d update at %s%s %s", at+soon(1000, 20000), g.node(), rest, guest),
				fmt.Sprintf("%d up %s", at+soon(1000, 40000), guest))
		}
		return lines
	case 23:
		to, after := g.node(), soon(3000, 10000) // the source goes with the news that it has arrived, and the target cannot tell
		return []string{"0 migrate " + svc + " on " + to + " at " + n, fmt.Sprintf("%d stall %s 20000", soon(50, 300), n),
			fmt.Sprintf("%d killed %s", after, to), fmt.Sprintf("%d down %s", after+soon(10, 3000), n),
			fmt.Sprintf("%d up %s", after+soon(4000, 40000), to)}
	case 24:
		return []string{"0 acknowledge " + n + " at " + g.node()}
	case 31: // much at once, around a migration
		lines := []string{"0 migrate " + svc + " on " + g.node() + " at " + n}
		for range 2 + r.IntN(4) {
			lines = append(lines, late(g.next(), soon(0, 7000))...)
		}
		return lines
	case 25:
		return []string{pick(r, "0 lock", "0 unlock", "0 drain", "0 undrain") + " at " + n}
	}
	line := "0 " + pick(r, "enable", "enable", "disable", "stop", "restart", "relocate", "migrate", "migrate", "migrate",
		"freeze", "unfreeze", "convalesce") + " " + svc
	if f := strings.Fields(line)[1]; f == "migrate" || (f == "enable" || f == "relocate") && r.IntN(2) == 0 {
		line += " on " + g.node()
	}
	return []string{line + " at " + n}
}

// late moves what next has returned.
func late(lines []string, by int64) []string {
	moved := make([]string, len(lines))
	for i, line := range lines {
		delay, text, _ := strings.Cut(line, " ")
		d, _ := strconv.ParseInt(delay, 10, 64)
		moved[i] = fmt.Sprintf("%d %s", d+by, text)
	}
	return moved
}

// do plays one command.
func (s *Sim) do(c scenario.Command) {
	s.trace(0, "---- %s", c)
	var nodes []*host
	var rest []string
	svc, at, target, number := "", s.hosts[0], cluster.NodeID(0), 0
	for i := 0; i < len(c.Args); i++ {
		w := c.Args[i]
		switch {
		case (w == "at" || w == "on" || w == "to") && i+1 < len(c.Args):
			i++
			h := s.named(c.Args[i])
			if w == "at" && h != nil {
				at = h
			} else if h != nil {
				target = h.id
			}
		case s.named(w) != nil:
			nodes = append(nodes, s.named(w))
		case strings.HasPrefix(w, "vm:"):
			svc = w
			rest = append(rest, w)
		default:
			number, _ = strconv.Atoi(w)
			rest = append(rest, w)
		}
	}
	for _, h := range nodes {
		switch c.Verb {
		case "down", "killed":
			if p := h.proc; number > 0 && p != nil {
				p.fuse, p.cut = number, c.Verb == "down"
			} else if c.Verb == "down" {
				h.off()
			} else {
				h.kill()
			}
		case "up":
			h.on()
		case "wipe":
			if !h.powered {
				h.wipe(s.inForce[1])
				s.wanted["wipe"] = true
			}
		case "cut":
			h.group = 1
			s.split = s.split || s.set.twoNode
		case "ring":
			s.tear(h)
		case "lose":
			if p := h.proc; p != nil {
				p.input(func() []daemon.Effect { return []daemon.Effect{daemon.End{Err: errLost}} })
				h.leaveRing()
			}
		case "stall":
			if h.proc != nil {
				h.proc.stall(s.now + int64(number))
			}
		case "mute":
			h.mutedUntil = s.now + int64(number)
		case "fails":
			h.fails[rest[0]+" "+strings.TrimPrefix(svc, "vm:")] = rest[len(rest)-1]
		case "works":
			delete(h.fails, rest[0]+" "+strings.TrimPrefix(svc, "vm:"))
		case "agent":
			if h.agent = rest[0]; h.agent == "works" {
				h.agent = ""
			}
		case "running", "moved":
			s.meddle(h, c.Verb, machineOf(svc))
		case "leave":
			if p := h.proc; p != nil {
				p.input(func() []daemon.Effect { return p.core.Leave(s.time()) })
			}
		case "acknowledge":
			h.off() // he has made sure
			id := h.id
			s.ask(at, &wish{verb: c.Verb}, func(req string) rgmanager.Event {
				return rgmanager.Acknowledged{ID: req, From: at.id, At: s.time().UnixMilli(), By: "root", Node: id}
			})
		}
	}
	switch c.Verb {
	case "cut":
		s.topology()
	case "part":
		for _, h := range nodes {
			for _, o := range nodes {
				h.parted = h.parted.With(o.id)
			}
			s.split = s.split || s.set.twoNode
		}
		s.topology()
	case "heal":
		for _, h := range s.hosts {
			h.group, h.parted = 0, nil
		}
		s.topology()
	case "crash":
		for _, h := range s.hosts {
			h.vanish(machineOf(svc), "crashed")
		}
	case "update":
		s.update(at, rest, nodes)
	case "drain", "undrain":
		s.request(at, c.Verb, "", at.id, false)
	case "enable", "disable", "stop", "restart", "relocate", "migrate", "freeze", "unfreeze", "convalesce", "lock", "unlock":
		s.request(at, c.Verb, svc, target, false)
	}
}

func (s *Sim) named(word string) *host {
	id, err := strconv.Atoi(strings.TrimPrefix(word, "node"))
	if err != nil || !strings.HasPrefix(word, "node") {
		return nil
	}
	return s.host(cluster.NodeID(id))
}

// meddle starts or moves a machine as virsh does.
func (s *Sim) meddle(h *host, verb, name string) {
	if !h.powered {
		return
	}
	s.tampered[name] = true
	delete(s.disabled, "vm:"+name)
	for _, o := range s.hosts {
		if o.machines[name] != nil && (verb == "moved" || o == h) {
			if o == h {
				return
			}
			o.finish(name)
			h.disk.defined[name] = true
		}
	}
	if verb == "moved" || h.disk.defined[name] {
		h.disk.defined[name] = true
		h.begin(name, true)
		if p := h.proc; p != nil && h.rng.IntN(4) > 0 {
			p.changed(h.hypervisor().machine(name))
		}
	}
}

// update has an administrator push a cluster.conf with other services, or with
// other nodes.
func (s *Sim) update(at *host, services []string, nodes []*host) {
	if at.proc == nil {
		return
	}
	now, next := s.settings(at.proc.core.Text()), s.set
	next.version, next.nodes, next.services = now.version+1, nil, nil
	for _, h := range nodes {
		next.nodes = next.nodes.With(h.id)
	}
	if len(nodes) == 0 {
		next.nodes = now.nodes
	} else {
		next.services = now.services
	}
	for _, name := range services {
		name = machineOf(name)
		i := slices.IndexFunc(s.set.services, func(o service) bool { return o.name == name })
		if i >= 0 {
			next.services = append(next.services, s.set.services[i])
		} else {
			next.services = append(next.services, service{name: name, autostart: true})
		}
	}
	clear(s.frozen)
	clear(s.disabled)
	text := next.text()
	s.ask(at, &wish{verb: "update"}, func(id string) rgmanager.Event {
		return rgmanager.Proposed{ID: id, From: at.id, At: s.time().UnixMilli(), By: "root", Text: text}
	})
}
