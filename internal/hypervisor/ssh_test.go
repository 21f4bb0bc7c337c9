package hypervisor

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestSettings(t *testing.T) {
	const user, system = `
Host web
  HostName 10.0.0.7
  User mig
  Port 2222
  IdentityFile ~/.ssh/web_%r
  IdentityFile /keys/%n
  StrictHostKeyChecking accept-new
  UserKnownHostsFile ~/.ssh/known_%h /dev/null
  ConnectTimeout 3
Host *.lan !secret.lan
  HostName %h.example.com
Host bad-strict
  StrictHostKeyChecking maybe
Host bad-port
  Port 99999
Host jump
  ProxyJump gate
`, `
Host *
  Port 222
  User fallback
`
	home := t.TempDir()
	write(t, home+"/.ssh/config", user)
	write(t, home+"/system", system)
	s := SSH{Home: home, System: home + "/system"}
	get := func(to destination) settings {
		t.Helper()
		set, err := s.settings(to)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	web := get(destination{node: "web"})
	if web.host != "10.0.0.7" || web.user != "mig" || web.port != "2222" || web.strict != "accept-new" || web.timeout != 3*time.Second {
		t.Errorf("web: %+v", web)
	}
	if want := []string{home + "/.ssh/web_mig", "/keys/web"}; !slices.Equal(web.identities, want) {
		t.Errorf("identities %v; want %v", web.identities, want)
	}
	if want := []string{home + "/.ssh/known_10.0.0.7", "/dev/null"}; !slices.Equal(web.userHosts, want) {
		t.Errorf("known hosts %v; want %v", web.userHosts, want)
	}
	if got := get(destination{node: "web", user: "root", port: "22"}); got.user != "root" || got.port != "22" {
		t.Errorf("asked for root and port 22, got %s and %s", got.user, got.port)
	}
	if got := get(destination{node: "a.lan"}).host; got != "a.lan.example.com" {
		t.Errorf("a.lan is %s", got)
	}
	if got := get(destination{node: "secret.lan"}).host; got != "secret.lan" {
		t.Errorf("secret.lan is %s", got)
	}
	plain := get(destination{node: "node1"})
	if plain.host != "node1" || plain.port != "222" || plain.user != "fallback" || plain.strict != "ask" || len(plain.identities) != 3 {
		t.Errorf("node1: %+v", plain)
	}
	for node, want := range map[string]string{"bad-strict": "maybe", "bad-port": "99999", "jump": "ProxyJump"} {
		if _, err := s.settings(destination{node: node}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error about %s", node, err, want)
		}
	}
}

func TestSettingsOfUnreadableFiles(t *testing.T) {
	home := t.TempDir()
	if _, err := (SSH{Home: home, System: "/nonexistent"}).settings(destination{node: "web"}); err != nil {
		t.Errorf("without files: %v", err)
	}
	const odd = "Match final all\n  Port 1\n"
	write(t, home+"/system", odd)
	set, err := SSH{Home: home, System: home + "/system"}.settings(destination{node: "web"})
	if err != nil || set.port != "22" {
		t.Errorf("with an odd system file: port %s, %v; want 22", set.port, err)
	}
	write(t, home+"/.ssh/config", odd)
	if _, err := (SSH{Home: home, System: "/nonexistent"}).settings(destination{node: "web"}); err == nil || !strings.Contains(err.Error(), home+"/.ssh/config") {
		t.Errorf("with an odd file of the user's: %v; want an error that names it", err)
	}
}

// server is an SSH server that lets one key in and echoes what its channels
// get.
type server struct {
	addr string
	home string      // of a client that may log in
	mute atomic.Bool // answers no requests
}

func newServer(t *testing.T, keys ...ssh.Signer) *server {
	t.Helper()
	s := &server{home: t.TempDir()}
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	login, _ := ssh.NewSignerFromKey(private)
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.home+"/.ssh/id_ed25519", string(pem.EncodeToMemory(block)))
	conf := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), login.PublicKey().Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	for _, k := range keys {
		conf.AddHostKey(k)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.addr = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c, conf)
		}
	}()
	return s
}

func (s *server) serve(c net.Conn, conf *ssh.ServerConfig) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return
	}
	if !s.mute.Load() {
		go ssh.DiscardRequests(requests)
	}
	for nc := range channels {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(reqs)
		go func() {
			io.Copy(ch, ch)
			ch.CloseWrite()
		}()
	}
}

// connect dials as configured, with strict and the known hosts given.
func (s *server) connect(t *testing.T, strict, known string) (remote, error) {
	t.Helper()
	write(t, s.home+"/.ssh/known_hosts", known)
	host, port, _ := net.SplitHostPort(s.addr)
	write(t, s.home+"/.ssh/config", "Host node2\n HostName "+host+"\n Port "+port+"\n GlobalKnownHostsFile none\n StrictHostKeyChecking "+strict+"\n")
	c, err := SSH{Home: s.home, System: "/nonexistent"}.dial(t.Context(), destination{node: "node2"})
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func hostKey(t *testing.T, private crypto.Signer, err error) ssh.Signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	k, err := ssh.NewSignerFromSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestHostKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	mine := hostKey(t, ed, err)
	_, ed, err = ed25519.GenerateKey(rand.Reader)
	other := hostKey(t, ed, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	mineRSA := hostKey(t, rs, err)
	s := newServer(t, mine, mineRSA)
	line := func(k ssh.Signer) string {
		return knownhosts.Line([]string{knownhosts.Normalize(s.addr)}, k.PublicKey()) + "\n"
	}
	tests := []struct {
		name, strict, known string
		want                string // of the error
		added               bool
	}{
		{"known", "yes", line(mine), "", false},
		{"only the RSA key known", "yes", line(mineRSA), "", false},
		{"unknown, yes", "yes", "", "is not in", false},
		{"unknown, ask", "ask", "", "is not in", false},
		{"unknown, accept-new", "accept-new", "", "", true},
		{"unknown, no", "no", "", "", true},
		{"changed, yes", "yes", line(other), "has changed", false},
		{"changed, accept-new", "accept-new", line(other), "has changed", false},
		{"changed, no", "no", line(other), "", false},
		{"revoked, no", "no", "@revoked * " + strings.SplitN(line(mine), " ", 2)[1] + "@revoked * " + strings.SplitN(line(mineRSA), " ", 2)[1], "revoked", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.connect(t, tt.strict, tt.known)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("dial = %v; want %q", err, tt.want)
			}
			if err != nil && (!strings.Contains(err.Error(), "node2") || !strings.Contains(err.Error(), s.addr)) {
				t.Errorf("%q names neither node nor address", err)
			}
			now, _ := os.ReadFile(s.home + "/.ssh/known_hosts")
			if added := string(now) != tt.known; added != tt.added {
				t.Errorf("known_hosts is now %q; want added: %v", now, tt.added)
			}
			if tt.added {
				if _, err := s.connect(t, "yes", string(now)); err != nil {
					t.Errorf("the second time: %v", err)
				}
			}
		})
	}
}

func TestLogin(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	s := newServer(t, hostKey(t, ed, err))
	t.Run("AES-GCM is offered first", func(t *testing.T) {
		c, err := s.connect(t, "no", "")
		if err != nil {
			t.Fatal(err)
		}
		algorithms := c.(*sshConn).Conn.(ssh.AlgorithmsConnMetadata).Algorithms()
		if got := algorithms.Write.Cipher; got != ssh.CipherAES128GCM {
			t.Errorf("cipher %s", got)
		}
	})
	t.Run("each half closes on its own", func(t *testing.T) {
		c, err := s.connect(t, "no", "")
		if err != nil {
			t.Fatal(err)
		}
		tun := &tunnel{ssh: c}
		tun.ctx, tun.cancel = context.WithCancel(t.Context())
		path := t.TempDir() + "/s"
		if err := tun.forward(path, "/far"); err != nil {
			t.Fatal(err)
		}
		near, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		sent := bytes.Repeat([]byte("memory"), 1<<20)
		go func() {
			near.Write(sent)
			near.(*net.UnixConn).CloseWrite()
		}()
		got, err := io.ReadAll(near)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came back, %v; want %d", len(got), err, len(sent))
		}
		tun.close()
		if err := tun.cause(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("the socket is still there")
		}
	})
	t.Run("a connection that falls silent is closed", func(t *testing.T) {
		s.mute.Store(true)
		defer s.mute.Store(false)
		c, err := s.connect(t, "no", "")
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() { closed <- c.(*sshConn).Wait() }()
		go c.(*sshConn).keepalive(10*time.Millisecond, 50*time.Millisecond)
		select {
		case <-closed:
		case <-time.After(5 * time.Second):
			t.Error("it is still open")
		}
	})
	t.Run("no key", func(t *testing.T) {
		home := t.TempDir()
		write(t, home+"/.ssh/id_rsa", "garbage")
		_, err := SSH{Home: home, System: "/nonexistent"}.dial(t.Context(), destination{node: "node2"})
		if err == nil || !strings.Contains(err.Error(), "no private key") || !strings.Contains(err.Error(), "id_rsa: cannot be read") {
			t.Errorf("dial = %v", err)
		}
	})
	t.Run("a server that says nothing", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		mute := &server{addr: l.Addr().String(), home: s.home}
		_, port, _ := net.SplitHostPort(mute.addr)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		write(t, s.home+"/.ssh/config", "Host mute\n HostName 127.0.0.1\n Port "+port+"\n")
		_, err = SSH{Home: s.home, System: "/nonexistent"}.dial(ctx, destination{node: "mute"})
		if err == nil || !strings.Contains(err.Error(), "no login within the time given") {
			t.Errorf("dial = %v", err)
		}
	})
}

func TestQuote(t *testing.T) {
	if got, want := quote("/a b/it's"), `'/a b/it'\''s'`; got != want {
		t.Errorf("quote = %s; want %s", got, want)
	}
}
