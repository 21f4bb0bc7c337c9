package conf

import (
	"strings"

	"github.com/beevik/etree"
)

// grammar lists what may stand in an element that we know: children and
// attributes, blank-separated; * is anything (cluster.conf, sections 2 to 13;
// alias and type are what the graphical tools wrote). An element is looked up
// by its name alone, for no name means two things in what is looked at.
var grammar = map[string]struct{ children, attrs string }{
	"cluster": {"cman uidgid totem quorumd fence_daemon fence_xvmd dlm gfs_controld group logging clusternodes fencedevices rm clvmd",
		"name config_version alias"},
	"cman": {"multicast altmulticast", "two_node expected_votes cluster_id hash_cluster_id port broadcast transport keyfile upgrading disallowed " +
		"quorum_dev_poll shutdown_timeout ccsd_poll startup_config_timeout max_queued debug_mask nodename disable_openais"},
	"multicast":    {"", "addr ttl port interface"},
	"altmulticast": {"", "addr ttl port"},
	"totem":        {"interface", "*"},
	"quorumd":      {"heuristic", "*"},
	"fence_daemon": {"", "post_join_delay post_fail_delay clean_start override_path override_time fence_check_delay skip_undefined"},
	"clusternodes": {"clusternode", ""},
	"clusternode":  {"fence unfence altname multicast", "name nodeid votes weight"},
	"altname":      {"", "name port mcast ttl"},
	"fence":        {"method", ""},
	"unfence":      {"device", ""},
	"method":       {"device", "name"},
	"device":       {"", "*"},
	"fencedevices": {"fencedevice", ""},
	"fencedevice":  {"", "*"},
	"rm": {"*", "log_level log_facility status_child_max status_poll_interval transition_throttling central_processing disabled statusmax " +
		"max_starts max_stops max_migrations"},
	"failoverdomains":    {"failoverdomain", ""},
	"failoverdomain":     {"failoverdomainnode", "name ordered restricted nofailback"},
	"failoverdomainnode": {"", "name priority"},
	"service": {"*", "name ref domain autostart exclusive nfslock nfs_client_cache recovery depend depend_mode max_restarts " +
		"restart_expire_time priority"},
	"vm": {"*", "name ref domain autostart exclusive recovery migration_mapping use_virsh xmlfile migrate migrate_options tunnelled path snapshot " +
		"depend depend_mode max_restarts restart_expire_time priority status_program hypervisor hypervisor_uri migration_uri no_kill"},
}

// strangers warns of children and attributes that the grammar does not have.
// They are kept, and not read.
func (r *reader) strangers(e *etree.Element) {
	g, ok := grammar[e.FullTag()]
	if !ok {
		return
	}
	for _, a := range e.Attr {
		key := a.FullKey()
		if !has(g.attrs, key) && !strings.HasPrefix(key, "__") && !strings.HasPrefix(key, "xml") {
			r.warn(e, key, "attribute %s is not known in <%s>: it is not read", key, e.FullTag())
		}
	}
	for c := range e.ChildElementsSeq() {
		if !has(g.children, c.FullTag()) {
			r.warn(c, "", "<%s> is not known in <%s>: it is not read", c.FullTag(), e.FullTag())
			continue
		}
		r.strangers(c)
	}
}

func has(list, word string) bool {
	if list == "*" {
		return true
	}
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}
