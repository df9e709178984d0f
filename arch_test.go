package pharos_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const module = "github.com/pharos-os/pharos/"

// allowed is the architecture: which package of ours may import which others.
// Data flows down, imports point up. A package that is not listed, or an import
// that is not, fails the test; so does an entry that nobody has a package for.
func allowed() map[string]string {
	return map[string]string{
		"cmd/containerd": "",
		// Modules of their own, which nothing of ours imports.
		"cmd/docker-plugins":         "",
		"cmd/docker-plugins/rosetta": "",

		"cmd/init": "init/kmsg init/modules init/rootfs init/stages",
		"cmd/ros": "os-config os-config/load os-config/schema console/setup services/engine/supervisor system/control/api " +
			"system/control/client system/manager",

		"init/boot":     "init/kmsg init/modules init/rootfs system/control/api system/linux system/linux/blkid",
		"init/kmsg":     "",
		"init/modules":  "system/linux",
		"init/pid1":     "init/kmsg init/rootfs system/linux",
		"init/recovery": "system/linux",
		"init/rootfs":   "system/linux",
		"init/stages":   "init/boot init/kmsg init/modules init/pid1 init/recovery init/rootfs system/linux",

		"os-config":                           "",
		"os-config/change":                    "os-config",
		"os-config/cloudconfig":               "os-config",
		"os-config/cmdline":                   "os-config",
		"os-config/coreunit":                  "os-config",
		"os-config/datasource":                "os-config",
		"os-config/datasource/datasourcetest": "os-config os-config/datasource os-config/datasource/imds",
		"os-config/datasource/metadata":       "os-config os-config/datasource",
		"os-config/datasource/openstack":      "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/gce":            "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/azure":          "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/vultr":          "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/linode":         "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/scaleway":       "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/equinix":        "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/oracle":         "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/url":            "os-config os-config/datasource os-config/datasource/imds",
		"os-config/datasource/vmware":         "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata os-config/datasource/nocloud os-config/datasource/url",
		"os-config/datasource/fwcfg":          "os-config/datasource os-config/datasource/nocloud",
		"os-config/datasource/clouds":         "os-config/datasource os-config/datasource/imds os-config/datasource/aliyun os-config/datasource/azure os-config/datasource/cloudstack os-config/datasource/digitalocean os-config/datasource/ec2 os-config/datasource/equinix os-config/datasource/exoscale os-config/datasource/fwcfg os-config/datasource/gce os-config/datasource/hetzner os-config/datasource/linode os-config/datasource/openstack os-config/datasource/oracle os-config/datasource/scaleway os-config/datasource/url os-config/datasource/vmware os-config/datasource/vultr",
		"os-config/datasource/ec2":            "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/exoscale":       "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata os-config/datasource/ec2",
		"os-config/datasource/cloudstack":     "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata os-config/datasource/ec2",
		"os-config/datasource/aliyun":         "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata os-config/datasource/ec2",
		"os-config/datasource/hetzner":        "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata os-config/datasource/nocloud",
		"os-config/datasource/file":           "os-config os-config/datasource",
		"os-config/datasource/imds":           "os-config os-config/datasource",
		"os-config/datasource/detect":         "",
		"os-config/datasource/digitalocean":   "os-config os-config/datasource os-config/datasource/imds os-config/datasource/metadata",
		"os-config/datasource/configdrive":    "os-config os-config/datasource os-config/datasource/metadata os-config/datasource/openstack",
		"os-config/datasource/nocloud":        "os-config os-config/datasource os-config/datasource/imds",
		"os-config/edit":                      "os-config",
		"os-config/load": "os-config os-config/cloudconfig os-config/cmdline os-config/coreunit os-config/datasource " +
			"os-config/datasource/azure os-config/datasource/clouds os-config/datasource/configdrive os-config/datasource/detect " +
			"os-config/datasource/digitalocean os-config/datasource/file os-config/datasource/imds " +
			"os-config/datasource/nocloud os-config/datasource/url system/atomicfile",

		"os-config/schema":     "",
		"os-config/schema/gen": "os-config",

		"netconf":             "netconf/nd os-config",
		"netconf/arp":         "netconf",
		"netconf/dhcp":        "netconf netconf/arp",
		"netconf/dhcp6":       "netconf netconf/nd",
		"netconf/firewall":    "os-config",
		"netconf/hooks":       "",
		"netconf/ipv4ll":      "netconf netconf/arp",
		"netconf/leasefile":   "netconf system/atomicfile",
		"netconf/netconftest": "netconf",
		"netconf/nd":          "",
		"netconf/resolv":      "netconf system/atomicfile",
		"netconf/rtnl":        "netconf",

		"system/atomicfile":     "",
		"system/beneath":        "system/linux",
		"system/linux":          "",
		"system/linux/blkid":    "",
		"system/keep":           "",
		"system/unit":           "",
		"system/oci":            "system/unit",
		"system/ctrd":           "system/oci system/unit system/view",
		"system/ctrd/ctrdtest":  "",
		"system/control":        "system/control/api",
		"system/control/api":    "",
		"system/control/client": "system/control/api",
		"system/logging":        "system/control/api",
		"system/settings":       "os-config os-config/change os-config/cmdline os-config/edit os-config/load system/atomicfile system/control/api",
		"system/state":          "os-config system/linux system/linux/blkid",
		"system/supervise":      "system/unit",
		"system/view":           "system/atomicfile system/linux",
		"system/manager":        "*", // the composition root sees everything

		"services":                   "os-config services/chrony services/engine services/wifi system/unit",
		"services/wifi":              "os-config system/atomicfile",
		"services/chrony":            "os-config system/atomicfile",
		"services/engine":            "os-config system/beneath system/unit",
		"services/engine/dockerapi":  "",
		"services/engine/rebind":     "services/engine/dockerapi system/beneath system/linux",
		"services/engine/swarm":      "os-config services/engine services/engine/dockerapi system/atomicfile system/beneath",
		"services/engine/buildcache": "system/atomicfile",
		"services/engine/supervisor": "system/keep",
		"console":                    "console/setup os-config system/unit",
		"console/setup":              "console/units os-config system/atomicfile system/keep system/linux",
		"console/units":              "os-config os-config/coreunit system/atomicfile system/keep",

		"images/builder":               "",
		"scripts/bench":                "scripts/vmtest",
		"scripts/vmtest":               "",
		"scripts/vmtest/inside":        "",
		"scripts/vmtest/payload":       "scripts/vmtest/inside",
		"system/ctrd/ctrdtest/payload": "",
	}
}

// boundaries names the only packages that may import a third party's module,
// by prefix of its path. Their tests may, too.
func boundaries() map[string]string {
	return map[string]string{
		"github.com/vishvananda/":           "netconf/rtnl netconf/netconftest",
		"github.com/safchain/":              "netconf/rtnl",
		"golang.zx2c4.com/":                 "netconf/rtnl",
		"github.com/insomniacslk/dhcp":      "netconf/dhcp netconf/dhcp6",
		"github.com/mdlayher/packet":        "netconf/dhcp",
		"github.com/mdlayher/netlink":       "netconf/firewall",
		"github.com/google/nftables":        "netconf/firewall",
		"github.com/containerd/containerd/": "system/ctrd system/oci cmd/containerd",
		"github.com/opencontainers/":        "system/ctrd system/oci",
		"google.golang.org/":                "system/ctrd cmd/containerd",
		"github.com/urfave/cli":             "cmd/ros",
		"github.com/goccy/go-yaml":          "os-config cmd/ros images/builder",
		"github.com/robfig/cron":            "os-config",
		"github.com/moby/":                  "system/oci",
		"github.com/docker/":                "cmd/docker-plugins",
		"github.com/coreos/":                "os-config/coreunit",
	}
}

func TestImportTable(t *testing.T) {
	table := allowed()
	seen := map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		rule, listed := table[f.pkg]
		if !listed && !seen[f.pkg] {
			t.Errorf("package %s is not in the import table of arch_test.go", f.pkg)
		}
		seen[f.pkg] = true
		for _, path := range f.imports() {
			own, ok := strings.CutPrefix(path, module)
			if ok && listed && rule != "*" && !slices.Contains(strings.Fields(rule), own) {
				t.Errorf("%s: %s may not import %s", f.path, f.pkg, own)
			}
			if own == "system/manager" && f.path != "cmd/ros/rosd.go" {
				t.Errorf("%s: only rosd's main may import the manager", f.path)
			}
		}
	}
	for pkg := range table {
		if !seen[pkg] {
			t.Errorf("the import table lists %s, which does not exist", pkg)
		}
	}
}

// TestOneListOfLastingDirectories: code asks os-config which directories last,
// and the texts that name them name all of them.
func TestOneListOfLastingDirectories(t *testing.T) {
	const home = "os-config/lasting.go"
	for _, f := range sources(t) {
		if f.test || f.path == home {
			continue
		}
		dirs := []string{"/home", "/srv", "/opt", "/usr/local", "/media"}
		named := 0
		ast.Inspect(f.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				words := strings.FieldsFunc(lit.Value, func(r rune) bool { return strings.ContainsRune("\"` ,;:", r) })
				for _, dir := range dirs {
					if slices.Contains(words, dir) {
						named++
					}
				}
			}
			return true
		})
		if named > 3 {
			t.Errorf("%s has a list of directories that last; the one of %s is meant", f.path, home)
		}
	}
	for path, form := range map[string]string{"docs/docker.md": "`%s`", "docs/booting.md": "`%s`", "docs/reference.md": "%s"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range osconfig.LastingDirectories() {
			if !strings.Contains(string(text), fmt.Sprintf(form, dir)) {
				t.Errorf("%s does not say that %s lasts", path, dir)
			}
		}
	}
}

func TestThirdPartyBoundaries(t *testing.T) {
	for _, f := range sources(t) {
		for _, path := range f.imports() {
			for prefix, users := range boundaries() {
				if strings.HasPrefix(path, prefix) && !slices.Contains(strings.Fields(users), f.pkg) && !f.test {
					t.Errorf("%s: %s is for %s only", f.path, path, users)
				}
			}
		}
	}
}

// TestInitIsSmall keeps what is big or parses hostile input out of PID 1.
func TestInitIsSmall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-mod=mod", "-deps", "./cmd/init").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		for _, bad := range []string{"net/http", "google.golang.org/grpc", "yaml", "containerd", "netlink", "urfave"} {
			if dep == bad || bad != "net/http" && strings.Contains(dep, bad) {
				t.Errorf("cmd/init links %s", dep)
			}
		}
	}
	for _, f := range sources(t) {
		if n := f.lines(); f.path == "cmd/init/main.go" && n > 80 {
			t.Errorf("%s has %d lines, more than 80", f.path, n)
		}
	}
}
