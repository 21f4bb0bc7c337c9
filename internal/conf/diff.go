package conf

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Change is one difference between two configurations. It never tells the
// value of what may be a secret.
type Change struct {
	Subject string // "cman", "node node1", "vm:web"
	Text    string // "added", "removed", "domain first -> second"
	Service string // full name, if it is about a service
	Effect  Effect // on that service
}

// String is `node node4 added` or `vm:web: domain first -> second`.
func (c Change) String() string {
	if c.Text == "added" || c.Text == "removed" {
		return c.Subject + " " + c.Text
	}
	return c.Subject + ": " + c.Text
}

// Effect is what a change does to a service.
type Effect int

const (
	Added         Effect = iota + 1 // it appears
	Removed                         // it is stopped, unless it is frozen
	AtOnce                          // a matter of policy: it goes on
	NextStart                       // it goes on, and changes when it is started again
	NextMigration                   // it goes on, and changes when it is migrated
)

// effects are those of a machine's attributes, but for policies.
var effects = map[string]Effect{
	"xmlfile": NextStart, "path": NextStart, "snapshot": NextStart, "use_virsh": NextStart, "hypervisor": NextStart, "hypervisor_uri": NextStart,
	"resources": NextStart,
	"migrate":   NextMigration, "migrate_options": NextMigration, "tunnelled": NextMigration, "migration_mapping": NextMigration,
	"migration_uri": NextMigration,
}

// Diff returns what is different in after, with the defaults filled in: what
// is written otherwise and means the same is none. The version is left out.
// What we do not read is named, without its contents.
func Diff(before, after *Document) []Change {
	old, young := before.objects(), after.objects()
	index := func(of []object) map[string]*object {
		m := map[string]*object{}
		for i := range of {
			m[of[i].subject] = &of[i]
		}
		return m
	}
	inOld, inYoung := index(old), index(young)
	var changes []Change
	for _, o := range old {
		if inYoung[o.subject] == nil {
			changes = append(changes, Change{o.subject, "removed", o.service, o.effect(Removed)})
		}
	}
	for _, o := range young {
		was := inOld[o.subject]
		if was == nil {
			changes = append(changes, Change{o.subject, "added", o.service, o.effect(Added)})
			continue
		}
		for _, key := range keys(was.words, o.words) {
			if text := change(key, find(was.words, key), find(o.words, key)); text != "" {
				effect := effects[key]
				if effect == 0 {
					effect = AtOnce
				}
				changes = append(changes, Change{o.subject, text, o.service, o.effect(effect)})
			}
		}
	}
	return changes
}

// object is one thing in a configuration, in words that can be compared.
type object struct {
	subject string
	service string // full name, of a service
	words   []word
}

func (o object) effect(e Effect) Effect {
	if o.service == "" {
		return 0
	}
	return e
}

// word is one property.
type word struct {
	key, value string
	hidden     string // compared as well, and never shown
}

func find(words []word, key string) *word {
	if i := slices.IndexFunc(words, func(w word) bool { return w.key == key }); i >= 0 {
		return &words[i]
	}
	return nil
}

// keys are those of both, in the order of b, then of a.
func keys(a, b []word) []string {
	var all []string
	for _, w := range slices.Concat(b, a) {
		if !slices.Contains(all, w.key) {
			all = append(all, w.key)
		}
	}
	return all
}

// change tells how a property changed; empty: not at all.
func change(key string, was, is *word) string {
	none := &word{}
	if was == nil {
		was = none
	}
	if is == nil {
		is = none
	}
	or := func(s string) string {
		if s == "" {
			return "(none)"
		}
		return s
	}
	switch {
	case was.value != is.value:
		return key + " " + or(was.value) + " -> " + or(is.value)
	case was.hidden == is.hidden:
		return ""
	case was.hidden == "":
		return key + " added"
	case is.hidden == "":
		return key + " removed"
	}
	return key + " changed"
}

// canonical is an element without comments, indentation and the order of its
// attributes.
func canonical(e *etree.Element) string {
	var b strings.Builder
	b.WriteString("<" + e.FullTag())
	attrs := slices.Clone(e.Attr)
	slices.SortFunc(attrs, func(a, b etree.Attr) int { return strings.Compare(a.FullKey(), b.FullKey()) })
	for _, a := range attrs {
		b.WriteString(" " + a.FullKey() + "=" + a.Value + "\x00")
	}
	b.WriteString(">" + strings.TrimSpace(e.Text()))
	for c := range e.ChildElementsSeq() {
		b.WriteString(canonical(c))
	}
	b.WriteString("</>")
	return b.String()
}
