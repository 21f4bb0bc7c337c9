package rgmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// snapshotVersion rises when an older release could not read the state.
const snapshotVersion = 2

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
