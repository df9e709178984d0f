package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/modules"
)

// source is where the system image was found.
type source struct {
	slot   string // as in Report
	name   string // for people
	device string // block device that begins with the image
	image  image
	hold   *os.File // keeps a loop device alive until device-mapper has it
}

func (s source) close() {
	if s.hold != nil {
		s.hold.Close()
	}
}

func isUnknown(err error) bool { return errors.Is(err, modules.ErrUnknown) }

// finder looks for the system image. The order of precedence: the initrd;
// the partition of the wanted slot; any other device that begins with the
// image; a file system that holds it as a file.
type finder struct {
	log     *slog.Logger
	o       Options
	loader  moduleLoader
	sys     string            // /sys
	refused map[string]string // device → why it is not the one
}

func newFinder(log *slog.Logger, o Options, l moduleLoader) *finder {
	return &finder{log: log, o: o, loader: l, sys: "/sys", refused: map[string]string{}}
}

// find returns when the image is found or ctx ends. Changed names a device
// that appeared or changed; an empty name stands for all of them.
func (f *finder) find(ctx context.Context, changed <-chan string) (source, error) {
	if src, err := f.inInitrd(); !errors.Is(err, os.ErrNotExist) {
		return src, err
	}
	for {
		for _, name := range f.candidates() {
			src, err := f.try(name)
			if err == nil {
				return src, nil
			}
			f.refused[name] = err.Error()
			f.log.Info("device refused", "device", name, "why", err)
		}
		select {
		case <-ctx.Done():
			return source{}, f.notFound()
		case name := <-changed:
			f.forget(name)
		}
		for len(changed) > 0 { // a disk and its partitions come together
			f.forget(<-changed)
		}
	}
}

func (f *finder) forget(name string) {
	if name == "" {
		clear(f.refused)
	}
	delete(f.refused, filepath.Base(name))
}

// notFound says what was looked at.
func (f *finder) notFound() error {
	if len(f.refused) == 0 {
		return fmt.Errorf("no block device appeared within %s: is there a disk, and its driver in the initrd?", f.o.Timeout)
	}
	var why []string
	for _, name := range slices.Sorted(maps.Keys(f.refused)) {
		why = append(why, name+": "+f.refused[name])
	}
	return fmt.Errorf("no device has the system image with root hash %x…, waited %s; %s", f.o.RootHash[:4], f.o.Timeout, strings.Join(why, "; "))
}

// candidates lists the devices not yet looked at, best first.
func (f *finder) candidates() []string {
	entries, err := os.ReadDir(filepath.Join(f.sys, "class/block"))
	if err != nil {
		return nil // no block driver yet
	}
	var names []string
	rank := map[string]int{}
	for _, e := range entries {
		name := e.Name()
		if _, ok := f.refused[name]; ok || skipped(name) {
			continue
		}
		names = append(names, name)
		partition := f.partition(name)
		switch {
		case f.o.Slot != "" && partition["PARTNAME"] == "SYSTEM-"+f.o.Slot:
			rank[name] = 0
		case strings.HasPrefix(partition["PARTNAME"], "SYSTEM-"):
			rank[name] = 1
		case partition["DEVTYPE"] == "disk":
			rank[name] = 2
		default:
			rank[name] = 3
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank[a] - rank[b] })
	return names
}

// skipped tells devices that are never the source. A floppy drive without a
// disk takes seconds to say so.
func skipped(name string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "dm-", "fd", "md", "nbd"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// partition reads the device's uevent file: DEVTYPE, and PARTNAME, the GPT
// label.
func (f *finder) partition(name string) map[string]string {
	fields := map[string]string{}
	data, err := os.ReadFile(filepath.Join(f.sys, "class/block", name, "uevent"))
	if err != nil {
		return fields // gone again
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			fields[key] = value
		}
	}
	return fields
}

// try looks at one device: is it the image, or does it hold it?
func (f *finder) try(name string) (source, error) {
	path := "/dev/" + strings.ReplaceAll(name, "!", "/")
	dev, err := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return source{}, err
	}
	defer dev.Close()
	img, err := probe(dev, f.o)
	if err == nil {
		slot, ok := strings.CutPrefix(f.partition(name)["PARTNAME"], "SYSTEM-")
		if !ok {
			slot = "disk"
		}
		return source{slot: slot, name: path, device: path, image: img}, nil
	}
	if !errors.Is(err, errNoImage) {
		return source{}, err
	}
	src, fileErr := f.onFileSystem(dev)
	if errors.Is(fileErr, errNoFileSystem) {
		return source{}, err
	}
	return src, fileErr
}
