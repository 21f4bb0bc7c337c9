package hypervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys returns the check of a node's host key and the key algorithms to
// ask for, as StrictHostKeyChecking says (ssh_config(5)):
//
//	            unknown key   other key than known
//	yes, ask    refused       refused
//	accept-new  added         refused
//	no, off     added         accepted, nothing changed
//
// There is nobody to ask. A revoked key is always refused.
func (s settings) hostKeys() (ssh.HostKeyCallback, []string, error) {
	var files []string
	for _, f := range slices.Concat(s.userHosts, s.hosts) {
		if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() {
			files = append(files, f)
		}
	}
	known, err := knownhosts.New(files...)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read known hosts: %v", err)
	}
	check := func(host string, addr net.Addr, key ssh.PublicKey) error {
		err := known(host, addr, key)
		var k *knownhosts.KeyError
		if !errors.As(err, &k) {
			return err // nil, or revoked
		}
		// ssh takes a key of a type that it has none of for a new one.
		changed := slices.ContainsFunc(k.Want, func(w knownhosts.KnownKey) bool { return w.Key.Type() == key.Type() })
		fingerprint := key.Type() + " " + ssh.FingerprintSHA256(key)
		switch {
		case s.strict == "yes" || s.strict == "ask":
			if changed {
				return fmt.Errorf("host key has changed: it is now %s, and %s:%d says otherwise", fingerprint, k.Want[0].Filename, k.Want[0].Line)
			}
			return fmt.Errorf("host key %s is not in %v", fingerprint, s.userHosts)
		case changed && s.strict == "accept-new":
			return fmt.Errorf("host key has changed: it is now %s, and %s:%d says otherwise", fingerprint, k.Want[0].Filename, k.Want[0].Line)
		case !changed:
			s.remember(host, key)
		}
		return nil
	}
	return check, s.algorithms(known), nil
}

// remember adds a key to the user's known hosts. ssh goes on when it cannot
// write there, and so do we.
func (s settings) remember(host string, key ssh.PublicKey) {
	if len(s.userHosts) == 0 {
		return
	}
	if os.MkdirAll(filepath.Dir(s.userHosts[0]), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(s.userHosts[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, knownhosts.Line([]string{knownhosts.Normalize(host)}, key))
}

// algorithms puts the types of the keys that are known for the host first:
// a server has keys of several types and offers one of the type asked for.
func (s settings) algorithms(known ssh.HostKeyCallback) []string {
	all := ssh.SupportedAlgorithms().HostKeys
	err := known(net.JoinHostPort(s.host, s.port), &net.TCPAddr{}, noKey{})
	var k *knownhosts.KeyError
	if !errors.As(err, &k) {
		return all
	}
	var first []string
	for _, w := range k.Want {
		if t := w.Key.Type(); t == ssh.KeyAlgoRSA {
			first = append(first, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			first = append(first, t)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return slices.Contains(first, a) })
	return append(first, rest...)
}

// noKey equals no key: a look-up with it tells all the keys known for a host.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }
