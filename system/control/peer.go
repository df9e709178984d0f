package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peer is who is at the other end of a connection, as the kernel recorded it
// when the connection was made: a process cannot change it afterwards, and it
// does not depend on the process still being there.
type peer struct {
	PID    int32
	UID    uint32
	GID    uint32
	Groups []uint32
	Err    error
}

// member reports whether the peer is in group gid.
func (p peer) member(gid int) bool {
	return p.Err == nil && (p.GID == uint32(gid) || slices.Contains(p.Groups, uint32(gid)))
}

// root reports whether the peer is uid 0.
func (p peer) root() bool { return p.Err == nil && p.UID == 0 }

type peerKey struct{}

// withPeer keeps the peer's credentials in the connection's context.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(c))
}

func peerFrom(ctx context.Context) peer {
	p, ok := ctx.Value(peerKey{}).(peer)
	if !ok {
		return peer{Err: errors.New("no credentials")}
	}
	return p
}

func peerOf(c net.Conn) peer {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return peer{Err: errors.New("not a socket")}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return peer{Err: fmt.Errorf("peer credentials: %w", err)}
	}
	var p peer
	if err := raw.Control(func(fd uintptr) { p = credentials(int(fd)) }); err != nil {
		return peer{Err: fmt.Errorf("peer credentials: %w", err)}
	}
	return p
}

func credentials(fd int) peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{Err: fmt.Errorf("SO_PEERCRED: %w", err)}
	}
	groups, err := peerGroups(fd)
	return peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid, Groups: groups, Err: err}
}

// peerGroups reads SO_PEERGROUPS (unix(7) has no entry; since Linux 4.13),
// the supplementary groups. x/sys has the number, not the call.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ERANGE && int(size/4) > len(groups): // the kernel says how much it needs
			groups = make([]uint32, size/4)
		default:
			return nil, fmt.Errorf("SO_PEERGROUPS: %w", errno)
		}
	}
}
