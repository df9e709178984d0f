// Package detect owns the decision where a machine's metadata is: from what
// the firmware, the kernel command line and the configuration say, one cloud
// rather than ten. It is pure: it looks at a copy of /sys or at a test's, and
// refuses to ask anybody.
package detect

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Machine is what tells where a machine runs.
type Machine struct {
	Sys       fs.FS    // /sys; nil: nothing is known
	Wanted    []string // rancher.cloud_init.datasources
	DS        string   // the kernel parameter ds=
	ConfigURL string   // the kernel parameter cloud-config-url=
}

// Choice is one source that is worth asking.
type Choice struct {
	Source string // name of the datasource: "nocloud", "ec2"
	Place  string // instead of the source's own: a URL or a path; may be empty
	Why    string // a sentence for people
	// HostName and InstanceID go with a NoCloud seed (h= and i=).
	HostName, InstanceID string
}

// String is the choice as rancher.cloud_init.datasources has it.
func (c Choice) String() string {
	if c.Place == "" {
		return c.Source
	}
	return c.Source + ":" + c.Place
}

// Decision is where to look, in order.
type Decision struct {
	// Local are sources that need no network. The first that is there wins,
	// and then nobody online is asked. Listed ones are all read, see Listed.
	Local []Choice
	// Online are sources that need a network: none, one, or the several that
	// a list names when the firmware does not say which of them it is.
	Online []Choice
	// Listed says that the configuration lists the sources: each local one
	// is read, and the later is the stronger.
	Listed bool
	// None says that the configuration wants no source at all.
	None bool
}

// Allows says whether a source of that name may be used.
func (d Decision) Allows(source string) bool {
	if !d.Listed {
		return !d.None
	}
	return slices.ContainsFunc(slices.Concat(d.Local, d.Online), func(c Choice) bool { return c.Source == source })
}

// IsLocal says whether a source needs no network.
func IsLocal(source string) bool {
	switch source {
	case "nocloud", "configdrive", "file", "fwcfg", "vmware":
		return true
	}
	return false
}

// Decide says where to look. What the kernel command line asks for by ds= and
// cloud-config-url= comes first, then the list of the configuration, and only
// without both what the firmware tells.
func Decide(m Machine) Decision {
	if slices.Contains(m.Wanted, "*") {
		m.Wanted = nil
	}
	d := listed(m)
	if d.None {
		return d
	}
	if c, ok := seed(m.DS, "the kernel parameter ds="); ok {
		d.add(c)
	}
	if c, ok := seed(DMI(m.Sys, "product_serial"), "the system's serial number"); ok && !d.Listed {
		d.add(c)
	}
	if m.ConfigURL != "" {
		d.add(Choice{Source: "cmdline", Place: m.ConfigURL, Why: "the kernel parameter cloud-config-url="})
	}
	if d.Listed {
		return d
	}
	d.Local = append(d.Local,
		Choice{Source: "nocloud", Why: "a volume with the label cidata"},
		Choice{Source: "configdrive", Why: "a volume or 9p tag with the name config-2"})
	if hasFwCfg(m.Sys) {
		d.Local = append(d.Local, Choice{Source: "fwcfg", Why: "QEMU's firmware configuration has opt/pharos"})
	}
	if c, ok := Cloud(m.Sys); ok && len(d.Online) == 0 {
		d.add(c)
	}
	return d
}

func (d *Decision) add(c Choice) {
	if IsLocal(c.Source) && !strings.HasPrefix(c.Place, "http://") && !strings.HasPrefix(c.Place, "https://") {
		d.Local = append(d.Local, c)
	} else {
		d.Online = append(d.Online, c)
	}
}

// listed reads rancher.cloud_init.datasources. A list of several clouds, as
// RancherOS's images had it, is narrowed to the one that the firmware tells.
func listed(m Machine) Decision {
	var d Decision
	for _, w := range m.Wanted {
		name, place, _ := strings.Cut(w, ":")
		switch name {
		case "none":
			return Decision{None: true}
		case "", "tftp": // the validator says that it has no effect
			continue
		}
		c := Choice{Source: canonical(name), Place: place, Why: "rancher.cloud_init.datasources"}
		if c.Source == "cmdline" {
			c.Place = m.ConfigURL
		}
		if c.Source == "configdrive" && place == "/media/config-2" || c.Source == "nocloud" && place == "/media/pve-config" {
			c.Place = "" // where RancherOS mounted the volume
		}
		if c.Source != "cmdline" { // Decide adds it, listed or not
			d.add(c)
		}
		d.Listed = true
	}
	if cloud, ok := Cloud(m.Sys); ok && len(d.Online) > 1 {
		for _, c := range d.Online {
			if c.Source == cloud.Source {
				c.Why += "; " + cloud.Why
				d.Online = []Choice{c}
				break
			}
		}
	}
	return d
}

// canonical is the name of a source that has others, too.
func canonical(name string) string {
	switch name {
	case "packet":
		return "equinix"
	case "proxmox", "nocloud-net":
		return "nocloud"
	case "akamai":
		return "linode"
	case "alibaba":
		return "aliyun"
	case "config-drive":
		return "configdrive"
	}
	return name
}

// seed reads "ds=nocloud;s=URL;h=NAME;i=ID" and "ds=nocloud-net;…", with or
// without the "ds=", as cloud-init takes it from the kernel command line and
// the SMBIOS serial number. Without s= the source is a volume, where one is
// looked for anyhow.
func seed(text, where string) (Choice, bool) {
	text = strings.ReplaceAll(strings.TrimSpace(text), `\;`, ";") // as a boot loader's file may have it
	if where != "the kernel parameter ds=" {
		var ok bool
		if text, ok = strings.CutPrefix(text, "ds="); !ok {
			return Choice{}, false
		}
	}
	parts := strings.Split(strings.Trim(text, `"'`), ";")
	name := strings.ToLower(parts[0])
	if name != "nocloud" && name != "nocloud-net" {
		return Choice{}, false
	}
	c := Choice{Source: "nocloud", Why: where}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		switch key {
		case "s", "seedfrom":
			c.Place = value
		case "h", "local-hostname":
			c.HostName = value
		case "i", "instance-id":
			c.InstanceID = value
		}
	}
	return c, c.Place != "" || c.HostName != "" || c.InstanceID != ""
}

// DMI returns a field of /sys/class/dmi/id, "" when there is none.
func DMI(sys fs.FS, field string) string {
	if sys == nil {
		return ""
	}
	f, err := sys.Open("class/dmi/id/" + field)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), ""))
}

// Identity names this machine as its firmware does, to tell whether a cached
// answer is about the same one. A copy of its disk boots under another.
func Identity(sys fs.FS) string {
	return fmt.Sprintf("%s/%s", strings.ToLower(DMI(sys, "product_uuid")), DMI(sys, "product_serial"))
}

// hasFwCfg reports whether somebody gave QEMU an -fw_cfg name=opt/pharos/….
func hasFwCfg(sys fs.FS) bool {
	if sys == nil {
		return false
	}
	info, err := fs.Stat(sys, "firmware/qemu_fw_cfg/by_name/opt/pharos")
	return err == nil && info.IsDir()
}
