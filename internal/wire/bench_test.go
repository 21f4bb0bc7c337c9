package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

func BenchmarkStatus(b *testing.B) {
	for _, services := range []int{10, 1000} {
		b.Run(fmt.Sprintf("nodes=16/services=%d", services), func(b *testing.B) {
			var st cluster.Status
			for i := range 16 {
				st.Members = append(st.Members, cluster.Member{Name: fmt.Sprintf("node%d.example.com", i+1), ID: cluster.NodeID(i + 1)})
			}
			for i := range services {
				st.Services = append(st.Services, cluster.Service{Name: fmt.Sprintf("vm:machine%d", i), State: cluster.Started, Owner: 1})
			}
			l, err := wire.Listen(filepath.Join(b.TempDir(), "s"))
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			s := &wire.Server{Backend: &fake{status: func(context.Context) (cluster.Status, error) { return st, nil }}}
			go func() { ended <- s.Serve(ctx, l) }()
			c := wire.New(l.Addr().String())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Status(ctx); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			<-ended
		})
	}
}

// Whatever a caller sends, the server answers or hangs up, and goes on.
func FuzzServer(f *testing.F) {
	f.Add([]byte("POST /v1/services/act HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"verb\":\"stop\"}"))
	f.Add([]byte("PUT /v1/config?file=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<a>\r\n0\r\n\r\n"))
	f.Add([]byte("GET /v1/status HTTP/1.0\r\n\r\n"))
	f.Add([]byte("\x16\x03\x01"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := serve(t, &wire.Server{Admin: allow, Backend: &fake{
			status: func(context.Context) (cluster.Status, error) { return cluster.Status{Quorate: true}, nil },
			act: func(_ context.Context, a wire.Action) (wire.Answer, error) {
				return wire.Answer{}, errors.New("no " + string(a.Verb))
			},
			update: func(string, []byte) (wire.UpdateAnswer, error) { return wire.UpdateAnswer{}, io.EOF },
			ack:    func(string) error { return io.EOF },
		}})
		send(t, path, text)
		if st, err := wire.New(path).Status(t.Context()); err != nil || !st.Quorate {
			t.Errorf("afterwards Status = %+v, %v", st, err)
		}
	})
}
