package conf

var clusterRules = []Rule{
	{Element: "cluster", Meaning: "The whole.",
		Children: "cman uidgid totem quorumd fence_daemon fence_xvmd dlm gfs_controld group logging clusternodes fencedevices rm clvmd",
		Attrs: []Attribute{
			{"name", Text, "", "", "The cluster's name, at most 15 bytes. Nodes of another name never meet. It cannot be changed in a running cluster."},
			{"config_version", Number, "", "", "Rises with every change. A configuration is taken only if it has a higher one than that in force. Text counts as 0."},
			{"alias", Text, "", "", "Another name, for people. Nothing goes by it."},
		}},
	{Element: "cman", In: "cluster", Meaning: "Quorum and network.", Children: "multicast altmulticast",
		Attrs: []Attribute{
			{"two_node", Flag, "", "0", "One of two nodes is quorate alone. Fencing decides which one goes on. There must be two nodes, with one vote each."},
			{"expected_votes", Number, "votes", "", "How many votes there are when all nodes are up. Unless given, the sum of all nodes' votes."},
			{"cluster_id", Number, "", "", "Sets the cluster apart on the network. Unless given, it comes from the name."},
			{"hash_cluster_id", YesNo, "", "yes", "How it comes from the name: as in RHEL 6, or with no, as in RHEL 5. Only yes and on are yes."},
			{"port", Number, "UDP port", "5405", "The first port of corosync."},
			{"transport", "udp|udpb|udpu|rdma", "", "", "How nodes talk. Without encryption and second names, as it says: multicast, broadcast, unicast. " +
				"Otherwise, and without this, by knet, corosync's own."},
			{"broadcast", YesNo, "", "no", "Goes with transport udpb alone; nothing else goes by it. Only yes is yes."},
			{"keyfile", Text, "", "", "File with the key that messages are signed and encrypted with. Unless given, the cluster's name is the key."},
		},
		Other: "upgrading disallowed quorum_dev_poll shutdown_timeout ccsd_poll startup_config_timeout max_queued debug_mask nodename disable_openais"},
	{Element: "multicast", In: "cman", Meaning: "The network's multicast address.",
		Attrs: []Attribute{
			{"addr", Text, "", "", "Unless given, it comes from the cluster's id."},
			{"port", Number, "UDP port", "5405", "Goes before that of cman."},
			{"ttl", Number, "hops", "1", "0 to 255. Checked, and nothing goes by it."},
		},
		Other: "interface"},
	{Element: "altmulticast", In: "cman", Other: "addr ttl port"},
	{Element: "totem", In: "cluster", Meaning: "How corosync keeps the nodes together.", Children: "interface",
		Attrs: []Attribute{
			{"token", Number, "ms", "10000", "How long a node may be silent before it is given up."},
			{"consensus", Number, "ms", "", "How long the others take to agree about that. Unless given, corosync's own."},
			{"secauth", YesNo, "", "yes", "Sign and encrypt what goes between nodes."},
			{"keyfile", Text, "", "", "Counts where cman has none."},
		},
		Other: "*"},
	{Element: "quorumd", In: "cluster", Meaning: "A quorum disk. It is not run: it has no votes here.", Children: "heuristic", Other: "*"},
}

var nodeRules = []Rule{
	{Element: "clusternodes", In: "cluster", Meaning: "The nodes.", Children: "clusternode"},
	{Element: "clusternode", In: "clusternodes", Meaning: "A node.", Children: "fence unfence altname multicast",
		Attrs: []Attribute{
			{"name", Text, "", "", "Name or address on the cluster's network, once in the file. It must not be that of the loopback."},
			{"nodeid", Number, "", "", "From 1 up, once in the file. Every node needs one."},
			{"votes", Number, "votes", "1", "0 to 255."},
		},
		Other: "weight"},
	{Element: "altname", In: "clusternode", Meaning: "The node's name on a second network. All nodes should have it.",
		Attrs: []Attribute{
			{"name", Text, "", "", "Name or address."},
		},
		Other: "port mcast ttl"},
}

var fenceRules = []Rule{
	{Element: "fence", In: "clusternode", Meaning: "How the node is cut off when it has failed. Nothing that it ran is started elsewhere before that.", Children: "method"},
	{Element: "method", In: "fence", Meaning: "One way to do it, of eight at most. They are tried in this order; each of a method's devices must succeed.", Children: "device",
		Attrs: []Attribute{
			{"name", Text, "", "", "Once in the node."},
		}},
	{Element: "unfence", In: "clusternode", Meaning: "What undoes it.", Children: "device"},
	{Element: "device", In: "method unfence", Meaning: "One run of an agent, of eight at most.",
		Attrs: []Attribute{
			{"name", Text, "", "", "The fencedevice that tells the agent. All other attributes go to the agent, before the fencedevice's."},
		},
		Other: "*"},
	{Element: "fencedevices", In: "cluster", Meaning: "The devices.", Children: "fencedevice"},
	{Element: "fencedevice", In: "fencedevices", Meaning: "A device.",
		Attrs: []Attribute{
			{"name", Text, "", "", "Once in the file."},
			{"agent", Text, "", "", "Program that drives it, such as fence_ipmilan. All other attributes but the name go to it."},
		},
		Other: "*"},
	{Element: "fence_daemon", In: "cluster", Meaning: "When fencing happens.",
		Attrs: []Attribute{
			{"post_join_delay", Number, "s", "6", "How long nodes are waited for when the cluster forms, before they are fenced."},
			{"post_fail_delay", Number, "s", "0", "How long a node that was lost is waited for, before it is fenced."},
			{"override_time", Number, "s", "3", "Pause before all methods are tried again. It is a second at least."},
			{"clean_start", Flag, "", "0", "When the cluster forms, nobody is fenced. Dangerous: a node that is away may run machines."},
		},
		Other: "override_path fence_check_delay skip_undefined"},
}

var rmRules = []Rule{
	{Element: "rm", In: "cluster", Meaning: "The resource manager: what runs where.", Children: "*",
		Attrs: []Attribute{
			{"status_poll_interval", Number, "s", "10", "How often running machines are looked at, 1 at least. A machine that dies is seen at once."},
			{"max_starts", Number, "machines", "4", "How many a node starts at a time. Ours."},
			{"max_stops", Number, "machines", "8", "How many a node stops at a time. Ours."},
			{"max_migrations", Number, "machines", "2", "How many move to or from a node at a time. Ours."},
		},
		Other: "log_level log_facility status_child_max transition_throttling central_processing disabled statusmax"},
	{Element: "failoverdomains", In: "rm", Meaning: "The failover domains.", Children: "failoverdomain"},
	{Element: "failoverdomain", In: "failoverdomains", Meaning: "Nodes that services are meant for.", Children: "failoverdomainnode",
		Attrs: []Attribute{
			{"name", Text, "", "", "Compared without case."},
			{"ordered", Flag, "", "0", "The nodes' priorities count. A service moves to a better node that comes back."},
			{"restricted", Flag, "", "0", "Its services run on no other nodes."},
			{"nofailback", Flag, "", "0", "A service stays where it is when a better node comes back."},
		}},
	{Element: "failoverdomainnode", In: "failoverdomain", Meaning: "One of them. A node that is given twice ends the list.",
		Attrs: []Attribute{
			{"name", Text, "", "", "That of a clusternode, exactly."},
			{"priority", Number, "", "0", "1 is the best, 100 the last. Without one, or beyond these, it is better than 1."},
		}},
	{Element: "resources", In: "rm", Meaning: "Machines, services and resources that others refer to with ref. Not run by themselves.", Children: "*", Other: "*"},
	{Element: "resource-defaults", In: "rm", Meaning: "A vm or service in here changes what its attributes are elsewhere when they are not given.", Children: "*", Other: "*"},
	{Element: "service", In: "rm", Meaning: "A service of other parts. It is placed and shown; starting it fails, for this release runs machines only.", Children: "*",
		Attrs: serviceAttributes, Other: "nfslock nfs_client_cache"},
	{Element: "vm", In: "rm", Meaning: "A virtual machine. With child resources it is not migrated.", Children: "*",
		Attrs: append(serviceAttributes[:len(serviceAttributes):len(serviceAttributes)], vmAttributes...)},
	{Element: "action", In: "vm", Meaning: "Other times for an operation of the machine.",
		Attrs: []Attribute{
			{"name", "status|start|stop|migrate", "", "", "The operation. All others are not looked at."},
			{"depth", "0|10|*", "", "", "Of status: 0 asks libvirt, 10 the status_program too, and * is both. Unless given, 0."},
			{"timeout", Time, "", "", "How long it may take. Unless given, 300 s to start, 120 s to stop, 600 s to migrate, 10 s for a status and 20 s at depth 10."},
			{"interval", Time, "", "", "Of status: how often. Unless given, 30 s, and 60 s at depth 10."},
		}},
}

var serviceAttributes = []Attribute{
	{"name", Text, "", "", "Together with the type at most 63 bytes, once in the file."},
	{"ref", Text, "", "", "In the place of all others: the name of one of that type in resources."},
	{"domain", Text, "", "", "Failover domain. Without one, all nodes count alike."},
	{"autostart", Flag, "", "1", "It is started when the cluster forms. Otherwise it waits for clusvcadm -e."},
	{"exclusive", Number, "", "0", "From 1 up, or yes: it shares its node with no other service."},
	{"recovery", "restart|relocate|disable|restart-disable", "", "", "What is done when it fails. With restart it is started again there, and elsewhere after max_restarts; with relocate, elsewhere at once; with disable, not at all; with restart-disable, there, and not at all after max_restarts. Unless given, restart."},
	{"max_restarts", Number, "", "0", "How often it is started again within restart_expire_time before it is started elsewhere. 0 is without limit."},
	{"restart_expire_time", Time, "", "0", "After so long a restart is forgotten. 0 is never."},
	{"depend", Text, "", "", "Full name of a service that must run first, such as vm:db."},
	{"depend_mode", "hard|soft", "", "hard", "Both mean the same here, as they did without central processing: started only while the other is, and stopped when that stops."},
	{"priority", Number, "", "0", "Of several that wait for a node to have done with others, the lowest goes first."},
}

var vmAttributes = []Attribute{
	{"xmlfile", Text, "", "", "File with libvirt's definition, where libvirt has none. cmand carries definitions from node to node, so that it is rarely needed."},
	{"path", Text, "", "", "Folders that are searched for such a file, with colons between them."},
	{"migrate", "live|pause", "", "live", "Whether the machine goes on while it moves."},
	{"migrate_options", Text, "", "", "Words of virsh migrate, such as --auto-converge or --bandwidth 100. One that is not understood makes migration fail."},
	{"migration_mapping", Text, "", "", "Names that other nodes are reached by, as member:name, with commas between them."},
	{"migration_uri", Text, "", "auto", "libvirt's address of another node, with %s for its name."},
	{"tunnelled", YesNo, "", "no", "Every migration goes through SSH, with it or without."},
	{"no_kill", YesNo, "", "no", "A machine that does not shut down in time is not destroyed. Stopping it has failed then."},
	{"snapshot", Text, "", "", "Folder. The machine is not shut down but saved there when it is stopped, and restored when it is started."},
	{"status_program", Text, "", "", "Command for a shell, which must succeed for the machine to count as running, beside what libvirt says."},
	{"use_virsh", Text, "", "", "With anything but 1, or nothing, the machine is not started: there is libvirt only."},
	{"hypervisor", "auto|qemu|xen", "", "auto", "With xen, the machine is not started: there is QEMU only."},
	{"hypervisor_uri", Text, "", "auto", "The libvirt that runs the machine, on the same host; auto is qemu:///system. Only there can machines be migrated."},
}
