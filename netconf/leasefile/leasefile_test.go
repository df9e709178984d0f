package leasefile

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pharos-os/pharos/netconf"
)

const mac = "02:00:00:00:00:01"

func now() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }

func example() *netconf.Lease {
	return &netconf.Lease{
		Address: netip.MustParsePrefix("192.0.2.5/24"), Server: netip.MustParseAddr("192.0.2.1"),
		Routers: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")},
		Routes: []netconf.LeaseRoute{{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.9")},
			{Dst: netip.MustParsePrefix("198.51.100.0/24")}},
		Domain: "example.org", Search: []string{"a.example"}, Hostname: "box", MTU: 1450,
		NTP:      []netip.Addr{netip.MustParseAddr("192.0.2.123")},
		Acquired: now(), Duration: time.Hour, T1: 30 * time.Minute, T2: 50 * time.Minute,
	}
}

// compare compares leases as they are in the program.
func compare(t *testing.T, what string, want, got *netconf.Lease) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestKeepAndForget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "Save")
	s := New(dir, Options{Now: now})
	if got := s.Load(mac); got != nil {
		t.Errorf("from nothing came %+v", got)
	}
	if err := s.Save(mac, example()); err != nil {
		t.Fatal(err)
	}
	want := example()
	want.Acquired = time.Time{}
	compare(t, "kept", want, s.Load("02-00-00-00-00-01")) // another spelling
	info, err := os.Stat(filepath.Join(dir, "02-00-00-00-00-01.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v", info, err)
	}
	if got := s.Load("02:00:00:00:00:02"); got != nil {
		t.Errorf("another link has %+v", got)
	}
	for range 2 {
		if err := s.Save(mac, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Load(mac); got != nil {
		t.Errorf("after forgetting came %+v", got)
	}
}

// TestShared: links with the same hardware address have a lease each.
func TestShared(t *testing.T) {
	s := New(t.TempDir(), Options{Now: now})
	ids := []string{mac, mac + "@eth0.7", mac + "@.."}
	for i, id := range ids {
		l := example()
		l.Address = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24)
		if err := s.Save(id, l); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range ids {
		if got := s.Load(id); got == nil || int(got.Address.Addr().As4()[3]) != i+1 {
			t.Errorf("%s has %+v", id, got)
		}
	}
}

func TestExpiry(t *testing.T) {
	endless := example()
	endless.Duration, endless.T1, endless.T2 = 0, 0, 0
	startless := example()
	startless.Acquired = time.Time{}
	for _, c := range []struct {
		name  string
		lease *netconf.Lease
		now   time.Time
		there bool
		left  time.Duration
	}{
		{"in time", example(), now().Add(59 * time.Minute), true, time.Minute},
		{"over", example(), now().Add(61 * time.Minute), false, 0},
		{"endless", endless, now().AddDate(10, 0, 0), true, 0},
		{"without a start", startless, now(), true, time.Hour},
		{"a clock that does not run", example(), time.Unix(0, 0), true, time.Hour},
		{"a clock that was set back", example(), now().AddDate(-1, 0, 0), true, time.Hour},
	} {
		s := New(t.TempDir(), Options{Now: func() time.Time { return c.now }})
		if err := s.Save(mac, c.lease); err != nil {
			t.Fatal(err)
		}
		got := s.Load(mac)
		if (got != nil) != c.there || got != nil && got.Duration != c.left {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	good, err := encode(example())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "not JSON": "{", "another form": "[]", "cut": string(good[:len(good)/2]), "no address": "{}",
		"an address of IPv6":     `{"address":"2001:db8::1/64"}`,
		"a multicast address":    `{"address":"224.0.0.1/24"}`,
		"a negative time":        `{"address":"192.0.2.5/24","duration":-1}`,
		"a time without end":     `{"address":"192.0.2.5/24","duration":9000000000000}`,
		"T1 after the end":       `{"address":"192.0.2.5/24","duration":10,"t1":20,"t2":30}`,
		"a route to nowhere":     `{"address":"192.0.2.5/24","routes":[{}]}`,
		"a file that never ends": strings.Repeat(" ", largestFile) + string(good),
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			dir := t.TempDir()
			s := New(dir, Options{Now: now, Log: slog.New(slog.NewTextHandler(&log, nil))})
			file := filepath.Join(dir, "02-00-00-00-00-01.json")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got := s.Load(mac); got != nil {
					t.Errorf("loaded %+v", got)
				}
			}
			if n := strings.Count(log.String(), "put aside"); n != 1 {
				t.Errorf("%d lines in the log:\n%s", n, log.String())
			}
			if _, err := os.Stat(file + ".damaged"); err != nil {
				t.Error(err)
			}
			if err := s.Save(mac, example()); err != nil || s.Load(mac) == nil {
				t.Errorf("the next lease is not kept: %v", err)
			}
		})
	}
}

func TestBadAddress(t *testing.T) {
	s := New(t.TempDir(), Options{})
	for _, bad := range []string{"", "../../etc/passwd", "eth0", mac + "@../eth0", "@eth0"} {
		if s.Save(bad, example()) == nil || s.Load(bad) != nil {
			t.Errorf("%q was taken for a hardware address", bad)
		}
	}
}

func TestUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(file, Options{})
	if err := s.Save(mac, example()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("below a file: %v", err)
	}
}

// TestBound: the newest files stay, damaged ones count, others are not ours.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	s := New(dir, Options{Now: now})
	if err := os.WriteFile(filepath.Join(dir, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range mostFiles + 10 {
		name := fmt.Sprintf("02:00:00:00:01:%02x", i)
		if err := s.Save(name, example()); err != nil {
			t.Fatal(err)
		}
		path, _ := s.path(name)
		if i%2 == 1 {
			if err := os.Rename(path, path+damaged); err != nil {
				t.Fatal(err)
			}
			path += damaged
		}
		at := now().Add(time.Duration(i) * time.Minute) // later than the clock
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Save(mac, example()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != mostFiles+1 {
		t.Fatalf("%d files, %v; want %d and README", len(entries), err, mostFiles)
	}
	if s.Load(mac) == nil {
		t.Error("the one that was just written is gone")
	}
	if s.Load("02:00:00:00:01:00") != nil || s.Load("02:00:00:00:01:48") == nil {
		t.Error("the oldest file is there or a new one is not")
	}
}

func FuzzDecode(f *testing.F) {
	good, err := encode(example())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"address":"192.0.2.5/24","routes":[{"dst":"10.0.0.0/8"}],"duration":60,"t1":30,"t2":50}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		lease, err := decode(text)
		if err != nil {
			return
		}
		again, err := encode(lease)
		if err != nil {
			return // a year that JSON does not have
		}
		back, err := decode(again)
		if err != nil {
			t.Fatalf("%s is written as what cannot be read: %v", text, err)
		}
		back.Acquired = lease.Acquired // the zone is not kept
		compare(t, "read, written and read", lease, back)
	})
}
