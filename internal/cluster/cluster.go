// Package cluster holds the nouns that every part of Fangnetz shares, and the
// exact words that Red Hat Cluster Suite had for them: node ids, service
// states and flags, request results, the status that clustat prints, and what
// the ordered channel between the nodes delivers. It decides nothing.
package cluster

import (
	"slices"
	"strconv"
)

// NodeID is a clusternode's nodeid. 0 is nobody; for clustat it is also the
// id of a quorum device.
type NodeID uint32

func (id NodeID) String() string { return strconv.FormatUint(uint64(id), 10) }

// NodeIDs is a set of nodes, sorted, without repetition.
type NodeIDs []NodeID

// Has reports whether id is in the set.
func (s NodeIDs) Has(id NodeID) bool {
	_, ok := slices.BinarySearch(s, id)
	return ok
}

// With returns the set with id added; s is left as it was.
func (s NodeIDs) With(id NodeID) NodeIDs {
	i, ok := slices.BinarySearch(s, id)
	if ok {
		return s
	}
	return slices.Insert(slices.Clone(s), i, id)
}

// Without returns the set with id taken out; s is left as it was.
func (s NodeIDs) Without(id NodeID) NodeIDs {
	i, ok := slices.BinarySearch(s, id)
	if !ok {
		return s
	}
	return slices.Delete(slices.Clone(s), i, i+1)
}
