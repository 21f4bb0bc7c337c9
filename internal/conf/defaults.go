package conf

import "time"

// settings is one of each thing that cluster.conf may describe in part.
type settings struct {
	config   Config
	node     Node
	services map[string]Service // by type: vm and service; <resource-defaults> changes them
}

// defaults returns what holds where cluster.conf is silent.
func defaults() settings {
	return settings{
		config: Config{
			TTL:  1,    // cluster.conf, "cman, multicast, altmulticast, uidgid"
			Port: 5405, // same
			Totem: Totem{
				Token:   10 * time.Second, // cluster.conf, "totem"; consensus is left to corosync 3
				SecAuth: true,             // same
			},
			FenceDaemon: FenceDaemon{
				PostJoinDelay: 6 * time.Second, // cluster.conf, "fence_daemon, fence_xvmd"
				PostFailDelay: 0,               // same
				OverrideTime:  3 * time.Second, // same
				CleanStart:    false,           // same
			},
			StatusPollInterval: 10 * time.Second, // rgmanager, "Configuration of the rm section"
			Limits:             Limits{Starts: 4, Stops: 8, Migrations: 2},
		},
		node: Node{Votes: 1}, // cluster.conf, "clusternodes, clusternode, altname"
		services: map[string]Service{
			"service": { // rgmanager, "Configuration of the rm section"
				Type:       "service",
				Autostart:  true,
				DependMode: "hard",
			},
			"vm": { // rgmanager, "Virtual machines: attributes"
				Type:       "vm",
				Autostart:  true,
				DependMode: "hard",
				VM: &VM{
					Migrate:        "live",
					Hypervisor:     "auto",
					HypervisorURI:  "auto",
					MigrationURI:   "auto",
					StartTimeout:   300 * time.Second,
					StopTimeout:    120 * time.Second,
					MigrateTimeout: 600 * time.Second,
					StatusInterval: 30 * time.Second,
					StatusTimeout:  10 * time.Second,
					DeepInterval:   60 * time.Second,
					DeepTimeout:    20 * time.Second,
				},
			},
		},
	}
}
