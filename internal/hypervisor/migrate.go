package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"

	"fangnetz/internal/cluster"
	"fangnetz/internal/conf"
)

const (
	migrateTimeout = 600 * time.Second // the vm agent's
	pollJob        = 250 * time.Millisecond
	abortTimeout   = 60 * time.Second // from AbortJob to the end of the migration
	settleTimeout  = 30 * time.Second // to learn afterwards who has the machine
)

// Migrate moves the machine of svc to node, a clusternode's name, without
// stopping it; with migrate="pause" the guest is paused meanwhile. It returns
// nil only when the machine runs there and no QEMU of it is left here. Every
// error is a *MigrateError that says where the machine is.
//
// It is libvirt's managed peer-to-peer migration, both connections carried by
// our own SSH connection. Cancelling ctx aborts it; so does a migration that
// transfers nothing for 30 s, or takes longer than svc.VM.MigrateTimeout.
// progress is called four times a second, and at the end with the time that
// the guest was paused; it may be nil.
func (h *Host) Migrate(ctx context.Context, svc conf.Service, node string, progress func(cluster.Progress)) error {
	if svc.VM == nil {
		return &MigrateError{svc.Name, node, NoMachine, fmt.Errorf("%s is not a virtual machine", svc.FullName())}
	}
	limit := or(svc.VM.MigrateTimeout, migrateTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took more than %v", limit))
	defer cancel()
	outcome, err := h.migrate(ctx, svc, node, progress)
	if err != nil {
		return &MigrateError{Machine: svc.Name, Node: node, Outcome: outcome, Err: err}
	}
	return nil
}

func (h *Host) migrate(ctx context.Context, svc conf.Service, node string, progress func(cluster.Progress)) (Outcome, error) {
	m, here, err := h.look(ctx, svc.Name)
	switch {
	case err != nil:
		return StillHere, err // nothing has begun
	case here == nil:
		return NoMachine, errors.New("libvirt does not know it")
	case !m.Running:
		return NotRunning, fmt.Errorf("it is %s (%s)", m.State, m.Reason)
	}
	flags, params, err := migration(svc.VM, m.Definition != "")
	if err != nil {
		return StillHere, err
	}
	if err := conf.Movable(here.uri); err != nil {
		return StillHere, err
	}
	to, err := target(svc.VM, node)
	if err != nil {
		return StillHere, err
	}
	t, err := h.openTunnel(ctx, to, m.UUID)
	if err != nil {
		return StillHere, err
	}
	defer t.close()
	// The target's libvirtd, asked through the same tunnel.
	there := newConn("qemu+unix:///system?socket=" + t.virt)
	defer there.Close()
	if err := vacant(ctx, there, m); err != nil {
		return StillHere, err
	}
	params.URISet, params.URI = true, "unix://"+t.mig
	j := &job{
		conn:     newConn(here.uri), // libvirtd serves few calls at once on one connection
		name:     m.Name,
		stall:    h.stall,
		progress: progress,
	}
	defer j.Close()
	ended, err := j.run(ctx, there.uri, flags, params)
	if !ended {
		return Uncertain, err
	}
	if err != nil && t.cause() != nil {
		err = fmt.Errorf("%w (%w)", err, t.cause())
	}
	arrived, outcome := whereabouts(ctx, here, there, m, &t.told)
	if arrived {
		j.report(ctx, there)
		return 0, nil
	}
	if err == nil {
		err = errors.New("libvirt reports success, the nodes say otherwise")
	}
	return outcome, err
}

// vacant makes sure that the target has no other machine of that name and
// does not run this one.
func vacant(ctx context.Context, there *conn, m cluster.Machine) error {
	o, found, err := there.machine(ctx, m.Name)
	switch {
	case err != nil:
		return fmt.Errorf("cannot ask the target: %w", err)
	case found && !strings.EqualFold(o.UUID, m.UUID):
		return fmt.Errorf("the target has another machine of that name: UUID %s, want %s", o.UUID, m.UUID)
	case found && o.Running:
		return fmt.Errorf("the target already runs it: %s (%s)", o.State, o.Reason)
	}
	return nil
}

// whereabouts asks both nodes who has the machine until the answer is final,
// for settleTimeout at most, whether or not ctx has ended.
func whereabouts(ctx context.Context, here, there *conn, m cluster.Machine, told *atomic.Bool) (arrived bool, outcome Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	see := func(c *conn) (s sighting) {
		s.Machine, s.found, s.err = c.machine(ctx, m.Name)
		if s.found && !strings.EqualFold(s.UUID, m.UUID) {
			return sighting{}
		}
		return s
	}
	for {
		arrived, outcome, final := settle(see(here), see(there), told.Load())
		if final {
			return arrived, outcome
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return arrived, outcome
		}
	}
}

// job is one migration under way in libvirt, on a connection of its own.
type job struct {
	*conn
	name     string
	stall    time.Duration
	progress func(cluster.Progress)
}

// run has libvirt do the migration and returns when it has ended. It aborts
// it when ctx ends or nothing moves any more; then the error says why. When
// libvirt does not end it even then, ended is false and it may yet succeed.
func (j *job) run(ctx context.Context, uri string, flags libvirt.DomainMigrateFlags, params *libvirt.DomainMigrateParameters) (ended bool, err error) {
	call, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	done := make(chan error, 1)
	go func() {
		done <- act(call, j.conn, 0, j.name, func(d *libvirt.Domain) error { return d.MigrateToURI3(uri, params, flags) })
	}()
	tick := time.NewTicker(pollJob)
	defer tick.Stop()
	var last libvirt.DomainJobInfo
	moved := time.Now()
	for {
		select {
		case err := <-done:
			return true, err
		case <-ctx.Done():
			return j.abort(context.Cause(ctx), done)
		case <-tick.C:
		}
		info, err := j.stats(ctx, j.conn, 0)
		if err == nil && (info.DataProcessed != last.DataProcessed || info.DataRemaining != last.DataRemaining) {
			last, moved = info, time.Now()
		}
		if err == nil && j.progress != nil && info.Type != libvirt.DOMAIN_JOB_NONE {
			j.progress(reading(info))
		}
		if time.Since(moved) >= j.stall {
			return j.abort(fmt.Errorf("no progress for %v", j.stall), done)
		}
	}
}

// abort has libvirt cancel the migration, waits for its end, and returns why.
// A call that does not end is left behind.
func (j *job) abort(why error, done <-chan error) (ended bool, _ error) {
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	err := act(ctx, j.conn, askTimeout, j.name, (*libvirt.Domain).AbortJob)
	select {
	case <-done:
		return true, why
	case <-ctx.Done():
	}
	if err != nil {
		return false, fmt.Errorf("%w; cannot abort it: %v", why, err)
	}
	return false, fmt.Errorf("%w; it did not end within %v of being aborted", why, abortTimeout)
}

// stats reads the job's statistics from a host.
func (j *job) stats(ctx context.Context, c *conn, flags libvirt.DomainGetJobStatsFlags) (libvirt.DomainJobInfo, error) {
	return onDomain(ctx, c, time.Second, j.name, func(d *libvirt.Domain) (libvirt.DomainJobInfo, error) {
		info, err := d.GetJobStats(flags)
		if err != nil {
			return libvirt.DomainJobInfo{}, err
		}
		return *info, nil
	})
}

// report sends the last progress, which the target knows after the end, and
// switches autostart off there, where an older definition may have it on.
func (j *job) report(ctx context.Context, there *conn) {
	info, err := j.stats(ctx, there, libvirt.DOMAIN_JOB_STATS_COMPLETED)
	if err == nil && j.progress != nil {
		j.progress(reading(info))
	}
	act(ctx, there, askTimeout, j.name, func(d *libvirt.Domain) error { return d.SetAutostart(false) })
}

// reading translates libvirt's statistics.
func reading(i libvirt.DomainJobInfo) cluster.Progress {
	return cluster.Progress{
		Total:     i.DataTotal,
		Processed: i.DataProcessed,
		Remaining: i.DataRemaining,
		Rate:      float64(i.MemBps),
		Downtime:  float64(i.Downtime) / 1000,
	}
}
