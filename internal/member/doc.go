// Package member is the ordered channel between the nodes: who is in the
// cluster, whether they are quorate, and messages that every member gets in
// the same order. [Start] gives it over corosync; [NewSolo] gives the same to
// a cluster of one node, without corosync.
//
// It decides nothing and logs nothing. What a membership means is left to
// its readers.
package member
