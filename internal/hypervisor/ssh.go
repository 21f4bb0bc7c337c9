package hypervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	keepaliveInterval = 5 * time.Second
	keepaliveTimeout  = 20 * time.Second // then the connection is taken for dead
)

// ciphers in the order offered. AES-GCM is two to three times as fast as
// ChaCha20 here, and a migration is as fast as its cipher.
var ciphers = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
	ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR}

// remote is an SSH connection to a node.
type remote interface {
	Dial(network, address string) (net.Conn, error) // network "unix": a socket over there
	Run(ctx context.Context, command string) error  // through the login shell
	Close() error
}

// dial connects and logs in with a private key. The error says which node, at
// which address, and what failed.
func (s SSH) dial(ctx context.Context, to destination) (remote, error) {
	set, err := s.settings(to)
	if err != nil {
		return nil, fmt.Errorf("ssh to %s: %w", to.node, err)
	}
	c, err := set.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("ssh to %s (%s@%s): %w", to.node, set.user, net.JoinHostPort(set.host, set.port), err)
	}
	return c, nil
}

func (s settings) dial(ctx context.Context) (*sshConn, error) {
	keys, err := s.signers()
	if err != nil {
		return nil, err
	}
	check, algorithms, err := s.hostKeys()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	address := net.JoinHostPort(s.host, s.port)
	var d net.Dialer
	tcp, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { tcp.Close() })
	conn, channels, requests, err := ssh.NewClientConn(tcp, address, &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: ciphers},
		User:              s.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(keys...)},
		HostKeyCallback:   check,
		HostKeyAlgorithms: algorithms,
		ClientVersion:     "SSH-2.0-Fangnetz",
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		tcp.Close()
		if ctx.Err() != nil {
			err = fmt.Errorf("no login within the time given: %w", context.Cause(ctx))
		}
		return nil, err
	}
	c := &sshConn{Client: ssh.NewClient(conn, channels, requests)}
	go c.keepalive(keepaliveInterval, keepaliveTimeout)
	return c, nil
}

// signers reads the private keys. A key behind a passphrase cannot be used:
// there is nobody to ask.
func (s settings) signers() ([]ssh.Signer, error) {
	var keys []ssh.Signer
	var faults []string
	for _, f := range s.identities {
		b, err := os.ReadFile(f)
		var key ssh.Signer
		if err == nil {
			key, err = ssh.ParsePrivateKey(b)
		}
		var locked *ssh.PassphraseMissingError
		switch {
		case err == nil:
			keys = append(keys, key)
		case errors.Is(err, os.ErrNotExist):
			faults = append(faults, f+": not there")
		case errors.As(err, &locked):
			faults = append(faults, f+": has a passphrase")
		default:
			faults = append(faults, f+": cannot be read as a private key")
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no private key to log in with (%s)", strings.Join(faults, "; "))
	}
	return keys, nil
}

// sshConn is a connection that ends when the far end falls silent.
type sshConn struct{ *ssh.Client }

// keepalive asks for an answer at each interval, and closes the connection
// when there is none within timeout; whatever the tunnel carries then ends
// with an error.
func (c *sshConn) keepalive(interval, timeout time.Duration) {
	gone := make(chan struct{})
	go func() {
		c.Wait()
		close(gone)
	}()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-gone:
			return
		case <-tick.C:
		}
		silent := time.AfterFunc(timeout, func() { c.Close() })
		_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
		silent.Stop()
		if err != nil {
			return
		}
	}
}

// Run runs a command and waits for it. The error holds what it printed to
// stderr.
func (c *sshConn) Run(ctx context.Context, command string) error {
	done := make(chan error, 1)
	go func() {
		s, err := c.NewSession()
		if err != nil {
			done <- err
			return
		}
		stop := context.AfterFunc(ctx, func() { s.Close() })
		defer stop()
		defer s.Close()
		var stderr bytes.Buffer
		s.Stderr = &stderr
		if err = s.Run(command); err != nil && stderr.Len() > 0 {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quote makes one shell word of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
