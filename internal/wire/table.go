package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"fangnetz/internal/cluster"
)

// policy says who may make a request.
type policy int

const (
	anyone policy = iota
	admin         // root or group cluster
)

// request is one line of the protocol.
type request struct {
	method, path string
	policy       policy
	limit        int64 // largest body in bytes
	serve        func(b Backend, r *http.Request) (any, error)
}

const (
	statusPath = "/v1/status"
	eventsPath = "/v1/events"
	memberPath = "/v1/membership"
	pastPath   = "/v1/history"
	actPath    = "/v1/services/act"
	configPath = "/v1/config"
	ackPath    = "/v1/fence/ack"
)

// requests is the whole protocol.
func requests() []request {
	return append(configRequests(), []request{
		{"GET", statusPath, anyone, 0, serveStatus},
		{"GET", eventsPath, anyone, 0, serveEvents},
		{"GET", memberPath, anyone, 0, serveMembership},
		{"GET", pastPath, anyone, 0, serveHistory},
		{"POST", actPath, admin, maxAsk, serveAct},
		{"PUT", configPath, admin, maxConfig, serveUpdate},
		{"POST", ackPath, admin, maxAsk, serveAck},
	}...)
}

// serveStatus hands out cluster.Status.
//
//	> GET /v1/status
//	< 200 {"cluster":{"name":"alpha",...},"local":1,"quorate":true,"members":[...],...}
func serveStatus(b Backend, r *http.Request) (any, error) { return b.Status(r.Context()) }

// serveMembership hands out cluster.Membership.
//
//	> GET /v1/membership
//	< 200 {"cluster":{"name":"alpha",...},"local":1,"quorate":true,"expected_votes":3,"nodes":[...],...}
func serveMembership(b Backend, r *http.Request) (any, error) { return b.Membership(r.Context()) }

// serveHistory hands out cluster.Entry by cluster.Entry.
//
//	> GET /v1/history?service=vm:web
//	< 200 [{"began":1262304000000,"ended":1262304004000,"service":"vm:web","what":"migrate",...}]
func serveHistory(b Backend, r *http.Request) (any, error) {
	entries, err := b.History(r.Context(), r.URL.Query().Get("service"))
	if entries == nil {
		entries = []cluster.Entry{} // null would be no answer
	}
	return entries, err
}

// serveAct carries out one request of clusvcadm and answers when it is done.
//
//	> POST /v1/services/act
//	> {"verb":"relocate","service":"vm:web","target":2}
//	< 200 {"result":0,"owner":2}
func serveAct(b Backend, r *http.Request) (any, error) {
	var a Action
	if err := decode(r.Body, &a); err != nil {
		return nil, err
	}
	return b.Act(r.Context(), a)
}

// serveUpdate takes a new cluster.conf, as it is.
//
//	> PUT /v1/config?file=/root/cluster.conf
//	> <?xml version="1.0"?><cluster name="alpha" config_version="8">...
//	< 200 {"from":7,"to":8}
func serveUpdate(b Backend, r *http.Request) (any, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, unreadable(err)
	}
	return b.Update(r.Context(), r.URL.Query().Get("file"), text)
}

// ackRequest is what fence_ack_manual sends.
type ackRequest struct {
	Node string `json:"node"`
}

// serveAck releases a node that waits to be fenced.
//
//	> POST /v1/fence/ack
//	> {"node":"node2.example.com"}
//	< 200 {}
func serveAck(b Backend, r *http.Request) (any, error) {
	var a ackRequest
	if err := decode(r.Body, &a); err != nil {
		return nil, err
	}
	return struct{}{}, b.AckFence(r.Context(), a.Node)
}

// decode reads one JSON value and nothing else. A member that v does not have
// is an error, so that two releases do not misunderstand each other in silence.
func decode(body io.Reader, v any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return unreadable(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return unreadable(fmt.Errorf("data after the request: %v", err))
	}
	return nil
}

func unreadable(err error) *Refusal {
	return &Refusal{BadRequest, fmt.Sprintf("cannot read the request: %v", err)}
}
