// Package daemon is cmand's loop: it feeds what the ordered channel delivers
// to the replicated machine of package rgmanager, carries out the actions that
// name this node, and multicasts their ends as events. It decides nothing
// itself.
//
// What it thinks is in its Core, which knows neither goroutines nor clock nor
// drivers, and can be simulated. One goroutine owns it (loop.go); each task
// runs in its own (action.go, hands.go); the socket's requests wait for their
// Reply (request.go).
package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// Channel is the ordered channel between the nodes (package member).
type Channel interface {
	Local() cluster.NodeID
	// Send multicasts data; it returns when the message is handed over.
	Send(ctx context.Context, data []byte) error
	// Deliveries is closed when the channel has ended; Err then says why.
	Deliveries() <-chan cluster.Delivery
	Err() error
}

// Fencer cuts nodes off (package fence).
type Fencer interface {
	// Fence returns when the node is off for certain. Cancelling ctx kills the
	// agent. The lines are for the log.
	Fence(ctx context.Context, c *conf.Config, node cluster.NodeID) (lines []string, err error)
}

// Hypervisor runs this node's machines (package hypervisor). An error never
// means that a machine does not run.
type Hypervisor interface {
	List(ctx context.Context) ([]cluster.Machine, error)
	Machine(ctx context.Context, name string) (m cluster.Machine, found bool, err error)
	Start(ctx context.Context, svc conf.Service, definition string) error
	Stop(ctx context.Context, svc conf.Service) error
	Destroy(ctx context.Context, name string) error
	// Migrate reports, along with an error, whether the machine is known to
	// have stayed here.
	Migrate(ctx context.Context, svc conf.Service, node string, progress func(cluster.Progress)) (here bool, err error)
	// Check looks at a machine that should run here; deep asks its
	// status_program too.
	Check(ctx context.Context, svc conf.Service, deep bool) (cluster.Health, error)
	// Watch calls f for every change until ctx ends.
	Watch(ctx context.Context, f func(cluster.MachineEvent)) error
}

// Options says what a Daemon works with.
type Options struct {
	Config     string // path of cluster.conf
	StateDir   string // definitions of machines are kept below it
	Boot       string // differs each time cmand starts
	Wary       bool   // this host went down without cmand having left
	Channel    Channel
	Fencer     Fencer
	Hypervisor Hypervisor
	// Reconfigure is called when a new configuration is in force here.
	Reconfigure func(ctx context.Context, c *conf.Config) error
	Log         *slog.Logger
}

// Daemon is one node's cmand, between the drivers. It serves package wire's
// Backend.
type Daemon struct {
	o     Options
	local cluster.NodeID
	log   *slog.Logger
	hands Hands

	core     *Core                // the loop's alone, with its replica
	replica  *replica             //
	asks     chan func() []Effect // run by the loop, between deliveries
	stopped  chan struct{}        // closed when the loop has ended
	outbox   chan []byte          // to be multicast, in order
	leave    chan struct{}        // closed: end in good order
	leaveOne sync.Once

	waiting map[string]chan reply        // the loop's: requests by id
	cancels map[*Task]context.CancelFunc // the loop's: what is under way

	entered entrances // the loop's
	past    *history
	configs configs

	watchers   map[chan struct{}]bool    // the loop's: poked when something has changed
	migrations map[string]wire.Migration // the loop's: under way, by service

	wg sync.WaitGroup
}

type reply = rgmanager.Reply

// roundTime is how long a member may keep silent after a view before the
// others go on without it. It is less than rgmanager.GraceTime, so that a
// daemon that hangs costs no more than one that died.
const roundTime = 10 * time.Second

// auditTime is how often replicas compare themselves.
const auditTime = time.Minute

// New returns a daemon that starts from the text of cluster.conf.
func New(o Options, config string) *Daemon {
	local := o.Channel.Local()
	d := &Daemon{
		o: o, local: local, log: o.Log,
		core:    NewCore(local, o.Boot, config, o.Wary, epoch(o, config), nil, time.Now()),
		asks:    make(chan func() []Effect),
		stopped: make(chan struct{}),
		outbox:  make(chan []byte),
		leave:   make(chan struct{}),
		waiting: map[string]chan reply{},
		cancels: map[*Task]context.CancelFunc{},
		entered: entrances{}, past: openHistory(filepath.Join(o.StateDir, "history"), o.Log),
		watchers: map[chan struct{}]bool{}, migrations: map[string]wire.Migration{},
	}
	d.replica = d.core.replica
	d.hands = Hands{Fencer: o.Fencer, Hypervisor: o.Hypervisor, Kept: d.kept, Log: o.Log.Info, Warn: o.Log.Warn}
	return d
}

// Leave asks the daemon to end in good order: its services are stopped, so
// that others start them, and then Run returns ErrLeft.
func (d *Daemon) Leave() { d.leaveOne.Do(func() { close(d.leave) }) }

// Run works until ctx ends, the daemon has left, or the channel is lost; in
// that last case the services of this node are destroyed first, because the
// others will take them over. The error says which.
func (d *Daemon) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	d.hands.Progress = func(m wire.Migration) { d.tellAll(inner, message{Progress: &m}) }
	d.wg.Go(func() { d.sender(inner) })
	d.wg.Go(func() { d.watch(inner) })
	d.wg.Go(func() { d.past.keep(inner) })
	d.keepConfig()
	err := d.loop(inner)
	close(d.stopped)
	cancel()
	d.wg.Wait() // nothing may start a machine after its end
	if !errors.Is(err, ErrLeft) && ctx.Err() == nil {
		d.log.Error("this node cannot go on; stopping its services", "err", err)
		d.destroyAll()
	}
	return err
}

// destroyAll ends every machine that the configuration lists.
func (d *Daemon) destroyAll() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for _, c := range d.conf().Services {
		if c.VM == nil {
			continue
		}
		wg.Go(func() {
			if err := d.o.Hypervisor.Destroy(ctx, c.Name); err != nil {
				d.log.Error("cannot stop service", "service", c.FullName(), "err", err)
			}
		})
	}
	wg.Wait()
}

// conf is the configuration in force. The loop's alone, and Run's after it.
func (d *Daemon) conf() *conf.Config { return d.core.Conf() }
