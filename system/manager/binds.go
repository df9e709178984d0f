package manager

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/state"
)

// container is what GET /containers/json says of one.
type container struct {
	ID     string `json:"Id"`
	State  string
	Names  []string
	Labels map[string]string
	Mounts []containerMount
}

// containerMount is one of a container's mounts, of whatever type.
type containerMount struct {
	Type, Name, Source, Destination string
	RW                              bool
}

// source is the place of the machine that is mounted, or "". Bound are the
// directories that volumes are binds of, by name.
func (b containerMount) source(bound map[string]string) string {
	switch b.Type {
	case "bind":
		return b.Source
	case "volume":
		return bound[b.Name]
	}
	return ""
}

func (c container) name() string {
	if len(c.Names) == 0 {
		return ""
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

func (c container) hasVolume() bool {
	for _, m := range c.Mounts {
		if m.Type == "volume" {
			return true
		}
	}
	return false
}

// volume is what GET /volumes says of one.
type volume struct {
	Name, Driver string
	Options      map[string]string
}

// bound is the directory that a volume of the local driver is a bind of, or "".
func (v volume) bound() string {
	device := v.Options["device"]
	if v.Driver != "local" || !path.IsAbs(device) {
		return ""
	}
	for o := range strings.SplitSeq(v.Options["o"], ",") {
		if o == "bind" || o == "rbind" {
			return device
		}
	}
	return ""
}

// boundBy lists the directories that volumes are binds of, by name.
func boundBy(volumes []volume) map[string]string {
	bound := map[string]string{}
	for _, v := range volumes {
		bound[v.Name] = v.bound()
	}
	return bound
}

// composeProject is the label that Compose gives its containers.
const composeProject = "com.docker.compose.project"

// Binds lists what containers may write to and the next boot does not keep, and
// what they have of a tree that the console had before.
func (m *Manager) Binds(ctx context.Context) (api.Binds, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := m.binds(ctx)
	if on := m.storage(); on == state.RAM || on == "" {
		if err != nil { // it is so whatever containers do
			m.log.Debug("no binds of containers", "error", err)
		}
		return printableBinds(api.Binds{Stateless: true, OldBinds: out.OldBinds}), nil
	}
	if err != nil {
		return api.Binds{}, fmt.Errorf("binds of containers: %w", err)
	}
	return printableBinds(out), nil
}

func (m *Manager) binds(ctx context.Context) (api.Binds, error) {
	i, err := m.sup.Get(engine.Name)
	if err != nil || i.PID == 0 {
		return api.Binds{}, fmt.Errorf("%w: see ros service list", dockerapi.ErrAway)
	}
	client := dockerapi.Client{Socket: engine.Socket}
	var list []container
	if err := client.Call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list); err != nil {
		return api.Binds{}, err
	}
	var volumes struct{ Volumes []volume }
	if slices.ContainsFunc(list, container.hasVolume) {
		if err := client.Call(ctx, http.MethodGet, "/volumes", nil, &volumes); err != nil {
			return api.Binds{}, err
		}
	}
	root, err := dataRoot(ctx, client, m.cfg().Rancher.Docker)
	if err != nil {
		return api.Binds{}, err
	}
	tree, err := beneath.NamespaceOf(i.PID)
	if err != nil {
		return api.Binds{}, err
	}
	defer tree.Close()
	f := finder{tree: tree, image: consoleTree()}
	out := api.Binds{
		DataRoot: f.dataRoot(root, dataRootKey(m.cfg().Rancher.Docker, root)), Binds: f.binds(list, volumes.Volumes), LateFiles: f.lateFiles(list, m.cfg().WriteFiles),
	}
	// Last: this asks the engine once for each container, and may use up the time.
	out.OldBinds = f.oldBinds(ctx, list, volumes.Volumes, insideOf(ctx, client, i.PID, m.log))
	return out, nil
}

// printableBinds replaces control characters: an image can set the labels and
// the targets of its containers.
func printableBinds(b api.Binds) api.Binds {
	clean := func(texts ...*string) {
		for _, t := range texts {
			*t = printable(*t)
		}
	}
	if d := b.DataRoot; d != nil {
		clean(&d.Path, &d.Advice)
	}
	for i := range b.Binds {
		o := &b.Binds[i]
		clean(&o.Container, &o.Project, &o.Volume, &o.Source, &o.Leads, &o.Target, &o.Advice)
	}
	for i := range b.LateFiles {
		o := &b.LateFiles[i]
		clean(&o.Container, &o.Project, &o.Path)
	}
	for i := range b.OldBinds {
		o := &b.OldBinds[i]
		clean(&o.Container, &o.Project, &o.Source, &o.Target, &o.Command)
	}
	return b
}

// dataRoot is the engine's. A file of the user's may have moved it, which only
// dockerd knows.
func dataRoot(ctx context.Context, client dockerapi.Client, e osconfig.Engine) (string, error) {
	if e.ConfigFile == "" {
		return engine.DataRoot(e, nil), nil
	}
	var info struct{ DockerRootDir string }
	err := client.Call(ctx, http.MethodGet, "/info", nil, &info)
	return info.DockerRootDir, err
}

// dataRootKey names what sets an engine's data root.
func dataRootKey(e osconfig.Engine, root string) string {
	plain := e
	plain.ExtraArgs = nil
	switch root {
	case engine.DataRoot(plain, nil):
		return "rancher.docker.data_root"
	case engine.DataRoot(e, nil):
		return "--data-root in rancher.docker.extra_args"
	}
	return "data-root in " + e.ConfigFile
}

// dataRoot returns the engine's data root if it does not last. key is what sets it.
func (f finder) dataRoot(dir, key string) *api.DataRoot {
	p, err := f.resolve(dir)
	if err != nil || !f.inRAM(p) {
		return nil
	}
	return &api.DataRoot{Path: dir, Advice: "set " + key + " to a directory that lasts, such as /var/lib/docker" + f.orLast(p)}
}

// binds picks what containers may write to and does not last: bind mounts and
// volumes that are binds. Other volumes are below the data root.
func (f finder) binds(list []container, volumes []volume) []api.Bind {
	bound := boundBy(volumes)
	out := []api.Bind{}
	for _, c := range list {
		for _, mount := range c.Mounts {
			b := api.Bind{Container: c.name(), Project: c.Labels[composeProject], Source: mount.source(bound), Target: mount.Destination}
			if b.Source == "" || !mount.RW {
				continue
			}
			if mount.Type == "volume" {
				b.Volume = mount.Name
			}
			p, err := f.resolve(b.Source)
			if err != nil || !f.inRAM(p) || f.looks(b.Source) || f.looks(p.Path) {
				continue
			}
			if p.Path != path.Clean(b.Source) {
				b.Leads = p.Path
			}
			b.Advice = "bind " + f.instead(p) + " instead" + f.orLast(p)
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b api.Bind) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Source, b.Source))
	})
	return out
}

// lateFiles picks the files that containers bind, that are written after
// containers have started, and that the last boot has not left behind.
func (f finder) lateFiles(list []container, files []osconfig.File) []api.LateFile {
	late := map[string]bool{}
	for _, file := range files {
		if file.Defer {
			late[path.Clean(file.Path)] = true
		}
	}
	if len(late) == 0 {
		return nil
	}
	var out []api.LateFile
	for _, c := range list {
		for _, mount := range c.Mounts {
			source := path.Clean(mount.Source)
			if mount.Type != "bind" || !late[source] {
				continue
			}
			if p, err := f.resolve(source); err != nil || f.inRAM(p) {
				out = append(out, api.LateFile{Container: c.name(), Project: c.Labels[composeProject], Path: source})
			}
		}
	}
	slices.SortFunc(out, func(a, b api.LateFile) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Path, b.Path))
	})
	return out
}

// looks reports whether a source is what containers bind to look at the
// machine, mostly without saying that they only read.
func (f finder) looks(source string) bool {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/boot", "/var/lib/pharos"} {
		if source == dir || strings.HasPrefix(source, dir+"/") {
			return true
		}
	}
	if slices.Contains([]string{
		"/", "/tmp", "/tmp/.X11-unix", "/etc", "/etc/ssl", "/etc/ssl/certs", "/etc/docker",
		"/etc/localtime", "/etc/timezone", "/etc/machine-id", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/passwd", "/etc/group",
	}, source) {
		return true
	}
	// What the image brings.
	info, err := os.Lstat(filepath.Join(f.image, source))
	return err == nil && (!info.IsDir() || source == "/usr" || strings.HasPrefix(source, "/usr/"))
}

// instead is a place of the same name that lasts.
func (f finder) instead(p beneath.Location) string {
	var dir string
	for _, parent := range []string{"/srv", "/opt", "/var/lib"} {
		dir = path.Join(parent, path.Base(p.Path))
		if there, err := f.resolve(dir); err == nil && !f.inRAM(there) {
			break
		}
	}
	return dir
}

// orLast is the second half of an advice: the configuration can make a place of
// the tree last if it accepts the directory. It begins empty: what is there now
// is in RAM, below the mount.
func (f finder) orLast(p beneath.Location) string {
	top := "/" + strings.Split(strings.TrimPrefix(p.Path, "/"), "/")[0]
	if !f.onRoot(p) || osconfig.LastingDirectory(top) != "" {
		return ""
	}
	return fmt.Sprintf(", or set rancher.state.directories: [%s] and reboot; %s is empty then, so copy what is in it to /srv before, and back afterwards", top, top)
}

// bindNotes asks for the binds, briefly: the status must not wait for an engine
// that is busy.
func (m *Manager) bindNotes() []string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	binds, err := m.Binds(ctx)
	if err != nil {
		m.log.Debug("no notes on binds", "error", err)
		return nil
	}
	return bindNotes(binds)
}

// bindNotes are the binds as sentences of the status, one for each project, or
// container without one.
func bindNotes(binds api.Binds) []string {
	var notes []string
	if d := binds.DataRoot; d != nil {
		notes = append(notes, fmt.Sprintf("the engine keeps images and volumes in %s, which the next boot empties: %s", d.Path, d.Advice))
	}
	add := func(container, project, text string) {
		note := "container " + container + text
		if project != "" {
			note = "compose project " + project + text
		}
		if !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	for _, b := range binds.Binds {
		add(b.Container, b.Project, fmt.Sprintf(" keeps data in %s, which the next boot empties: %s", b.Source, b.Advice))
	}
	for _, l := range binds.LateFiles {
		add(l.Container, l.Project, fmt.Sprintf(" binds %s, which write_files writes after containers have started: leave out defer", l.Path))
	}
	for i := 0; i < len(binds.OldBinds); {
		o := binds.OldBinds[i]
		var sources []string
		for ; i < len(binds.OldBinds) && binds.OldBinds[i].Container == o.Container; i++ {
			sources = append(sources, binds.OldBinds[i].Source)
		}
		notes = append(notes, fmt.Sprintf("container %s still uses %s from before the console restarted: run '%s'", o.Container, strings.Join(sources, ", "), o.Command))
	}
	return notes
}
