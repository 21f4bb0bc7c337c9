package rgmanager

import (
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// slot is a place for an operation on a node. A node has as many of each kind
// as conf.Limits says; what finds none waits in Machine.Queued.
type slot int

const (
	startSlot slot = iota
	stopSlot
	moveSlot
	slots
)

// taken counts the slots of each node that are in use.
type taken map[cluster.NodeID]*[slots]int

func (t taken) take(k slot, id cluster.NodeID) {
	if t[id] == nil {
		t[id] = new([slots]int)
	}
	t[id][k]++
}

// hasSlot reports whether a node has a slot left. One that is gone always has:
// what waits for it must learn that.
func (m *Machine) hasSlot(k slot, id cluster.NodeID) bool {
	if n := m.Nodes[id]; n != nil && n.Up && !n.Ready {
		return false // it would not hear of it, or not know what became of it
	}
	if m.taken == nil {
		m.taken = taken{}
		for _, s := range m.Services {
			if s.Job != nil {
				m.take(s.Job)
			}
		}
	}
	limit := [slots]int{m.conf.Limits.Starts, m.conf.Limits.Stops, m.conf.Limits.Migrations}[k]
	use := m.taken[id]
	return use == nil || use[k] < limit
}

// freeSlot says that a job has given up its slot.
func (m *Machine) freeSlot() { m.taken, m.freed = nil, true }

// take counts the slots that a job holds.
func (m *Machine) take(j *job) {
	if m.taken == nil {
		return // counted when it is asked for
	}
	switch j.Phase {
	case finding, starting, cleaning:
		if j.Kind != look {
			m.taken.take(startSlot, j.On)
		}
	case stopping:
		m.taken.take(stopSlot, j.On)
	case migrating, settling:
		m.taken.take(moveSlot, j.On)
		m.taken.take(moveSlot, j.Prefer)
	}
}

// hold lets a service wait until one of the nodes has a slot of that kind, or
// for a migration all of them.
func (m *Machine) hold(name string, s *service, k slot, ids ...cluster.NodeID) {
	s.Held = &held{Slot: k, On: ids}
	if slices.Contains(m.Queued, name) {
		return
	}
	c, _ := m.service(name)
	at := len(m.Queued)
	for i, other := range m.Queued {
		if o, _ := m.service(other); o != nil && o.Priority > c.Priority {
			at = i
			break
		}
	}
	m.Queued = slices.Insert(m.Queued, at, name)
}

// held is what a service waits for.
type held struct {
	Slot slot
	On   []cluster.NodeID
}

// admit goes on with what waits, the lowest priority number first, as far as
// there are slots.
func (m *Machine) admit() {
	if len(m.Queued) == 0 || !m.Quorate || !m.freed {
		return
	}
	for _, name := range slices.Clone(m.Queued) {
		c, s := m.service(name)
		if s == nil || s.Held == nil {
			m.unqueue(name)
			continue
		}
		free := func(id cluster.NodeID) bool { return m.hasSlot(s.Held.Slot, id) }
		if s.Held.Slot == moveSlot && !all(s.Held.On, free) || !slices.ContainsFunc(s.Held.On, free) {
			continue
		}
		m.unqueue(name)
		s.Held = nil
		m.goOn(name, c, s)
	}
}

func (m *Machine) unqueue(name string) {
	m.Queued = slices.DeleteFunc(m.Queued, func(other string) bool { return other == name })
}

// goOn does what a service waited for, if that still makes sense.
func (m *Machine) goOn(name string, c *conf.Service, s *service) {
	j := s.Job
	switch {
	case j == nil:
		m.consider(name, c, s, m.willing())
	case j.Phase != queued:
	case j.Then == stopping:
		m.stopNow(name, s)
	case j.Then == migrating:
		m.migrateNow(name, c, s)
	case m.conflict(name, c, j.On): // meanwhile
		j.Walking = true
		m.walk(name, c, s)
	default:
		m.startOn(name, s, j.On)
	}
}

func all[T any](list []T, f func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !f(v) })
}
