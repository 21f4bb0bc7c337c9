// Package wire is the protocol between the commands and cmand, both ends of
// it: HTTP and JSON over a UNIX socket. The version is in the path, and so
// `curl --unix-socket` is a debugger. docs/protocol.md shows every request.
//
// Anyone may ask; root and the members of group cluster may act. The kernel
// says who the caller is (unix(7), "SO_PEERCRED").
//
// It decides nothing about the cluster: a [Backend] answers.
package wire

import (
	"context"
	"errors"
	"net/http"

	"fangnetz/internal/cluster"
)

// Socket is where cmand listens.
const Socket = "/run/cluster/cmand.sock"

// Largest bodies, in bytes.
const (
	maxConfig = 16 << 20 // a cluster.conf
	maxAsk    = 64 << 10 // any other request
	maxAnswer = 64 << 20 // any answer
)

// Backend is what cmand does behind the socket. Its methods are called
// concurrently. ctx ends when the caller goes away or the server stops.
//
// An error that is a *[Refusal] reaches the caller as it is; of any other
// only the words do.
type Backend interface {
	// Status answers within seconds, from this node's own copy.
	Status(ctx context.Context) (cluster.Status, error)
	// Watch calls emit with the status at once, and again whenever it has
	// changed, until ctx ends or emit fails.
	Watch(ctx context.Context, emit func(Event) error) error
	// Membership answers within seconds, although names are looked up for it.
	Membership(ctx context.Context) (cluster.Membership, error)
	// History returns what was done, the oldest first, with one service or
	// with all when it is empty.
	History(ctx context.Context, service string) ([]cluster.Entry, error)
	// Act returns when the request has been carried out or refused; a stop
	// or a migration may take minutes. A dry run ends at once. [Caller] is who
	// asks.
	Act(ctx context.Context, a Action) (Answer, error)
	// Update makes text the configuration of all nodes. file is its name for
	// the caller, to be quoted in faults.
	Update(ctx context.Context, file string, text []byte) (UpdateAnswer, error)
	ConfigBackend
	// AckFence takes the administrator's word that node is down, as success
	// of the fencing that waits for it.
	AckFence(ctx context.Context, node string) error
}

// Verb is what clusvcadm asks for.
type Verb string

const (
	Enable     Verb = "enable"
	Disable    Verb = "disable"
	Stop       Verb = "stop"
	Relocate   Verb = "relocate"
	Migrate    Verb = "migrate"
	Restart    Verb = "restart"
	Freeze     Verb = "freeze"
	Unfreeze   Verb = "unfreeze"
	Convalesce Verb = "convalesce"
	Lock       Verb = "lock"    // the whole cluster, no service
	Unlock     Verb = "unlock"  // the whole cluster, no service
	Drain      Verb = "drain"   // a node, Target: everything off, nothing on
	Undrain    Verb = "undrain" // and back to where it was
)

// Action is a request of clusvcadm. A verb that the daemon does not know is
// answered with [cluster.InvalidOperation].
type Action struct {
	Verb     Verb           `json:"verb"`
	Service  string         `json:"service,omitempty"`   // full name: vm:web
	Target   cluster.NodeID `json:"target,omitempty"`    // 0: none given
	ByDomain bool           `json:"by_domain,omitempty"` // clusvcadm -e -F
	DryRun   bool           `json:"dry_run,omitempty"`   // say what would happen, do nothing
}

// Answer is the end of an Action.
type Answer struct {
	Result cluster.Result `json:"result"`
	Owner  cluster.NodeID `json:"owner,omitempty"` // after enable or relocate; 0: nobody
	// Problem says more than Result does, if there is more to say.
	Problem string         `json:"problem,omitempty"`
	Trial   *cluster.Trial `json:"trial,omitempty"` // of a dry run
}

// Code says what kind of refusal it is.
type Code string

const (
	Denied      Code = "denied"       // caller is neither root nor in group cluster
	UnknownNode Code = "unknown node" // no clusternode of that name
	NotKept     Code = "not kept"     // no configuration of that version is kept
	NotWaiting  Code = "not waiting"  // the node is not waiting to be fenced
	NoQuorum    Code = "no quorum"    //
	BadRequest  Code = "bad request"  // unreadable, unknown or too large
	Broken      Code = "broken"       // the daemon failed, or is stopping
)

// Refusal is the answer to a request that could not be served.
type Refusal struct {
	Code  Code   `json:"code"`
	Words string `json:"words"` // for people
}

func (r *Refusal) Error() string { return r.Words }

// Is makes errors.Is(err, &Refusal{Code: c}) ask for the code alone.
func (r *Refusal) Is(target error) bool {
	t, ok := errors.AsType[*Refusal](target)
	return ok && t.Words == "" && t.Code == r.Code
}

func (r *Refusal) httpStatus() int {
	switch r.Code {
	case Denied:
		return http.StatusForbidden
	case UnknownNode, NotKept:
		return http.StatusNotFound
	case NotWaiting, NoQuorum:
		return http.StatusConflict
	case BadRequest:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
