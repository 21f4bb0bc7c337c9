package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fangnetz/internal/conf"
	"fangnetz/internal/rgmanager"
	"fangnetz/internal/wire"
)

// configs keeps the configurations that were in force on this node: each text
// in config/VERSION.conf below the state directory, and what is to be told of
// them, the latest last, in config/history.json. They hold passwords: mode
// 0600.
type configs struct {
	proposed rgmanager.Proposed // the loop's: the latest
	busy     chan struct{}      // the loop's: closed when what inTurn was given last has ended; nil: nothing yet
	mu       sync.Mutex         // of the files
}

// keptConfigs is how many are kept.
const keptConfigs = 50

// shownChanges is how many changes an entry tells of.
const shownChanges = 5

// saw remembers who proposed a configuration.
func (c *configs) saw(events []rgmanager.Event) {
	for _, ev := range events {
		if p, ok := ev.(rgmanager.Proposed); ok {
			c.proposed = p
		}
	}
}

func (d *Daemon) configFile(name string) string { return filepath.Join(d.o.StateDir, "config", name) }

// keepConfig keeps the text that has just come into force. The loop's.
func (d *Daemon) keepConfig() {
	text, entry := d.replica.config, wire.ConfigEntry{Since: time.Now().Unix()}
	if p := d.configs.proposed; p.Text == text {
		if n := d.conf().NodeByID(p.From); n != nil {
			entry.Node = n.Name
		}
	}
	d.inTurn(func() {
		if err := d.addConfig(text, entry); err != nil {
			d.log.Warn("cannot keep the configuration for ccs_tool rollback", "err", err)
		}
	})
}

// inTurn runs f off the loop, after all that it was given before: two
// configurations may come into force in quick succession. The loop's.
func (d *Daemon) inTurn(f func()) {
	before, done := d.configs.busy, make(chan struct{})
	d.configs.busy = done
	d.wg.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		f()
	})
}

// addConfig writes text and its entry, which it completes. A text that is the
// latest already, as after a restart, is not written again.
func (d *Daemon) addConfig(text string, entry wire.ConfigEntry) error {
	d.configs.mu.Lock()
	defer d.configs.mu.Unlock()
	doc, err := conf.Parse(d.o.Config, []byte(text))
	if err != nil {
		return err
	}
	c, _ := doc.Config()
	entry.Version, entry.Size, entry.Nodes, entry.Services = c.Version, len(text), len(c.Nodes), len(c.Services)
	entries, lost := d.configEntries()
	if lost != nil {
		d.log.Warn("starting the history of configurations anew", "err", lost)
	}
	if n := len(entries); n > 0 {
		before, err := os.ReadFile(d.configFile(fileOf(entries[n-1].Version)))
		if err == nil && string(before) == text {
			return nil
		}
		if old, err := conf.Parse(d.o.Config, before); err == nil {
			for _, change := range conf.Diff(old, doc) {
				entry.Changes = append(entry.Changes, change.String())
			}
		}
	}
	if more := len(entry.Changes) - shownChanges; more > 0 {
		entry.Changes, entry.More = entry.Changes[:shownChanges], more
	}
	if err := os.MkdirAll(d.configFile(""), 0o700); err != nil {
		return err
	}
	if err := conf.WriteFile(d.configFile(fileOf(c.Version)), []byte(text), 0o600); err != nil {
		return err
	}
	entries = append(slices.DeleteFunc(entries, func(e wire.ConfigEntry) bool { return e.Version == c.Version }), entry)
	entries = entries[max(0, len(entries)-keptConfigs):]
	index, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	if err := conf.WriteFile(d.configFile("history.json"), index, 0o600); err != nil {
		return err
	}
	if lost != nil {
		return nil // the texts that it told of may be all that is left
	}
	return d.pruneConfigs(entries)
}

func fileOf(version int) string { return fmt.Sprintf("%d.conf", version) }

// configEntries reads the list of what is kept.
func (d *Daemon) configEntries() ([]wire.ConfigEntry, error) {
	index, err := os.ReadFile(d.configFile("history.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []wire.ConfigEntry
	if err == nil {
		err = json.Unmarshal(index, &entries)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the history of configurations: %v", err)
	}
	return entries, nil
}

// pruneConfigs removes the texts that no entry tells of.
func (d *Daemon) pruneConfigs(entries []wire.ConfigEntry) error {
	files, err := os.ReadDir(d.configFile(""))
	for _, f := range files {
		version, isText := strings.CutSuffix(f.Name(), ".conf")
		n, nerr := strconv.Atoi(version)
		if isText && nerr == nil && !slices.ContainsFunc(entries, func(e wire.ConfigEntry) bool { return e.Version == n }) {
			err = errors.Join(err, os.Remove(d.configFile(f.Name())))
		}
	}
	return err
}

// Config is the text of a configuration: that in force for version 0, else one
// that was.
func (d *Daemon) Config(ctx context.Context, version int) (wire.ConfigText, error) {
	var now wire.ConfigText
	if !d.ask(ctx, func() { now = wire.ConfigText{Version: d.conf().Version, Text: []byte(d.replica.config)} }) {
		return now, errStopping
	}
	if version == 0 || version == now.Version {
		return now, nil
	}
	d.configs.mu.Lock()
	defer d.configs.mu.Unlock()
	text, err := os.ReadFile(d.configFile(fileOf(version)))
	if errors.Is(err, fs.ErrNotExist) {
		return wire.ConfigText{}, &wire.Refusal{Code: wire.NotKept, Words: fmt.Sprintf("version %d was not in force here, or too long ago", version)}
	}
	return wire.ConfigText{Version: version, Text: text}, err
}

// ConfigHistory lists the configurations that were in force here.
func (d *Daemon) ConfigHistory(context.Context) ([]wire.ConfigEntry, error) {
	d.configs.mu.Lock()
	defer d.configs.mu.Unlock()
	entries, err := d.configEntries()
	if entries == nil {
		entries = []wire.ConfigEntry{} // null would be no answer
	}
	return entries, err
}
