package modules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

const devname = `# Device nodes to trigger on-demand module loading.
fuse fuse c10:229
tun net/tun c10:200
loop loop-control c10:237
vhost_net vhost-net c10:238
snd_seq snd/seq c116:1
uhid uhid c10:239
odd odd0 b259:1048575
`

func TestParseNodes(t *testing.T) {
	got, err := ParseNodes(devname)
	want := []Node{
		{"fuse", false, 10, 229}, {"net/tun", false, 10, 200}, {"loop-control", false, 10, 237}, {"vhost-net", false, 10, 238},
		{"snd/seq", false, 116, 1}, {"uhid", false, 10, 239}, {"odd0", true, 259, 1048575},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, %s", err, d)
	}
	for _, bad := range []string{"fuse", "fuse fuse", "fuse fuse c", "fuse fuse 10:229", "fuse fuse c10", "fuse fuse c10:x", "fuse fuse p10:229",
		"fuse ../etc/x c10:229", "fuse /etc/x c10:229", "fuse fuse c4096:1", "fuse fuse c1:1048576", "fuse fuse c10:229 more"} {
		got, err := ParseNodes(bad + "\ntun net/tun c10:200\n")
		if err == nil || !strings.Contains(err.Error(), bad) || len(got) != 1 {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func FuzzParseNodes(f *testing.F) {
	f.Add(devname)
	f.Add("a b c1:2\n\n#\nx ../y b1:1")
	f.Fuzz(func(t *testing.T, text string) {
		nodes, _ := ParseNodes(text)
		for _, n := range nodes {
			if !filepath.IsLocal(n.Path) || n.Major >= 1<<12 || n.Minor >= 1<<20 {
				t.Errorf("%+v", n)
			}
		}
	})
}

// TestRootNodes: kind, number, owner and mode. A node that the kernel has made
// gets its mode, too; one that nothing is said about stays as it is.
func TestRootNodes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: device nodes")
	}
	dev := t.TempDir()
	nodes, err := ParseNodes(devname)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fuse", "uhid"} {
		if err := os.WriteFile(filepath.Join(dev, name), nil, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := MakeNodes(dev, nodes); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, n := range nodes {
			var s unix.Stat_t
			if err := unix.Stat(filepath.Join(dev, n.Path), &s); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s %o %d:%d %d:%d\n", n.Path, s.Mode, unix.Major(s.Rdev), unix.Minor(s.Rdev), s.Uid, s.Gid)
		}
		want := `fuse 100666 0:0 0:0
net/tun 20666 10:200 0:0
loop-control 20660 10:237 0:6
vhost-net 20660 10:238 0:997
snd/seq 20660 116:1 0:29
uhid 100640 0:0 0:0
odd0 60600 259:1048575 0:0
`
		if d := cmp.Diff(want, got.String()); d != "" {
			t.Error(d)
		}
	}
	if err := os.WriteFile(filepath.Join(dev, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeNodes(dev, []Node{{Path: "file/node"}, {Path: "later", Major: 1, Minor: 3}}); err == nil || !strings.Contains(err.Error(), "file/node") {
		t.Errorf("a node that cannot be made: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dev, "later")); err != nil {
		t.Errorf("what comes after it: %v", err)
	}
}
