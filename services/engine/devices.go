package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/system/beneath"
)

// Bounds of MissingDevices: containers can write what it reads.
const (
	mostContainers = 4096
	mostMissing    = 32      // devices that are named
	maxHostConfig  = 1 << 20 // bytes; dockerd's own have a few kilobytes
	maxPath        = 4096    // bytes, the kernel's PATH_MAX
)

// MissingDevices lists the devices below /dev that containers with a restart
// policy name under --device and that do not exist yet, sorted. Docker starts
// such a container once and leaves it stopped if that fails: without its device
// it would be down after each boot whose drivers are loaded later than the
// engine.
//
// data is dockerd's data root, and dev is /dev but in tests. Files that cannot
// be read name no devices. It returns an error when ctx ends first: a file
// system may not answer.
func MissingDevices(ctx context.Context, data beneath.Place, dev string) ([]string, error) {
	type answer struct {
		missing []string
		err     error
	}
	done := make(chan answer, 1)
	go func() {
		missing, err := missingDevices(ctx, data, dev)
		done <- answer{missing, err}
	}()
	select {
	case a := <-done:
		return a.missing, a.err
	case <-ctx.Done():
		return nil, late(ctx, data)
	}
}

func late(ctx context.Context, data beneath.Place) error {
	return fmt.Errorf("devices of the containers in %s: %w", data, context.Cause(ctx))
}

func missingDevices(ctx context.Context, data beneath.Place, dev string) ([]string, error) {
	const containers = "containers"
	dir, err := data.Open()
	if err != nil {
		return nil, nil
	}
	defer dir.Close()
	names, err := dir.Names(containers, mostContainers)
	if err != nil {
		return nil, nil
	}
	slices.Sort(names)
	var missing []string
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, late(ctx, data)
		}
		text, err := dir.ReadFile(path.Join(containers, name, "hostconfig.json"), maxHostConfig)
		if err != nil {
			continue
		}
		for _, device := range devices(text) {
			if len(missing) < mostMissing && !slices.Contains(missing, device) && lacks(dev, device) {
				missing = append(missing, device)
			}
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// devices lists the paths below /dev that a container names if the engine
// starts it by itself. text is a HostConfig of
// github.com/moby/moby/api/types/container.
func devices(text []byte) []string {
	var c struct {
		RestartPolicy struct{ Name string }
		Devices       []struct{ PathOnHost string }
	}
	if json.Unmarshal(text, &c) != nil || c.RestartPolicy.Name == "" || c.RestartPolicy.Name == "no" {
		return nil
	}
	var list []string
	for _, d := range c.Devices {
		if p := path.Clean(d.PathOnHost); strings.HasPrefix(p, "/dev/") && len(p) < maxPath {
			list = append(list, p)
		}
	}
	return list
}

func lacks(dev, device string) bool {
	_, err := os.Stat(filepath.Join(dev, strings.TrimPrefix(device, "/dev")))
	return errors.Is(err, fs.ErrNotExist)
}
