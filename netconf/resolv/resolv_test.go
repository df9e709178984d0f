package resolv_test

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/netconf/resolv"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite golden files")
	m.Run()
}

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestRender(t *testing.T) {
	golden(t, "resolv.conf.full", resolv.ResolvConf(netconf.Names{
		Nameservers: addrs("10.0.0.1", "fd00::1", "10.0.0.2", "10.0.0.3"), Search: []string{"a.example", "b.example"}}))
	golden(t, "resolv.conf.empty", resolv.ResolvConf(netconf.Names{}))
	golden(t, "hosts.short", resolv.Hosts("box", ""))
	golden(t, "hosts.long", resolv.Hosts("box.example.org", ""))
	golden(t, "hosts.long", resolv.Hosts("box", "box.example.org"))
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc")
	var set []string
	w := resolv.New(dir, func(s string) error { set = append(set, s); return nil })
	names := netconf.Names{Hostname: "one", Nameservers: addrs("10.0.0.1")}
	write := func() map[string]os.FileInfo {
		t.Helper()
		if err := w.Write(names); err != nil {
			t.Fatal(err)
		}
		info := make(map[string]os.FileInfo)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info[e.Name()], err = e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if mode := info[e.Name()].Mode(); mode != 0o644 {
				t.Errorf("%s: mode %v, want 0644", e.Name(), mode)
			}
		}
		return info
	}
	first := write()
	if len(first) != 3 {
		t.Errorf("directory holds %v, want hostname, hosts and resolv.conf alone", first)
	}
	names.Hostname = "two"
	second := write()
	if !os.SameFile(first["resolv.conf"], second["resolv.conf"]) {
		t.Error("resolv.conf was replaced although nothing in it changed")
	}
	if os.SameFile(first["hosts"], second["hosts"]) {
		t.Error("hosts was changed in place, want a rename")
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "hostname")); string(got) != "two\n" {
		t.Errorf("hostname file is %q", got)
	}
	if d := cmp.Diff([]string{"one", "two"}, set); d != "" {
		t.Errorf("kernel hostnames (-want +got):\n%s", d)
	}
}

func TestHostsKeepsLines(t *testing.T) {
	dir := t.TempDir()
	w := resolv.New(dir, func(string) error { return nil })
	path := filepath.Join(dir, "hosts")
	for i, name := range []string{"one", "two", "two"} {
		if err := w.Write(netconf.Names{Hostname: name}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := resolv.Hosts(name, "")
		if i > 0 {
			want += "192.0.2.1 mine\n"
		}
		if d := cmp.Diff(want, string(text)); d != "" {
			t.Errorf("write %d (-want +got):\n%s", i, d)
		}
		if i == 0 {
			if err := os.WriteFile(path, append(text, "192.0.2.1 mine"...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWriteErrors(t *testing.T) {
	refused := errors.New("refused")
	w := resolv.New(t.TempDir(), func(string) error { return refused })
	if err := w.Write(netconf.Names{Hostname: "x"}); !errors.Is(err, refused) {
		t.Errorf("got %v, want the refusal", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := resolv.New(file, nil).Write(netconf.Names{}); err == nil {
		t.Error("writing below a file went well")
	}
}
