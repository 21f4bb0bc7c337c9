package conf

import (
	"time"

	"fangnetz/internal/cluster"
)

// Config is what cluster.conf says, with the defaults filled in. It is
// read-only: a change goes through Document and a new Parse.
type Config struct {
	Name    string
	Version int
	Alias   string

	ClusterID     uint32 // explicit, or from the name (cman, "Cluster id")
	TwoNode       bool
	ExpectedVotes int    // 0: sum of the nodes' votes
	Transport     string // udp, udpb, udpu, rdma; empty: not given
	Broadcast     bool   // false
	Multicast     string // address; empty: not given, see MulticastAddr
	TTL           int    // of multicast packets, 1
	Port          int    // UDP, 5405
	KeyFile       string // empty: the cluster name is the key

	Totem Totem

	Nodes        []Node // in file order
	FenceDevices []FenceDevice
	FenceDaemon  FenceDaemon

	Domains            []FailoverDomain
	Services           []Service     // vm and service, in file order
	StatusPollInterval time.Duration // 10 s
	Limits             Limits
}

// Limits say how many operations a node may have under way at a time. They are
// ours: <rm max_starts max_stops max_migrations>.
type Limits struct {
	Starts     int // 4
	Stops      int // 8
	Migrations int // 2; a migration counts at both ends
}

// Totem holds corosync's own settings.
type Totem struct {
	Token     time.Duration // 10 s
	Consensus time.Duration // 0: corosync's
	SecAuth   bool          // true
}

// Node is one <clusternode>.
type Node struct {
	Name     string
	ID       cluster.NodeID // 0: missing or not a positive number
	Votes    int            // 1
	AltNames []string       // <altname>: one address for each further link
	Fence    []FenceMethod
	Unfence  []Device
}

// FenceMethod is one <method>: all its devices must succeed.
type FenceMethod struct {
	Name    string
	Devices []Device
}

// Device is one <device> line: an agent run with the fencedevice's attributes
// and its own.
type Device struct {
	Name  string // of the FenceDevice
	Attrs []Attr // all but name, in file order
}

// FenceDevice is one <fencedevice>.
type FenceDevice struct {
	Name  string
	Agent string // program, e.g. fence_ipmilan
	Attrs []Attr // all but name, agent included, in file order
}

// Attr is one attribute as written.
type Attr struct{ Key, Value string }

// FenceDaemon is <fence_daemon>.
type FenceDaemon struct {
	PostJoinDelay time.Duration // 6 s
	PostFailDelay time.Duration // 0
	OverrideTime  time.Duration // 3 s: pause between rounds of attempts
	CleanStart    bool          // no startup fencing
}

// FailoverDomain is one <failoverdomain>.
type FailoverDomain struct {
	Name       string // compared without case
	Ordered    bool
	Restricted bool
	NoFailback bool
	Members    []DomainMember // in file order; a repeated node ends the list
}

// DomainMember is one <failoverdomainnode>.
type DomainMember struct {
	Node     string // a clusternode's name, exactly
	Priority int    // 1 (best) to 100; 0: missing or out of range, better than 1
}

// Service is a top-level <vm> or <service> of <rm>.
type Service struct {
	Type string // "vm" or "service"
	Name string // without the type

	Domain        string // empty: none
	Autostart     bool   // true
	Exclusive     int    // 0: not
	Recovery      string // as written; empty counts as restart
	MaxRestarts   int
	RestartExpire time.Duration
	Depend        string // full name
	DependMode    string // hard
	Priority      int

	Children bool // has child resources: cannot be migrated
	VM       *VM  // for type vm only
}

// FullName is the name with its type: vm:web.
func (s Service) FullName() string { return s.Type + ":" + s.Name }

// VM holds the attributes of the vm resource agent (rgmanager, "Virtual
// machines: attributes").
type VM struct {
	XMLFile        string
	Path           string
	Snapshot       string
	Migrate        string // live or pause
	MigrateOptions string
	Tunnelled      bool
	Mapping        string // migration_mapping, as written
	UseVirsh       string
	StatusProgram  string
	Hypervisor     string // auto, qemu, xen
	HypervisorURI  string // auto: qemu:///system
	MigrationURI   string // auto
	NoKill         bool
	StartTimeout   time.Duration // 300 s
	StopTimeout    time.Duration // 120 s
	MigrateTimeout time.Duration // 600 s
	StatusInterval time.Duration // 30 s; a status check at depth 0
	StatusTimeout  time.Duration // 10 s
	DeepInterval   time.Duration // 60 s; the same at depth 10
	DeepTimeout    time.Duration // 20 s
}

// NodeByID returns the first node with that id, or nil. Nobody has id 0.
func (c *Config) NodeByID(id cluster.NodeID) *Node {
	for i := range c.Nodes {
		if id != 0 && c.Nodes[i].ID == id {
			return &c.Nodes[i]
		}
	}
	return nil
}

// NodeByName returns the node of exactly that name, or nil.
func (c *Config) NodeByName(name string) *Node {
	for i := range c.Nodes {
		if c.Nodes[i].Name == name {
			return &c.Nodes[i]
		}
	}
	return nil
}

// Service returns the service of that full name, or nil.
func (c *Config) Service(full string) *Service {
	for i := range c.Services {
		if c.Services[i].FullName() == full {
			return &c.Services[i]
		}
	}
	return nil
}
