package hypervisor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
)

// SSH says whose configuration and keys reach the other nodes. The zero value
// is the running user's, as the ssh command has it (ssh_config(5)).
type SSH struct {
	Home   string // folder that holds .ssh; empty: the running user's
	System string // empty: /etc/ssh/ssh_config
}

// settings are the parts of ssh_config(5) that are honoured, for one node.
type settings struct {
	host       string // to connect to: HostName
	user       string
	port       string
	strict     string   // yes, ask, accept-new, no, off
	userHosts  []string // UserKnownHostsFile; the first one is added to
	hosts      []string // GlobalKnownHostsFile
	identities []string
	timeout    time.Duration // ConnectTimeout
}

var defaultIdentities = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"}

// settings reads what the two files say about a node. A fault in the user's
// file is an error. The system's is left out when it cannot be understood:
// some distributions put a Match block there that the parser does not know.
func (s SSH) settings(to destination) (settings, error) {
	me, err := user.Current()
	if err != nil {
		return settings{}, err
	}
	home := s.Home
	if home == "" {
		home = me.HomeDir
	}
	system := s.System
	if system == "" {
		system = "/etc/ssh/ssh_config"
	}
	var files []*ssh_config.Config
	own := filepath.Join(home, ".ssh", "config")
	switch c, err := decode(own); {
	case err == nil:
		files = append(files, c)
	case !errors.Is(err, os.ErrNotExist):
		return settings{}, fmt.Errorf("%s: %v", own, err)
	}
	if c, err := decode(system); err == nil {
		files = append(files, c)
	}
	get := func(key, otherwise string) string {
		if v := values(files, to.node, key); len(v) > 0 {
			return v[0]
		}
		return otherwise
	}
	for _, key := range []string{"ProxyJump", "ProxyCommand"} {
		if v := get(key, "none"); v != "none" {
			return settings{}, fmt.Errorf("%s: %s is not supported", own, key)
		}
	}
	set := settings{user: to.user, port: to.port}
	if set.user == "" {
		set.user = get("User", me.Username)
	}
	if set.port == "" {
		set.port = get("Port", "22")
	}
	if n, err := strconv.ParseUint(set.port, 10, 16); err != nil || n == 0 {
		return settings{}, fmt.Errorf("port %q is not a port number", set.port)
	}
	set.host = strings.NewReplacer("%%", "%", "%h", to.node, "%n", to.node).Replace(get("HostName", to.node))
	expand := func(paths []string) []string {
		tokens := strings.NewReplacer("%%", "%", "%d", home, "%h", set.host, "%n", to.node, "%p", set.port, "%r", set.user, "%u", me.Username)
		var out []string
		for _, p := range paths {
			p = tokens.Replace(strings.Trim(p, `"`))
			if rest, ok := strings.CutPrefix(p, "~/"); ok {
				p = filepath.Join(home, rest)
			}
			if p != "none" {
				out = append(out, p)
			}
		}
		return out
	}
	set.userHosts = expand(strings.Fields(get("UserKnownHostsFile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")))
	set.hosts = expand(strings.Fields(get("GlobalKnownHostsFile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2")))
	set.identities = values(files, to.node, "IdentityFile")
	if len(set.identities) == 0 {
		set.identities = defaultIdentities
	}
	set.identities = expand(set.identities)
	set.strict = strings.ToLower(get("StrictHostKeyChecking", "ask"))
	switch set.strict {
	case "yes", "ask", "accept-new", "no", "off":
	default:
		return settings{}, fmt.Errorf("StrictHostKeyChecking %q is not yes, no, ask or accept-new", set.strict)
	}
	timeout := get("ConnectTimeout", "none")
	if timeout == "none" {
		timeout = "10"
	}
	seconds, err := strconv.Atoi(timeout)
	if err != nil || seconds <= 0 {
		return settings{}, fmt.Errorf("ConnectTimeout %q is not a number of seconds", timeout)
	}
	set.timeout = time.Duration(seconds) * time.Second
	return set, nil
}

// values returns what the files say about key for node, in ssh's order: the
// first one counts where only one may be.
func values(files []*ssh_config.Config, node, key string) []string {
	var all []string
	for _, f := range files {
		v, err := f.GetAll(node, key)
		if err == nil {
			all = append(all, v...)
		}
	}
	return all
}

func decode(name string) (*ssh_config.Config, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ssh_config.Decode(f)
}
