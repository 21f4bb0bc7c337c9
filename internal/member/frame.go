package member

import (
	"encoding/binary"
	"slices"

	"fangnetz/internal/cluster"
)

// What goes through corosync is a frame: a header and bytes, big-endian.
//
//	0  kind, 1 byte: 1 part of a message, 2 verdict
//	1  zero, 3 bytes
//	4  kind 1: index of the part; kind 2: 1 quorate, 0 not
//	8  kind 1: number of parts;   kind 2: node of the ring
//	12 kind 1: number of the message, rising with its sender; kind 2: sequence of the ring
//	20 kind 1: the part's bytes
//
// A frame of another kind is of a later release, and is dropped.
const (
	partFrame    = 1
	verdictFrame = 2
	headerSize   = 20
)

// partSize is what one frame carries, bytes: below what corosync takes at
// once (1 MiB less its headers), small enough that the nodes take turns.
const partSize = 256 << 10

// maxParts bounds what a sender can make us hold.
const maxParts = MaxMessage/partSize + 1

type header struct {
	kind         byte
	index, count uint32
	number       uint64
}

func (h header) bytes() []byte {
	b := make([]byte, 4, headerSize)
	b[0] = h.kind
	b = binary.BigEndian.AppendUint32(b, h.index)
	b = binary.BigEndian.AppendUint32(b, h.count)
	return binary.BigEndian.AppendUint64(b, h.number)
}

// parse splits a frame; ok is false for one that is too short.
func parse(frame []byte) (h header, body []byte, ok bool) {
	if len(frame) < headerSize {
		return header{}, nil, false
	}
	return header{
		kind:   frame[0],
		index:  binary.BigEndian.Uint32(frame[4:]),
		count:  binary.BigEndian.Uint32(frame[8:]),
		number: binary.BigEndian.Uint64(frame[12:]),
	}, frame[headerSize:], true
}

// parts cuts data to the size of a frame; no data are one empty part.
func parts(data []byte) [][]byte {
	if len(data) == 0 {
		return [][]byte{nil}
	}
	return slices.Collect(slices.Chunk(data, partSize))
}

// verdict is votequorum's answer for a ring.
type verdict struct {
	ring    cluster.RingID
	quorate bool
}

func (v verdict) header() header {
	h := header{kind: verdictFrame, count: uint32(v.ring.Node), number: v.ring.Seq}
	if v.quorate {
		h.index = 1
	}
	return h
}

func (h header) verdict() verdict {
	return verdict{cluster.RingID{Node: cluster.NodeID(h.count), Seq: h.number}, h.index == 1}
}

// assembly is a message of several parts on its way in.
type assembly struct {
	number uint64
	next   uint32 // index of the part that must come now
	data   []byte
}
