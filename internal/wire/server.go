package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Server answers on the socket.
type Server struct {
	Backend Backend
	// Admin says whether a caller may act; nil: [RootOrCluster].
	Admin func(uid, gid uint32) bool

	bodyTimeout time.Duration // for a whole body; 0: 30 s
}

// Serve answers on l until ctx ends. Requests under way then have their own
// context cancelled and a short while to answer. l is closed when it returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	hs := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("cannot serve %s: %v", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := hs.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = hs.Close()
	}
	<-failed
	return err
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, q := range requests() {
		mux.HandleFunc(q.method+" "+q.path, func(w http.ResponseWriter, r *http.Request) {
			v, err := s.answer(w, r, q)
			if events, ok := v.(stream); ok {
				events.reply(w, r)
				return
			}
			reply(w, v, err)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, nil, &Refusal{BadRequest, fmt.Sprintf("no request %s %q", r.Method, r.URL.Path)})
	})
	return mux
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, q request) (any, error) {
	// A server-wide read time-out would end a long Act as well; this one is
	// lifted as soon as the body is in.
	limit := s.bodyTimeout
	if limit == 0 {
		limit = 30 * time.Second
	}
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	r.Body = &body{http.MaxBytesReader(w, r.Body, q.limit), func() { rc.SetReadDeadline(time.Time{}) }}
	if q.policy == admin && !s.mayAct(r.Context()) {
		io.Copy(io.Discard, r.Body) // who is still sending would not read the answer
		return nil, &Refusal{Denied, "Permission denied"}
	}
	return q.serve(s.Backend, r)
}

func reply(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok {
			refusal = &Refusal{Broken, err.Error()}
		}
		status, v = refusal.httpStatus(), refusal
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // fails only when the caller is gone
}
