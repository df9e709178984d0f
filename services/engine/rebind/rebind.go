// Package rebind restarts containers of the user engine that have bound a
// directory before the file system was mounted that belongs there. It owns the
// choice of these containers and the calls to the engine. It refuses to mount
// anything, to know where mounts come from, and to restart a container that
// sees the mount already.
package rebind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/linux"
)

// Mount is a file system that has been mounted while the engine runs.
type Mount struct {
	Point  string // in the engine's tree
	Device string // MAJOR:MINOR
}

// Engine is the user engine.
type Engine struct {
	Client dockerapi.Client
	// Root is the engine's root directory as the caller sees it, and Own lists
	// the mounts in it.
	Root string
	Own  func() ([]linux.MountInfo, error)
	// Of lists the mounts that a container sees. pid is that of its first
	// process, as the engine's API has it.
	Of  func(pid int) ([]linux.MountInfo, error)
	Log *slog.Logger
}

// ErrUnseen says that the mount is not in the engine's own tree, so that no
// restart could help.
var ErrUnseen = errors.New("the engine does not see the mount")

// Restart restarts the containers that bind the place of a mount, something
// below it or a directory above it, and that do not see it. A container that
// could not start, which has a restart policy, is started. Containers in done
// are left alone; those that Restart has dealt with are added to it. What
// becomes of each container is logged. An error means that not all of them
// could be looked at.
func (e Engine) Restart(ctx context.Context, m Mount, done map[string]bool) error {
	m.Point = path.Clean(m.Point)
	own, err := e.Own()
	if err != nil {
		return err
	}
	want, ok := linux.MountAt(own, m.Point)
	if !ok || want.Target != m.Point || want.Device != m.Device {
		return fmt.Errorf("%s: %w", m.Point, ErrUnseen)
	}
	var list []summary
	if err := e.Client.Call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list); err != nil {
		return err
	}
	if err := e.askSwarm(ctx, list); err != nil {
		return err
	}
	volumes, err := e.volumes(ctx, list)
	if err != nil {
		return err
	}
	tree, err := beneath.OpenNamespace(e.Root, own)
	if err != nil {
		return fmt.Errorf("root of the engine: %w", err)
	}
	defer tree.Close()
	resolve := func(source string) string { return follow(tree, source) }
	var picks []pick
	for _, c := range list {
		binds := c.binds(volumes, resolve)
		if done[c.ID] || !slices.ContainsFunc(binds, func(b bind) bool { return b.concerns(m.Point) }) {
			continue
		}
		p, err := e.examine(ctx, c, binds, want)
		if err != nil {
			return err
		}
		if p.action != leave {
			picks = append(picks, p)
		}
	}
	sharing, err := e.dependents(ctx, list, picks)
	if err != nil {
		return err
	}
	picks = append(picks, sharing...)
	for _, p := range picks {
		done[p.ID] = true
	}
	e.carryOut(ctx, picks, m)
	return nil
}

// action is what a container needs.
type action int

const (
	leave   action = iota
	restart        // it runs
	start          // it could not start
	stop           // it runs as a task of a swarm, which replaces it
	warn           // it runs as a task of a swarm, which would not replace it
)

// pick is a container that needs something.
type pick struct {
	summary
	action action
}

// examine asks for all that the engine knows of a container, and looks into its
// mounts.
func (e Engine) examine(ctx context.Context, c summary, binds []bind, want linux.MountInfo) (pick, error) {
	p := pick{summary: c}
	d, err := e.details(ctx, c)
	if err != nil {
		return p, err
	}
	if !d.State.Running || d.State.Restarting { // the next start binds what is there then
		if d.failed() && !c.isTask() {
			p.action = start
		}
		return p, nil
	}
	table, err := e.Of(d.State.Pid)
	if err != nil { // it has ended meanwhile
		e.Log.Debug("mounts of a container", "container", c.name(), "error", err)
		return p, nil
	}
	for _, b := range d.recursive(binds) {
		place, below, ok := b.place(want.Target, binds)
		if !ok || sees(table, place, below, want) {
			continue
		}
		p.action = restart
		if c.isTask() {
			p.action, err = e.examineTask(ctx, c)
		}
		return p, err
	}
	return p, nil
}

// sees reports whether a container has the mount at a place. Where the place is
// the target of a bind, it is a mount point of the container; it is missing in
// the table only if a link of the image's leads elsewhere.
func sees(table []linux.MountInfo, place string, target bool, want linux.MountInfo) bool {
	at, _ := linux.MountAt(table, place)
	if target && at.Target != place {
		return slices.ContainsFunc(table, func(m linux.MountInfo) bool { return same(m, want) })
	}
	return same(at, want)
}

// same reports whether a mount is the wanted one, or one of those that a server
// has below it, which the kernel mounts by itself.
func same(m, want linux.MountInfo) bool {
	return m.Device == want.Device ||
		m.Type == want.Type && strings.HasPrefix(m.Source, strings.TrimSuffix(want.Source, "/")+"/")
}

// dependents are the containers in the network of one that is restarted or
// started: those that run would be left without a network, and those that could
// not start may have failed for that.
func (e Engine) dependents(ctx context.Context, list []summary, picks []pick) ([]pick, error) {
	var out []pick
	for _, c := range list {
		owner, shares := strings.CutPrefix(c.HostConfig.NetworkMode, "container:")
		starts := slices.ContainsFunc(picks, func(p pick) bool { return p.ID == owner && (p.action == restart || p.action == start) })
		listed := slices.ContainsFunc(picks, func(p pick) bool { return p.ID == c.ID })
		if !shares || !starts || listed {
			continue
		}
		if c.State == "running" {
			out = append(out, pick{summary: c, action: restart})
			continue
		}
		d, err := e.details(ctx, c)
		if err != nil {
			return nil, err
		}
		if d.failed() && !c.isTask() {
			out = append(out, pick{summary: c, action: start})
		}
	}
	return out, nil
}

// carryOut does what the containers need, all at once. Those that share a
// network with another one come after the others.
func (e Engine) carryOut(ctx context.Context, picks []pick, m Mount) {
	for _, shares := range []bool{false, true} {
		var wg sync.WaitGroup
		for _, p := range picks {
			if strings.HasPrefix(p.HostConfig.NetworkMode, "container:") == shares {
				wg.Go(func() { e.do(ctx, p, m) })
			}
		}
		wg.Wait()
	}
}

func (e Engine) do(ctx context.Context, p pick, m Mount) {
	call := map[action]string{restart: "restart", start: "start", stop: "stop"}[p.action]
	log := e.Log.With("container", p.name(), "mount", m.Point)
	if p.action == warn {
		log.Warn("task does not see a mount, and its swarm would not replace it", "command", Command(p.name(), p.Labels))
		return
	}
	err := e.Client.Call(ctx, http.MethodPost, "/containers/"+p.ID+"/"+call, nil, nil)
	switch {
	case dockerapi.IsStatus(err, http.StatusNotFound): // removed meanwhile
	case err != nil:
		log.Warn("container cannot be restarted for a mount", "error", err)
	case p.action == stop:
		log.Info("task stopped, because it did not see a mount; its swarm replaces it")
	case p.action == start:
		log.Info("container started, because a mount has come")
	default:
		log.Info("container restarted, because it did not see a mount")
	}
}
