package load

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/configdrive"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/digitalocean"
	"github.com/pharos-os/pharos/os-config/datasource/file"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

// datasources reads the local ones, puts in what the online one said, or an
// earlier boot's answer, and notes what is still to be asked.
func (l *Loader) datasources(ctx context.Context, out *Result, all *layers) {
	p := prober{l: l, out: out}
	d := l.decide(out, slices.Concat(all.oem, all.conf))
	for _, c := range d.Local {
		if len(p.found) > 0 && !d.Listed {
			break // local media win, and the first of them
		}
		p.local(ctx, c)
	}
	if len(p.found) > 1 && !d.Listed {
		for _, a := range p.found[1:] {
			out.Report = append(out.Report, sourceProblem(osconfig.Warning, a.Result.Where,
				"not used: "+p.found[0].Result.Where+" was found first"))
		}
		p.found = p.found[:1]
	}
	d.Online = append(p.later, d.Online...)
	old := l.cached()
	switch {
	case len(p.found) > 0:
		l.remember(p.found[0], old)
		if l.Answer == nil {
			out.Pending = named(d.Online)
		}
	case l.Answer == nil:
		out.Pending = d.Online
		p.cached(old, d)
	}
	if l.Asked {
		out.Pending = nil
	}
	if l.Answer != nil && (len(p.found) == 0 || isNamed(l.Answer.Source)) {
		p.found = append(p.found, *l.Answer)
		p.probe(detect.Choice{Source: l.Answer.Source, Why: l.Answer.Why}, l.Answer.Result, datasource.Chosen, l.Answer.Took, nil)
	}
	p.layers(all)
}

// named are the sources that hold no more than what somebody wrote the URL of:
// they are asked beside local media, too.
func named(choices []detect.Choice) []detect.Choice {
	var out []detect.Choice
	for _, c := range choices {
		if isNamed(c.Source) {
			out = append(out, c)
		}
	}
	return out
}

func isNamed(source string) bool { return source == "cmdline" || source == "url" }

// prober looks for datasources.
type prober struct {
	l     *Loader
	out   *Result
	found []Answer
	later []detect.Choice // local ones that turned out to need the network
}

// local looks for one source that needs no network.
func (p *prober) local(ctx context.Context, c detect.Choice) {
	given := nocloud.Given{Hostname: c.HostName, InstanceID: c.InstanceID}
	switch {
	case c.Source == "file":
		p.fetch(ctx, c, file.New(filepath.Join(p.l.Root, c.Place), c.Place), true)
	case c.Place != "":
		dir := filepath.Join(p.l.Root, c.Place)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			p.probe(c, datasource.Result{Where: c.Place}, datasource.NotFound, 0, err)
			return
		}
		p.fetch(ctx, c, p.onVolume(c.Source, os.DirFS(dir), c.Place, given), true)
	case c.Source == "nocloud":
		p.volumes(ctx, c, given, nocloud.Label)
	case c.Source == "configdrive":
		p.volumes(ctx, c, given, configdrive.Label)
	default:
		p.hypervisor(ctx, c)
	}
}

// hypervisorWait bounds how long a source of the hypervisor may take. One
// that takes longer needs the network for something that it names.
const hypervisorWait = time.Second

// hypervisor asks a source that needs no network by itself.
func (p *prober) hypervisor(ctx context.Context, c detect.Choice) {
	s, ok := makeSource(c, p.l.IMDS)
	if !ok {
		p.out.Report = append(p.out.Report, notReadable(c.Source, errUnknown(c)))
		return
	}
	short, cancel := context.WithTimeout(ctx, hypervisorWait)
	defer cancel()
	start := time.Now()
	r, err := s.Fetch(short)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		p.later = append(p.later, c)
		return
	}
	p.settle(c, s, r, err, time.Since(start), false)
}

// onVolume is the source that a volume with a source's label holds.
func (p *prober) onVolume(source string, files fs.FS, where string, given nocloud.Given) datasource.Source {
	if source == "nocloud" {
		return nocloud.NewGiven(files, where, given)
	}
	if _, err := fs.Stat(files, digitalocean.DriveFile); err == nil {
		return digitalocean.NewDrive(files, where)
	}
	return configdrive.New(files, where)
}

// volumes mounts every volume with the label while it is looked at.
func (p *prober) volumes(ctx context.Context, c detect.Choice, given nocloud.Given, label string) {
	if p.l.Devices == nil {
		return
	}
	devices, err := p.l.Devices.Labelled(ctx, label)
	if err != nil {
		p.out.Report = append(p.out.Report, notReadable("volume "+label, err))
	}
	if len(devices) == 0 {
		p.probe(c, datasource.Result{Where: "volume " + label}, datasource.NotFound, 0, err)
	}
	for _, d := range devices {
		files, unmount, err := p.l.Devices.Mount(ctx, d)
		if err != nil {
			p.out.Report = append(p.out.Report, notReadable(d.Path, err))
			p.probe(c, datasource.Result{Where: d.Path}, datasource.Failed, 0, err)
			continue
		}
		p.fetch(ctx, c, p.onVolume(c.Source, files, d.Path, given), true)
		if err := unmount(); err != nil {
			p.l.log().Warn("volume stays mounted", "device", d.Path, "error", err)
		}
	}
}

// fetch reads a source. One whose place is there must have something to say:
// a volume that a label says is for us, and that is empty, is a mistake.
func (p *prober) fetch(ctx context.Context, c detect.Choice, s datasource.Source, named bool) {
	start := time.Now()
	r, err := s.Fetch(ctx)
	p.settle(c, s, r, err, time.Since(start), named)
}

// settle notes what a source said.
func (p *prober) settle(c detect.Choice, s datasource.Source, r datasource.Result, err error, took time.Duration, named bool) {
	c.Source, _, _ = strings.Cut(s.Name(), ":")
	switch {
	case errors.Is(err, datasource.ErrNotFound):
		if named {
			severity := osconfig.Error // a volume with our label
			if c.Source == "file" {    // whoever lists one may know that it comes and goes
				severity = osconfig.Warning
			}
			p.out.Report = append(p.out.Report, sourceProblem(severity, c.Source, "not used: "+err.Error()))
		}
		p.probe(c, r, datasource.NotFound, took, err)
		return
	case err != nil:
		p.out.Report = append(p.out.Report, notReadable(s.Name(), err))
		p.probe(c, r, datasource.Failed, took, err)
		return
	}
	p.l.log().Info("datasource read", "source", s.Name(), "where", r.Where, "instance", r.InstanceID, "took", took)
	state := datasource.Chosen
	if len(p.found) > 0 {
		state = datasource.Found
	}
	p.probe(c, r, state, took, nil)
	p.found = append(p.found, Answer{Source: s.Name(), Why: c.Why, Took: took, Result: r})
}

func (p *prober) probe(c detect.Choice, r datasource.Result, state string, took time.Duration, err error) {
	detail := c.Why
	if r.Detail != "" {
		detail += "; " + r.Detail
	}
	if err != nil {
		detail += "; " + err.Error()
	}
	p.out.Probed = append(p.out.Probed, datasource.Probe{Source: c.Source, Where: r.Where, State: state, Took: took, Detail: detail})
}

// cached puts in what a source said at an earlier boot, when this is the same
// machine and the source may still be asked.
func (p *prober) cached(old *Answer, d detect.Decision) {
	switch {
	case old == nil || !d.Allows(old.Source):
		return
	case old.Identity != detect.Identity(p.l.Sys):
		p.l.log().Info("the last answer of the datasource is another machine's", "source", old.Source, "instance", old.Result.InstanceID)
		return
	}
	p.l.log().Info("the last answer of the datasource serves", "source", old.Source, "instance", old.Result.InstanceID, "of", old.Time)
	p.found = append(p.found, *old)
	p.probe(detect.Choice{Source: old.Source, Why: "its answer of " + old.Time.UTC().Format(time.RFC3339)}, old.Result, datasource.Cached, 0, nil)
}

// layers makes layers of what was found. Of several, the first is the
// weakest, and the one that says who the machine is.
func (p *prober) layers(all *layers) {
	for i, a := range p.found {
		r, suffix := a.Result, ""
		if i > 0 {
			suffix = "/" + a.Source
		} else {
			p.out.InstanceID, p.out.Datasource, p.out.Variables = r.InstanceID, a.Source, variables(r.Addresses)
		}
		p.out.Report = append(p.out.Report, r.Report...)
		if idle(r.Network) {
			p.out.Report = append(p.out.Report, sourceProblem(osconfig.Warning, r.Where,
				"its network is not used: no link in it has an address or DHCP"))
			r.Network = nil
		}
		if len(r.VendorData) > 0 {
			all.vendor = append(all.vendor, raw{name: "vendor-data" + suffix, file: r.VendorDataFile, data: r.VendorData})
		}
		if layer := r.Metadata("metadata" + suffix); len(layer.Doc.Map) > 0 {
			all.metadata = append(all.metadata, raw{name: layer.Name, file: r.Where, layer: &layer})
		}
		if len(r.UserData) > 0 {
			all.user = append(all.user, raw{name: "user-data" + suffix, file: r.UserDataFile, data: r.UserData})
		}
	}
}

func variables(a datasource.Addresses) map[string]string {
	return map[string]string{
		"public_ipv4": a.PublicIPv4, "private_ipv4": a.PrivateIPv4,
		"public_ipv6": a.PublicIPv6, "private_ipv6": a.PrivateIPv6,
	}
}

// idle says whether a network configures links, and none of them so that it
// could be reached. It would turn the built-in DHCP off for nothing.
func idle(network *osconfig.Node) bool {
	links := network.Child("interfaces")
	if links.IsNull() || len(links.Map) == 0 {
		return false
	}
	for _, e := range links.Map {
		for _, key := range []string{"dhcp", "dhcp6", "address", "addresses", "ipv4ll"} {
			if n := e.Value.Child(key); !n.IsNull() && n.Text != "false" {
				return false
			}
		}
	}
	return true
}

// errUnknown names a source that nothing knows.
func errUnknown(c detect.Choice) error {
	return fmt.Errorf("rancher.cloud_init.datasources: there is no datasource %q", c.Source)
}
