package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/state"
	"github.com/pharos-os/pharos/system/view"
)

// container is what GET /containers/json says of one.
type container struct {
	Names  []string
	Labels map[string]string
	Mounts []struct {
		Type, Source, Destination string
		RW                        bool
	}
}

// composeProject is the label that Compose gives its containers.
const composeProject = "com.docker.compose.project"

// Binds lists what containers may write to and the next boot does not keep.
// Without a state file system that is everything, and the status says so.
func (m *Manager) Binds(ctx context.Context) ([]api.Bind, error) {
	if m.storage() == state.RAM {
		return []api.Bind{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var list []container
	if err := (dockerapi.Client{Socket: engine.Socket}).Call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list); err != nil {
		return nil, fmt.Errorf("binds of containers: %w", err)
	}
	return fleeting(list, onTreeAlone), nil
}

// fleeting picks the bind mounts that a container may write to and whose
// source does not last.
func fleeting(list []container, gone func(source string) bool) []api.Bind {
	out := []api.Bind{}
	for _, c := range list {
		for _, mount := range c.Mounts {
			if mount.Type != "bind" || !mount.RW || standard(mount.Source) || !gone(mount.Source) {
				continue
			}
			b := api.Bind{Project: c.Labels[composeProject], Source: mount.Source, Target: mount.Destination}
			if len(c.Names) > 0 {
				b.Container = strings.TrimPrefix(c.Names[0], "/")
			}
			b.Advice = advice(mount.Source)
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b api.Bind) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Source, b.Source))
	})
	return out
}

// standard reports whether a source is what containers bind to look at the
// machine, mostly without saying that they only read.
func standard(source string) bool {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run", "/usr", "/boot"} {
		if source == dir || strings.HasPrefix(source, dir+"/") {
			return true
		}
	}
	return slices.Contains([]string{
		"/", "/etc", "/etc/localtime", "/etc/timezone", "/etc/machine-id", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf",
		"/etc/passwd", "/etc/group", "/etc/os-release", "/tmp", "/tmp/.X11-unix",
	}, source)
}

// advice says where to put what a container keeps in source.
func advice(source string) string {
	top := "/" + strings.Split(strings.TrimPrefix(source, "/"), "/")[0]
	if top == "/etc" || top == "/tmp" {
		return "bind " + path.Join("/srv", path.Base(source)) + " instead"
	}
	return fmt.Sprintf("bind %s instead, or set rancher.state.directories: [%s]", path.Join("/srv", path.Base(source)), top)
}

// onTreeAlone reports whether a path is on the tree of console and engine
// itself, in RAM, and not on something that is mounted there.
func onTreeAlone(source string) bool {
	if osconfig.Lasts(source) {
		return false
	}
	if source == "/tmp" || strings.HasPrefix(source, "/tmp/") {
		return true
	}
	root, err := unix.Open(view.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(root)
	// Links lead where they lead in the console.
	fd, err := unix.Openat2(root, strings.TrimPrefix(source, "/"), &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var tree, st unix.Stat_t
	if err := errors.Join(unix.Fstat(root, &tree), unix.Fstat(fd, &st)); err != nil {
		return false
	}
	return st.Dev == tree.Dev
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
func bindNotes(binds []api.Bind) []string {
	var notes []string
	seen := map[string]bool{}
	for _, b := range binds {
		who := "container " + b.Container
		if b.Project != "" {
			who = "compose project " + b.Project
		}
		note := fmt.Sprintf("%s keeps data in %s, which the next boot empties: %s", who, b.Source, b.Advice)
		if !seen[note] {
			notes = append(notes, note)
		}
		seen[note] = true
	}
	return notes
}
