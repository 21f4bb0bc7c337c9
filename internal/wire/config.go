package wire

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ConfigBackend is the part of [Backend] that tells of configurations.
type ConfigBackend interface {
	// Config is the text of the configuration of that version, 0 being the
	// one in force. It holds passwords.
	Config(ctx context.Context, version int) (ConfigText, error)
	// ConfigHistory lists the configurations that were in force on this node,
	// the latest last.
	ConfigHistory(ctx context.Context) ([]ConfigEntry, error)
}

// ConfigText is a whole cluster.conf.
type ConfigText struct {
	Version int    `json:"version"`
	Text    []byte `json:"text"` // in any encoding
}

// ConfigEntry is one configuration that was, or is, in force.
type ConfigEntry struct {
	Version  int    `json:"version"`
	Since    int64  `json:"since"`          // when it came into force here, seconds since the epoch
	Node     string `json:"node,omitempty"` // where it was pushed; empty: not known, as at the start of cmand
	Size     int    `json:"size"`           // bytes
	Nodes    int    `json:"nodes"`          // how many it has
	Services int    `json:"services"`       // likewise
	// Changes say what it changed, without any password; of many the first few.
	Changes []string `json:"changes,omitempty"`
	More    int      `json:"more,omitempty"` // changes beyond these
}

const historyPath = "/v1/config/history"

func configRequests() []request {
	return []request{
		{"GET", configPath, admin, 0, serveConfig},
		{"GET", historyPath, anyone, 0, serveConfigHistory},
	}
}

// serveConfig hands out a cluster.conf, the running one or an older one.
//
//	> GET /v1/config?version=7
//	< 200 {"version":7,"text":"PD94bWwg..."}
func serveConfig(b Backend, r *http.Request) (any, error) {
	version := 0
	if v := r.URL.Query().Get("version"); v != "" {
		var err error
		if version, err = strconv.Atoi(v); err != nil || version < 1 {
			return nil, &Refusal{BadRequest, fmt.Sprintf("version %q is not a number from 1 up", v)}
		}
	}
	return b.Config(r.Context(), version)
}

// serveConfigHistory lists the configurations that were in force.
//
//	> GET /v1/config/history
//	< 200 [{"version":7,"since":1262304000,"size":2345,"nodes":2,"services":9}]
func serveConfigHistory(b Backend, r *http.Request) (any, error) {
	return b.ConfigHistory(r.Context())
}

// Config asks for the configuration of that version, 0 being the one in force.
func (c *Client) Config(ctx context.Context, version int) (ConfigText, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	path := configPath
	if version != 0 {
		path += "?" + url.Values{"version": {strconv.Itoa(version)}}.Encode()
	}
	return ask[ConfigText](ctx, c, "GET", path, nil)
}

// ConfigHistory asks for the configurations that were in force, the latest
// last.
func (c *Client) ConfigHistory(ctx context.Context) ([]ConfigEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return ask[[]ConfigEntry](ctx, c, "GET", historyPath, nil)
}
