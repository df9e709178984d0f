package chrony

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestSources(t *testing.T) {
	both := osconfig.NTP{Servers: []string{"10.9.0.1", "two words", "10.9.0.1"}, Pools: []string{"pool.example.org"}}
	leases := addrs("10.0.0.1", "fd00::1", "10.0.0.1", "0.0.0.0", "224.0.1.1")
	for _, c := range []struct {
		name   string
		config osconfig.NTP
		leases []netip.Addr
		want   string
	}{
		{"configured servers win", both, leases, "server 10.9.0.1 iburst\npool pool.example.org iburst\n"},
		{"leases'", osconfig.NTP{}, leases, "server 10.0.0.1 iburst\nserver fd00::1 iburst\n"},
		{"nobody's", osconfig.NTP{}, nil, "pool 2.debian.pool.ntp.org iburst\n"},
		{"a directive in a name", osconfig.NTP{Servers: []string{"a\nallow all"}}, nil, "pool 2.debian.pool.ntp.org iburst\n"},
	} {
		if d := cmp.Diff(c.want, Sources(c.config, c.leases)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// stand answers as chronyd does, with a status, on a socket of its own.
func stand(t *testing.T, socket string, status byte) (asked <-chan struct{}) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	got := make(chan struct{}, 10)
	go func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := c.ReadFromUnix(buf)
			if err != nil {
				return
			}
			if n != requestLength || buf[0] != version || buf[1] != typeRequest || buf[offCommand+1] != reloadSources {
				continue
			}
			answer := make([]byte, replyLength)
			answer[0], answer[1], answer[offStatus+1] = version, typeReply, status
			copy(answer[offAnswers:], buf[offSequence:offSequence+4])
			_, _ = c.WriteToUnix([]byte("rubbish"), from)
			_, _ = c.WriteToUnix(answer, from)
			got <- struct{}{}
		}
	}()
	return got
}

func TestSet(t *testing.T) {
	dir, err := os.MkdirTemp("", "chr") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket, sources := filepath.Join(dir, "chronyd.sock"), filepath.Join(dir, "sources")
	d := New(socket, sources)
	set := func(servers ...string) error { return d.Set(osconfig.NTP{Servers: servers}, nil) }
	if err := set("10.0.0.1"); err != nil {
		t.Fatalf("without chronyd: %v", err)
	}
	refused := stand(t, socket, 1)
	if err := set("10.0.0.2"); err == nil {
		t.Error("chronyd refuses, and that is no error")
	}
	<-refused
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	asked := stand(t, socket, 0)
	if err := set("10.0.0.2"); err != nil { // the same: what failed is tried again
		t.Fatal(err)
	}
	<-asked
	if err := set("10.0.0.2"); err != nil || len(asked) != 0 {
		t.Errorf("the same servers: %v, asked %d times", err, len(asked))
	}
	text, err := os.ReadFile(filepath.Join(sources, "pharos.sources"))
	if err != nil || string(text) != "server 10.0.0.2 iburst\n" {
		t.Errorf("%q, %v", text, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil || len(left) != 1 {
		t.Errorf("sockets %q, %v", left, err)
	}
}

func TestNoAnswer(t *testing.T) {
	dir, err := os.MkdirTemp("", "chr")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "chronyd.sock")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := reload(socket, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a chronyd that is silent: %v", err)
	}
	c.Close()
	if err := reload(socket, time.Second); !errors.Is(err, errNotRunning) {
		t.Errorf("a socket that a dead chronyd left: %v", err)
	}
}

// TestOpen: what chronyd puts in the place of the socket keeps its mode.
func TestOpen(t *testing.T) {
	dir, err := os.MkdirTemp("", "chr")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket, file, link := filepath.Join(dir, "socket"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, changed string
		ok            bool
		want          os.FileMode
	}{{socket, socket, true, 0o666}, {link, file, false, 0o600}, {file, file, false, 0o600}} {
		err := open(c.path)
		info, errStat := os.Stat(c.changed)
		if errStat != nil || (err == nil) != c.ok || info.Mode().Perm() != c.want {
			t.Errorf("%s: %v, %v, %v", c.path, err, info, errStat)
		}
	}
}

// TestSetAfterRestart: servers that a process before this one has written, and
// that chronyd may not have read, are read.
func TestSetAfterRestart(t *testing.T) {
	dir, err := os.MkdirTemp("", "chr")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket, sources := filepath.Join(dir, "chronyd.sock"), filepath.Join(dir, "sources")
	leases := addrs("10.0.0.1")
	if New(socket, sources).Told() {
		t.Error("there are time servers before anybody has told any")
	}
	if err := New(socket, sources).Set(osconfig.NTP{}, leases); err != nil {
		t.Fatal(err)
	}
	asked := stand(t, socket, 0)
	d := New(socket, sources)
	if !d.Told() {
		t.Error("the servers of the process before are not seen")
	}
	if err := d.Set(osconfig.NTP{}, leases); err != nil {
		t.Fatal(err)
	}
	<-asked
}

func FuzzReply(f *testing.F) {
	f.Add([]byte{version, typeReply}, uint32(1))
	f.Add(make([]byte, replyLength), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, sequence uint32) {
		if ours, err := reply(b, sequence); err != nil && !ours {
			t.Errorf("not ours, and %v", err)
		}
	})
}
