package rgmanager

import (
	"fmt"
	"strings"

	"fangnetz/internal/cluster"
)

// maxReason bounds the words of one entry of the history, in bytes.
const maxReason = 1000

// record adds an entry to the history of every node. It ends now, and began
// now when it does not say otherwise.
func (m *Machine) record(e cluster.Entry) {
	e.Ended = m.Now
	if e.Began == 0 {
		e.Began = m.Now
	}
	m.do(History{e})
}

// recordJob adds a job that has ended.
func (m *Machine) recordJob(name string, j *job, r cluster.Result, owner cluster.NodeID) {
	if j.Kind == look && (j.Known || len(j.FoundOn) < 2 && owner == j.From) {
		return // nothing new
	}
	e := cluster.Entry{Began: j.Began, Service: name, What: j.what(), From: j.From, To: owner, Result: r, Reason: j.Why}
	if j.Request != nil {
		e.By = j.Request.By
	}
	if r != cluster.Success && owner == 0 && j.Kind != stop && j.Kind != disable {
		e.To = j.On // where it failed
	}
	m.record(e)
}

// what is the history's word for the job.
func (j *job) what() string {
	switch {
	case j.Request != nil:
		return j.Request.Verb
	case j.Kind == look && len(j.FoundOn) > 1:
		return "doubled"
	case j.Kind == look:
		return "adopt"
	case j.Drain != 0 && j.Drain == j.Prefer:
		return "undrain"
	case j.Drain != 0:
		return "drain"
	case j.Kind == migrate || j.Kind == relocate:
		return "failback"
	}
	return string(j.Kind)
}

// because adds to the reasons of a job.
func (j *job) because(format string, args ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	if j.Why != "" {
		text = j.Why + "; " + text
	}
	if len(text) > maxReason {
		text = text[:maxReason] + "..."
	}
	j.Why = strings.ToValidUTF8(text, "")
}
