// Package rgmanager makes every decision of the cluster: where a service
// runs, when it is started, stopped, migrated and recovered, which node is
// fenced, and when a new cluster.conf takes effect.
//
// It is one deterministic state machine. Each node feeds it the same events
// in the same order and so holds the same picture; a node then carries out
// the actions that name it and multicasts their end as the next event. There
// is no clock, no I/O and no randomness in here: times ride in the events,
// stamped by their sender, and a delay is the action Wait, whose end comes
// back as the event Elapsed.
//
// The rules are rgmanager's in distributed mode (rgmanager, "Events and what
// they trigger" to "Failure, recovery policy, restart limits") and fenced's
// (cman, "Fencing semantics"). Where several of the original's nodes would
// have raced for a service, the lowest node id wins.
//
// One rule is ours and comes before all others: each service carries the set
// of nodes that may be running it (MayRun), and it is started on a node only
// when no other node is left in that set. A node leaves the set when it has
// stopped the service, has looked and not found it, or was fenced; the target
// of a migration only when that is over (sending).
//
// Another one keeps a cluster.conf that was acknowledged (unfit, outvoted): the
// members that store it have a quorum of their own, and so have those with whom
// a cluster forms. One of these has it, and the highest version counts; but not
// that of a node which was not in the latest quorum (Epoch): its update may
// have been given up since, and services started by other rules.
package rgmanager
