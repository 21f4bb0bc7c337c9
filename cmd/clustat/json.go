package main

import (
	"encoding/json"
	"io"

	"fangnetz/internal/cluster"
)

// document is what --json prints (clustat(8), "JSON"). It is a promise:
// members may be added, none may change its name or meaning while schema is 1.
type document struct {
	Schema  int `json:"schema"`
	Cluster struct {
		Name          string `json:"name"`
		ID            uint32 `json:"id"`
		Generation    uint64 `json:"generation"`
		ConfigVersion int    `json:"config_version"`
	} `json:"cluster"`
	Quorate bool `json:"quorate"`
	Manager struct {
		Running bool   `json:"running"`
		Locked  bool   `json:"locked"`
		Refusal string `json:"refusal"` // empty: none
	} `json:"manager"`
	Members  []jsonMember  `json:"members"`  // null: no list to be had
	Services []jsonService `json:"services"` // null: no states to be had
	Fencing  []jsonFencing `json:"fencing"`
}

type jsonMember struct {
	Name       string         `json:"name"`
	ID         cluster.NodeID `json:"id"`
	Online     bool           `json:"online"`
	Local      bool           `json:"local"`
	Configured bool           `json:"configured"`
	Manager    bool           `json:"manager"`
	Master     bool           `json:"master"`
	QuorumDisk bool           `json:"quorum_disk"`
	Drained    bool           `json:"drained"`
}

type jsonService struct {
	Name           string         `json:"name"` // with its type
	State          string         `json:"state"`
	StateNumber    int            `json:"state_number"`
	Flags          []string       `json:"flags"`
	Owner          *string        `json:"owner"` // null: nobody
	OwnerID        cluster.NodeID `json:"owner_id"`
	LastOwner      *string        `json:"last_owner"` // null: nobody
	LastOwnerID    cluster.NodeID `json:"last_owner_id"`
	Restarts       int            `json:"restarts"`
	LastTransition int64          `json:"last_transition"` // seconds since the epoch, 0: never
	Seen           []string       `json:"seen"`            // on these nodes at once; empty: as it should be
}

type jsonFencing struct {
	Node      *string        `json:"node"`
	NodeID    cluster.NodeID `json:"node_id"`
	By        *string        `json:"by"` // null: waiting
	ByID      cluster.NodeID `json:"by_id"`
	Since     int64          `json:"since"`    // seconds since the epoch
	Attempts  int            `json:"attempts"` // finished, all failed
	LastError string         `json:"last_error"`
}

// encode prints a document.
func encode(w io.Writer, document any) {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	e.Encode(document) // plain values: nothing that fails
}

// renderJSON prints all that is known, for every user and in every release's
// form alike; -m and -s pick one member and one service of it, and give the
// exit status.
func renderJSON(w io.Writer, st cluster.Status, opts options) int {
	name := func(id cluster.NodeID) *string {
		if id == 0 {
			return nil
		}
		name := memberName(st.Members, id)
		return &name
	}
	d := document{Schema: 1, Quorate: st.Quorate, Fencing: []jsonFencing{}}
	d.Cluster.Name, d.Cluster.ID = st.Cluster.Name, st.Cluster.ID
	d.Cluster.Generation, d.Cluster.ConfigVersion = st.Cluster.Generation, st.Cluster.ConfigVersion
	d.Manager.Running, d.Manager.Locked = st.Manager.Running, st.Manager.Locked
	if st.Manager.ServiceRefusal != cluster.Success {
		d.Manager.Refusal = st.Manager.ServiceRefusal.String()
	}
	if st.Members != nil {
		d.Members = []jsonMember{}
	}
	var member *entry
	for _, m := range st.Members {
		if opts.member == nil || *opts.member == m.Name {
			member = &entry{Member: m}
			d.Members = append(d.Members, jsonMember{m.Name, m.ID, m.Online, m.Local, m.Configured, m.Manager, m.Master, m.QuorumDevice, m.Drained})
		}
	}
	var service *cluster.Service
	if st.Manager.Running && st.Manager.ServiceRefusal == cluster.Success {
		d.Services = []jsonService{}
		for _, s := range sorted(st.Services) {
			if opts.service == nil || *opts.service == s.Name {
				service = &s
				d.Services = append(d.Services, jsonService{s.Name, s.State.String(), int(s.State), append([]string{}, s.Flags.Names()...),
					name(s.Owner), s.Owner, name(s.LastOwner), s.LastOwner, s.Restarts, s.LastTransition, append([]string{}, memberNames(st, s.Seen)...)})
			}
		}
	}
	for _, f := range st.Fencing {
		d.Fencing = append(d.Fencing, jsonFencing{name(f.Node), f.Node, name(f.By), f.By, f.Since, f.Attempts, f.LastError})
	}
	encode(w, d)
	status := 0
	if opts.member != nil {
		status = memberStatus(member)
	}
	if opts.service != nil && status == 0 {
		status = serviceStatus(service)
	}
	return status
}
