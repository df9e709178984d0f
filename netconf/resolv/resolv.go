// Package resolv writes what names resolve by: resolv.conf, hosts, hostname,
// and the kernel's hostname. It refuses to decide: which names win is
// netconf's business, and the system call is the caller's. There is no caching
// resolver on the machine: programs ask the servers that are listed, and the
// engine hands them on to containers.
package resolv

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/netconf"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// maxNameservers is MAXNS of glibc's resolv.h; it ignores the rest.
const maxNameservers = 3

// header stands at the top of each file that knows comments.
const header = "# Written by rosd; rancher.network.dns and hostname of the configuration change it.\n"

// Writer keeps the files in a directory and the kernel's hostname up to date.
type Writer struct {
	dir         string
	setHostname func(string) error
}

var _ netconf.NameWriter = (*Writer)(nil)

// New returns a Writer for the directory, which it creates when it writes.
// setHostname is sethostname(2), or a stand-in.
func New(dir string, setHostname func(string) error) *Writer {
	return &Writer{dir: dir, setHostname: setHostname}
}

// Write replaces the files whose content differs, each by an atomic rename,
// and sets the kernel's hostname. Lines that somebody has added at the end of
// hosts stay.
func (w *Writer) Write(n netconf.Names) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	files := []struct{ name, text string }{
		{"hostname", n.Hostname + "\n"},
		{"hosts", Hosts(n.Hostname, n.FQDN)},
		{"resolv.conf", ResolvConf(n)},
	}
	for _, f := range files {
		path := filepath.Join(w.dir, f.name)
		old, err := os.ReadFile(path)
		if f.name == "hosts" {
			f.text += added(string(old))
		}
		if err == nil && string(old) == f.text {
			continue
		}
		if err := atomicfile.WriteFile(path, []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	if err := w.setHostname(n.Hostname); err != nil {
		return fmt.Errorf("hostname %q: %w", n.Hostname, err)
	}
	return nil
}

// ResolvConf renders resolv.conf(5).
func ResolvConf(n netconf.Names) string {
	var b strings.Builder
	b.WriteString(header)
	if len(n.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(n.Search, " "))
	}
	for i, a := range n.Nameservers {
		if i == maxNameservers {
			fmt.Fprintf(&b, "# more than the resolver uses (%d):\n", maxNameservers)
		}
		if i >= maxNameservers {
			b.WriteString("# ")
		}
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	if len(n.Nameservers) == 0 {
		b.WriteString("# no nameserver: neither the configuration nor a lease has one\n")
	}
	return b.String()
}

// kept ends what hosts has of ours. The file is in RAM.
const kept = "# Lines below this one stay until the machine restarts.\n"

// added is what people have written into hosts.
func added(text string) string {
	_, own, _ := strings.Cut(text, kept)
	if own != "" && !strings.HasSuffix(own, "\n") {
		own += "\n"
	}
	return own
}

// Hosts renders hosts(5). The machine's own name is 127.0.1.1, Debian's way,
// so that it resolves without any network. The name with its domain comes
// first, which makes it the canonical one; the first label of either is an
// alias.
func Hosts(hostname, fqdn string) string {
	var list []string
	for _, name := range []string{fqdn, hostname} {
		short, _, _ := strings.Cut(name, ".")
		for _, n := range []string{name, short} {
			if n != "" && !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	names := strings.Join(list, " ")
	return header + `127.0.0.1 localhost
127.0.1.1 ` + names + `
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
` + kept
}
