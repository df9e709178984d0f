package boot

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

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
	blocks chan string   // names as in /sys/class/block; empty means look at all
	done   chan struct{} // closed when run has returned
}

func (h *hotplug) run(ctx context.Context, uevents *linux.Uevents) {
	defer close(h.done)
	defer func() {
		if r := recover(); r != nil {
			h.log.Error("hotplug panic", "value", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	events := make(chan linux.Uevent, 1024)
	go func() {
		if err := uevents.Run(ctx, events); ctx.Err() == nil {
			h.log.Error("uevents stopped", "err", err)
		}
	}()

	seen := map[string]bool{}
	h.coldplug(ctx, seen)
	// What finding the image ends with; while slow buses are still probed.
	for _, name := range []string{"dm_verity", "erofs"} {
		h.load(name)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			switch {
			case len(e) == 0: // some were lost
				h.coldplug(ctx, seen)
				h.announce(ctx, "")
			case e["SUBSYSTEM"] == "block" && e["ACTION"] != "remove":
				h.announce(ctx, e["DEVNAME"])
			case e["ACTION"] == "add" && e["MODALIAS"] != "" && !seen[e["MODALIAS"]]:
				seen[e["MODALIAS"]] = true
				h.load(e["MODALIAS"])
			}
		}
	}
}

func (h *hotplug) coldplug(ctx context.Context, seen map[string]bool) {
	aliases, err := modules.Modaliases("/sys")
	if err != nil {
		h.log.Error("coldplug", "err", err)
	}
	for _, alias := range aliases {
		if ctx.Err() != nil {
			return
		}
		if !seen[alias] {
			seen[alias] = true
			h.load(alias)
		}
	}
}

// load tells about modules that exist and fail; most devices have none here.
func (h *hotplug) load(name string) {
	if err := h.loader.Load(name, ""); err != nil && !isUnknown(err) {
		h.log.Warn("module not loaded", "for", name, "err", err)
	}
}

func (h *hotplug) announce(ctx context.Context, name string) {
	select {
	case h.blocks <- name:
	case <-ctx.Done():
	}
}
