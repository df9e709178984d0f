package modules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestAliases(t *testing.T) {
	a := ParseAliases(`# Aliases extracted from modules themselves.
alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci
alias pci:v*d*sv*sd*bc01sc06i01* ahci
alias virtio:d00000002v* virtio_blk
alias usb:v*p*d*dc*dsc*dp*ic08isc06ip50in* usb_storage
alias cpu:type:x86,ven*fam*mod*:feature:*0089* sha256_ssse3
alias scsi:t-0x05* sr_mod
alias platform:x?y* odd
alias fs-erofs erofs
alias acpi*:PNP0C0C:* button
broken line
`)
	for _, c := range []struct {
		modalias string
		want     []string
	}{
		{"pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00", []string{"virtio_pci"}},
		{"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", []string{"ahci"}},
		{"virtio:d00000002v00001AF4", []string{"virtio_blk"}},
		{"virtio:d00000001v00001AF4", nil},
		{"usb:v0781p5567d0100dc00dsc00dp00ic08isc06ip50in00", []string{"usb_storage"}},
		{"cpu:type:x86,ven0000fam0006mod003D:feature:,0000,0002,0089,008A", []string{"sha256_ssse3"}},
		{"cpu:type:x86,ven0000fam0006mod003D:feature:,0000,0002", nil},
		{"scsi:t-0x05", []string{"sr_mod"}},
		{"platform:x/y1", []string{"odd"}},
		{"fs-erofs", []string{"erofs"}},
		{"fs-erofs2", nil},
		{"acpi:PNP0C0C:", []string{"button"}},
		{"", nil},
	} {
		if diff := cmp.Diff(c.want, a.Match(c.modalias)); diff != "" {
			t.Errorf("%s: %s", c.modalias, diff)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"a*", "a", true}, {"a*a", "a", false}, {"a*b*c", "axxbyyc", true},
		{"a*b*c", "axxbyy", false}, {"*ab", "aab", true}, {"ab", "abc", false}, {"[ab]*", "b/c", true},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

func TestAliasesAreFast(t *testing.T) {
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "alias pci:v%08Xd%08Xsv*sd*bc*sc*i* module%d\n", i%300, i, i)
	}
	a := ParseAliases(text.String())
	for i := range 200 {
		name := fmt.Sprintf("pci:v%08Xd%08Xsv00001AF4sd00001100bc01sc06i01", i, i)
		if got := a.Match(name); len(got) != 1 {
			t.Fatalf("%s: %v", name, got)
		}
	}
}

// newLoader opens the testdata of a small kernel; order receives what is
// inserted.
func newLoader(t *testing.T, fail map[string]error) (*Loader, *[]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"modules.dep": "kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-bufio.ko kernel/lib/reed_solomon/reed_solomon.ko kernel/drivers/md/dm-mod.ko\n" +
			"kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko\n" +
			"kernel/drivers/md/dm-mod.ko:\nkernel/lib/reed_solomon/reed_solomon.ko:\n" +
			"kernel/fs/isofs/isofs.ko.xz: kernel/drivers/cdrom/cdrom.ko.xz\nkernel/drivers/cdrom/cdrom.ko.xz:\n",
		"modules.alias":   "alias fs-iso9660 isofs\nalias devname:mapper/control dm_mod\n",
		"modules.softdep": "# comment\nsoftdep isofs pre: nls_utf8 dm-mod post: loop\nsoftdep cdrom pre: isofs\n",
		"modules.builtin": "kernel/drivers/virtio/virtio-pci.ko\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var order []string
	l, err := Open(dir, func(file, params string) error {
		order = append(order, Name(file)+params)
		return fail[Name(file)]
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, &order
}

func TestLoaderOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
	}{
		{"dm-verity", []string{"dm_mod", "reed_solomon", "dm_bufio", "dm_verity"}},
		{"dm_bufio", []string{"dm_mod", "dm_bufio"}},
		{"fs-iso9660", []string{"cdrom", "dm_mod", "isofs"}},
		{"virtio_pci", nil},
	} {
		l, order := newLoader(t, nil)
		for range 2 { // the second time nothing is left to do
			if err := l.Load(c.name, ""); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if diff := cmp.Diff(c.want, *order); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestLoaderErrors(t *testing.T) {
	l, order := newLoader(t, map[string]error{"dm_mod": unix.EEXIST, "reed_solomon": unix.ENODEV, "cdrom": unix.EINVAL})
	if err := l.Load("dm_verity", " x=1"); err != nil {
		t.Errorf("module that exists, module without device: %v", err)
	}
	if got := (*order)[len(*order)-1]; got != "dm_verity x=1" {
		t.Errorf("last insert = %q", got)
	}
	if err := l.Load("isofs", ""); !errors.Is(err, unix.EINVAL) {
		t.Errorf("broken dependency: %v", err)
	}
	if err := l.Load("nonesuch", ""); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
}

// TestNoLinksOfTheirOwn: a module that is loaded to make bond0 leaves the name
// free, unless somebody asks for what the kernel does.
func TestNoLinksOfTheirOwn(t *testing.T) {
	for params, want := range map[string]string{"": "bonding max_bonds=0", " max_bonds=2": "bonding max_bonds=2"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "modules.dep"), []byte("kernel/bonding.ko.xz:\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var got string
		l, err := Open(dir, func(file, params string) error {
			got = Name(file) + " " + strings.TrimSpace(params)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Load("bonding", params); err != nil || got != want {
			t.Errorf("with %q: %q, %v; want %q", params, got, err, want)
		}
	}
}

func TestModaliases(t *testing.T) {
	sysfs := t.TempDir()
	for path, text := range map[string]string{
		"bus/zorro/devices/z/modalias":      "zorro:1\n",
		"bus/pci/devices/0000:00/modalias":  "pci:1\n",
		"bus/pci/devices/0000:01/modalias":  "pci:1\n",
		"bus/pci/devices/0000:02/modalias":  "pci:2\n",
		"bus/virtio/devices/v0/modalias":    "virtio:1\n",
		"bus/platform/devices/rtc/modalias": "\n",
	} {
		path = filepath.Join(sysfs, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	buses, err := Buses(sysfs)
	if diff := cmp.Diff([]string{"virtio", "pci", "platform", "zorro"}, buses); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for bus, want := range map[string][]string{"pci": {"pci:1", "pci:2"}, "platform": nil, "scsi": nil} {
		if diff := cmp.Diff(want, Modaliases(sysfs, bus)); diff != "" {
			t.Errorf("%s: %s", bus, diff)
		}
	}
}

func TestIsHelperCall(t *testing.T) {
	if name, ok := IsHelperCall([]string{"/init", "-q", "--", "fs-ext4"}); !ok || name != "fs-ext4" {
		t.Errorf("kernel's call not seen: %q %v", name, ok)
	}
	if _, ok := IsHelperCall([]string{"/init"}); ok {
		t.Error("plain start taken for a helper call")
	}
}
