package wire

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

type peerKey struct{}

// withPeer notes who is at the other end; nobody when the kernel does not say.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	err2 := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || err2 != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, cred)
}

// Caller names the user who makes the request of ctx, with which a [Backend]
// was called; "" when the kernel does not say. Who logged in as somebody else
// is named too: root(alice) has used sudo (pam_loginuid(8)).
func Caller(ctx context.Context) string {
	cred, ok := ctx.Value(peerKey{}).(*unix.Ucred)
	if !ok {
		return ""
	}
	login, _ := os.ReadFile(fmt.Sprintf("/proc/%d/loginuid", cred.Pid)) // without it the user alone is named
	return callerName(cred.Uid, string(login))
}

// callerName names a user whose process has that text as loginuid.
func callerName(uid uint32, loginuid string) string {
	login, err := strconv.ParseUint(strings.TrimSpace(loginuid), 10, 32)
	if err != nil || uint32(login) == uid || uint32(login) == nobodyLoggedIn {
		return userName(uid)
	}
	return fmt.Sprintf("%s(%s)", userName(uid), userName(uint32(login)))
}

// nobodyLoggedIn is the loginuid of what runs without a login.
const nobodyLoggedIn = ^uint32(0)

// userName is the name of a user, or the number of one who has none.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// mayAct reports whether the caller of ctx is an administrator.
func (s *Server) mayAct(ctx context.Context) bool {
	cred, ok := ctx.Value(peerKey{}).(*unix.Ucred)
	if !ok {
		return false
	}
	if s.Admin != nil {
		return s.Admin(cred.Uid, cred.Gid)
	}
	return RootOrCluster(cred.Uid, cred.Gid)
}

// RootOrCluster reports whether a user is root, or has the group named
// cluster as primary or further group. The group file is read each time.
func RootOrCluster(uid, gid uint32) bool {
	if uid == 0 {
		return true
	}
	g, err := user.LookupGroup("cluster")
	if err != nil {
		return false
	}
	if g.Gid == strconv.FormatUint(uint64(gid), 10) {
		return true
	}
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}

// body calls ended once, when it has been read to its end.
type body struct {
	io.ReadCloser
	ended func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended()
	}
	return n, err
}
