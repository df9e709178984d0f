package boot

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/system/linux"
)

type moduleLoader interface {
	Load(name, params string) error
}

// hotplug loads the drivers of the devices that are there and of those that
// appear, and passes on the names of block devices that appear or change.
type hotplug struct {
	log    *slog.Logger
	loader moduleLoader
	blocks chan string // names as in /sys/class/block; empty means look at all
	queue  chan string // modaliases of devices that appeared; empty means look at all
	wg     sync.WaitGroup
}

func newHotplug(log *slog.Logger, l moduleLoader) *hotplug {
	return &hotplug{log: log, loader: l, blocks: make(chan string, 256), queue: make(chan string, 1024)}
}

// start returns at once; all that it starts ends with ctx.
func (h *hotplug) start(ctx context.Context, uevents *linux.Uevents) {
	events := make(chan linux.Uevent, 256)
	h.run(func() {
		if err := uevents.Run(ctx, events); ctx.Err() == nil {
			h.log.Error("uevents stopped", "err", err)
		}
	})
	// Three at once: a driver that is slow to initialise must not keep the
	// finder from hearing of a disk that is there.
	h.run(func() { h.dispatch(ctx, events) })
	h.run(func() { h.drivers(ctx) })
	h.run(func() { h.base(ctx) })
}

// patience is how long a driver may go on initialising after the image is
// found. The kernel has its file by then; a driver that hangs hangs alone.
const patience = 5 * time.Second

// wait gives the modules that are being loaded the time to be done.
func (h *hotplug) wait() {
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		h.log.Warn("a kernel module does not return from its initialisation")
	}
}

func (h *hotplug) run(f func()) {
	h.wg.Go(func() {
		defer func() {
			if r := recover(); r != nil {
				h.log.Error("hotplug panic", "value", fmt.Sprint(r), "stack", string(debug.Stack()))
			}
		}()
		f()
	})
}

func (h *hotplug) dispatch(ctx context.Context, events <-chan linux.Uevent) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if len(e) == 0 || e["SUBSYSTEM"] == "block" && e["ACTION"] != "remove" {
				send(ctx, h.blocks, e["DEVNAME"])
			}
			if len(e) == 0 || e["ACTION"] == "add" && e["MODALIAS"] != "" {
				send(ctx, h.queue, e["MODALIAS"])
			}
		}
	}
}

func send(ctx context.Context, c chan<- string, s string) {
	select {
	case c <- s:
	case <-ctx.Done():
	}
}

// drivers loads what the devices ask for, first of those that are there.
func (h *hotplug) drivers(ctx context.Context) {
	seen := map[string]bool{}
	load := func(alias string) {
		if !seen[alias] && ctx.Err() == nil {
			seen[alias] = true
			h.load(alias)
		}
	}
	coldplug := func() {
		buses, err := modules.Buses("/sys")
		if err != nil {
			h.log.Error("coldplug", "err", err)
		}
		for _, bus := range buses {
			for _, alias := range modules.Modaliases("/sys", bus) {
				load(alias)
			}
			if bus == "virtio" && haveDisk("/sys") {
				// Most likely it is this disk: what reads the image
				// comes before the slow probing of other buses.
				h.base(ctx)
			}
		}
	}
	coldplug()
	for {
		select {
		case alias := <-h.queue:
			if alias == "" {
				coldplug()
			} else {
				load(alias)
			}
		case <-ctx.Done():
			return
		}
	}
}

// base loads what is needed whatever the device is.
func (h *hotplug) base(ctx context.Context) {
	for _, name := range baseModules() {
		if ctx.Err() == nil {
			h.load(name)
		}
	}
}

// haveDisk reports whether there is any device that the finder looks at.
func haveDisk(sys string) bool {
	entries, _ := os.ReadDir(filepath.Join(sys, "class/block")) // none, no disk
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !skipped(e.Name()) })
}

// baseModules are used for every source of the image.
func baseModules() []string { return []string{"erofs", "dm_verity"} }

// load tells about modules that exist and fail; most devices have none here.
func (h *hotplug) load(name string) {
	if err := h.loader.Load(name, ""); err != nil && !isUnknown(err) {
		h.log.Warn("module not loaded", "for", name, "err", err)
	}
}
