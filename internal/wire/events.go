package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"fangnetz/internal/cluster"
)

// Event is one line of the stream that a watcher reads.
type Event struct {
	Status     cluster.Status `json:"status"`
	Migrations []Migration    `json:"migrations,omitempty"` // under way, by service
}

// Migration is how far a migration has come.
type Migration struct {
	Service string         `json:"service"`
	From    cluster.NodeID `json:"from"`
	To      cluster.NodeID `json:"to"`
	cluster.Progress
}

// stream is an answer that comes in pieces, each a line of JSON, until the
// caller goes away.
type stream func(ctx context.Context, emit func(Event) error) error

// serveEvents sends the status now, and again whenever it has changed.
//
//	> GET /v1/events
//	< 200 {"status":{"cluster":{"name":"alpha",...},...}}
//	<     {"status":{...},"migrations":[{"service":"vm:web","from":1,"to":2,"total":1073741824,...}]}
func serveEvents(b Backend, _ *http.Request) (any, error) { return stream(b.Watch), nil }

func (s stream) reply(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, rc := json.NewEncoder(w), http.NewResponseController(w)
	s(r.Context(), func(ev Event) error {
		if err := out.Encode(ev); err != nil {
			return err
		}
		return rc.Flush()
	}) // whatever ends it ends the connection too: the caller sees that
}

// Watch calls f with the status now, and again whenever it has changed, until
// ctx ends, f returns an error, or cmand does not answer any more.
func (c *Client) Watch(ctx context.Context, f func(Event) error) error {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://cmand"+eventsPath, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot ask cmand: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &Refusal{Broken, "cmand answers " + resp.Status}
	}
	limit := &io.LimitedReader{R: resp.Body}
	lines := json.NewDecoder(limit)
	for {
		limit.N = maxAnswer // for one event
		var ev Event
		if err := lines.Decode(&ev); err != nil {
			return fmt.Errorf("the connection to cmand ended: %w", err)
		}
		if err := f(ev); err != nil {
			return err
		}
	}
}
