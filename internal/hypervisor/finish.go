package hypervisor

import (
	"encoding/binary"
	"net"
	"sync/atomic"
)

// libvirt's remote protocol: each call begins with its length, the program,
// its version and the procedure, four bytes each, big endian.
const (
	rpcHeader  = 16
	rpcProgram = 0x20008086
	rpcFinish  = 306 // REMOTE_PROC_DOMAIN_MIGRATE_FINISH3_PARAMS: the target's guest is to go on
)

// finishWatch is a connection to the target's libvirtd that notices when the
// target is told to go on with the guest. From then on the guest may run
// there, whatever the source believes: when the answer is lost the source's
// libvirtd takes the migration for failed.
type finishWatch struct {
	net.Conn
	told *atomic.Bool
	head []byte // of the call being written
	rest int    // bytes of it to come
}

func (w *finishWatch) Write(p []byte) (int, error) {
	for q := p; len(q) > 0; {
		if w.rest > 0 {
			n := min(w.rest, len(q))
			q, w.rest = q[n:], w.rest-n
			continue
		}
		n := min(rpcHeader-len(w.head), len(q))
		w.head, q = append(w.head, q[:n]...), q[n:]
		if len(w.head) == rpcHeader {
			if binary.BigEndian.Uint32(w.head[4:]) == rpcProgram && binary.BigEndian.Uint32(w.head[12:]) == rpcFinish {
				w.told.Store(true)
			}
			w.rest = max(0, int(binary.BigEndian.Uint32(w.head))-rpcHeader)
			w.head = w.head[:0]
		}
	}
	return w.Conn.Write(p)
}

// CloseWrite passes on the end of what is written.
func (w *finishWatch) CloseWrite() error {
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
