package cluster

// Status is all that clustat shows, as one node's cmand sees it. It travels
// as the answer to GET /v1/status.
type Status struct {
	Cluster  Info      `json:"cluster"`
	Local    NodeID    `json:"local"`
	Quorate  bool      `json:"quorate"`
	Members  []Member  `json:"members"`  // in cluster.conf's order, then what else the ring knows; nil: no list to be had
	Services []Service `json:"services"` // in cluster.conf's order

	// ConfigReadable is false when cmand runs with a configuration that it
	// could not read again; clustat then lists members as the ring knows them.
	ConfigReadable bool `json:"config_readable"`
	// Manager says whether the resource manager answers. Refusals are
	// Success when it does, NoQuorum or Denied when it does not.
	Manager Manager `json:"manager"`
	// Fencing lists the nodes that are being fenced, sorted by id.
	Fencing []Fencing `json:"fencing,omitempty"`
}

// Info names the cluster.
type Info struct {
	Name          string `json:"name"`
	ID            uint32 `json:"id"`         // cluster id, from the name (cman, "Cluster id")
	Generation    uint64 `json:"generation"` // sequence number of the current ring
	ConfigVersion int    `json:"config_version"`
}

// Manager is the resource manager's readiness.
type Manager struct {
	Running        bool   `json:"running"`
	ServiceRefusal Result `json:"service_refusal"`
	MemberRefusal  Result `json:"member_refusal"`
	Locked         bool   `json:"locked,omitempty"` // clusvcadm -l: nothing is started
}

// Member is one line of clustat's member table.
type Member struct {
	Name         string `json:"name"`
	ID           NodeID `json:"id"`
	Configured   bool   `json:"configured"`        // in cluster.conf
	Known        bool   `json:"known"`             // the ring knows or knew it
	Online       bool   `json:"online"`            // in the ring now
	Local        bool   `json:"local"`             //
	Manager      bool   `json:"manager"`           // its cmand is up
	Master       bool   `json:"master"`            // event master (central processing)
	QuorumDevice bool   `json:"quorum_device"`     //
	Drained      bool   `json:"drained,omitempty"` // clusvcadm --drain: nothing is started there
}

// Service is one line of clustat's service table.
type Service struct {
	Name           string `json:"name"`  // with its type: vm:web
	State          State  `json:"state"` // number
	Flags          Flags  `json:"flags"`
	Owner          NodeID `json:"owner"`      // 0: nobody
	LastOwner      NodeID `json:"last_owner"` // 0: nobody
	Restarts       int    `json:"restarts"`
	LastTransition int64  `json:"last_transition"` // seconds since the epoch, 0: never
	// Seen is set when the machine was seen on several nodes at once: on all
	// of these. Until that is cleared it is neither started nor migrated.
	Seen NodeIDs `json:"seen,omitempty"`
}

// Fencing is one node that is waiting to be fenced or being fenced.
type Fencing struct {
	Node      NodeID `json:"node"`
	By        NodeID `json:"by"`       // the member that does it; 0: waiting
	Since     int64  `json:"since"`    // seconds since the epoch
	Attempts  int    `json:"attempts"` // finished, all failed
	LastError string `json:"last_error,omitempty"`
}
