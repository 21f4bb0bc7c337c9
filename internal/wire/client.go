package wire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"fangnetz/internal/cluster"
)

// Client asks the cmand of this node. Each request has its own connection. An
// error is a *[Refusal] when cmand answered with one; else it wraps the
// system's error (syscall.ENOENT: no socket, ECONNREFUSED: nobody listens).
type Client struct {
	http http.Client
}

// New returns a client of the socket at path; empty: $CMAND_SOCKET, or [Socket].
func New(path string) *Client {
	path = cmp.Or(path, os.Getenv("CMAND_SOCKET"), Socket)
	return &Client{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
		},
	}}}
}

// Status asks for what clustat shows. It waits 10 seconds at most (clustat,
// "Messages").
func (c *Client) Status(ctx context.Context) (cluster.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return ask[cluster.Status](ctx, c, "GET", statusPath, nil)
}

// Membership asks for what cman_tool shows. It waits 10 seconds at most.
func (c *Client) Membership(ctx context.Context) (cluster.Membership, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return ask[cluster.Membership](ctx, c, "GET", memberPath, nil)
}

// History asks for what was done with a service, or with all when it is empty,
// the oldest first. It waits 10 seconds at most.
func (c *Client) History(ctx context.Context, service string) ([]cluster.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return ask[[]cluster.Entry](ctx, c, "GET", pastPath+"?"+url.Values{"service": {service}}.Encode(), nil)
}

// Act has a carried out and waits for its end, without limit. A caller who may
// not act gets [cluster.Denied] as the result, not an error.
func (c *Client) Act(ctx context.Context, a Action) (Answer, error) {
	answer, err := ask[Answer](ctx, c, "POST", actPath, a)
	if errors.Is(err, &Refusal{Code: Denied}) {
		return Answer{Result: cluster.Denied}, nil
	}
	return answer, err
}

// Update sends the text of a new cluster.conf, named file in its faults.
func (c *Client) Update(ctx context.Context, file string, text []byte) (UpdateAnswer, error) {
	if len(text) > maxConfig {
		return UpdateAnswer{}, &Refusal{BadRequest, fmt.Sprintf("%s is larger than %d bytes", file, maxConfig)}
	}
	return ask[UpdateAnswer](ctx, c, "PUT", configPath+"?"+url.Values{"file": {file}}.Encode(), text)
}

// AckFence tells cmand that node is down for certain.
func (c *Client) AckFence(ctx context.Context, node string) error {
	_, err := ask[struct{}](ctx, c, "POST", ackPath, ackRequest{node})
	return err
}

// ask sends body, as it is when it is bytes, else as JSON, and reads a T.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var answer T
	var data []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		data = b
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			return answer, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cmand"+path, bytes.NewReader(data))
	if err != nil {
		return answer, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer, fmt.Errorf("cannot ask cmand: %w", err)
	}
	defer resp.Body.Close()
	d := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode == http.StatusOK {
		if err := d.Decode(&answer); err != nil {
			return *new(T), fmt.Errorf("cannot read the answer of cmand: %w", err)
		}
		return answer, nil
	}
	refusal := new(Refusal)
	if err := d.Decode(refusal); err != nil || refusal.Code == "" {
		return answer, &Refusal{Broken, "cmand answers " + resp.Status}
	}
	return answer, refusal
}
