package rgmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

// snapshotVersion rises when an older release could not read the state.
const snapshotVersion = 4

type snapshot struct {
	Version int
	State   state
}

// Snapshot returns the whole state, for a newcomer.
func (m *Machine) Snapshot() ([]byte, error) {
	return json.Marshal(snapshot{snapshotVersion, m.state})
}

// Restore returns the machine that a Snapshot describes.
func Restore(data []byte) (*Machine, error) {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("cannot read snapshot: %v", err)
	}
	if s.Version != snapshotVersion {
		return nil, fmt.Errorf("cannot read snapshot: its version is %d, this release knows %d", s.Version, snapshotVersion)
	}
	m := &Machine{state: s.State}
	if err := m.load(s.State.Config); err != nil {
		return nil, fmt.Errorf("cannot read snapshot: %v", err)
	}
	m.index()
	return m, nil
}

// Hash is the same on replicas that agree.
func (m *Machine) Hash() (string, error) {
	data, err := m.Snapshot()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Resume returns what a node was told while it had no machine, and so did not
// hear: to be done after it has loaded a Snapshot.
func (m *Machine) Resume(local cluster.NodeID) []Action {
	m.actions, m.finds = nil, nil
	for _, op := range slices.Sorted(maps.Keys(m.Waits)) {
		if w := m.Waits[op]; w.On == local {
			m.do(Wait{ID: w.Op, On: local, For: w.For})
		}
	}
	for _, id := range m.nodeIDs() {
		if v := m.Nodes[id].Victim; v != nil && v.By == local {
			m.do(Fence{Op: v.Op, On: local, Victim: id})
		}
	}
	if u := m.Update; u != nil && u.Waiting.Has(local) {
		if u.Active {
			m.do(Activate{Op: u.Op, On: local, Text: u.Text, Version: u.Version})
		} else {
			m.do(Stage{Op: u.Op, On: local, Text: u.Text})
		}
	}
	m.inOrder(func(name string, _ *conf.Service, s *service) {
		if !m.Quorate && s.MayRun.Has(local) {
			m.do(Stop{On: local, Service: name, Hard: true})
		}
	})
	if n := m.Nodes[local]; n != nil && n.Up && !n.Ready && n.Probe != (Op{}) {
		m.do(Probe{Op: n.Probe, On: local})
	}
	return m.actions
}
