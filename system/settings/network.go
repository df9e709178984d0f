package settings

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/edit"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/control/api"
)

// NetworkDiff says what ApplyNetwork would change, and what the configuration
// is after it. The cloud-config text is merged into the user's file first; it
// must parse. Nothing is written.
func (s *Settings) NetworkDiff(text string) (osconfig.Config, api.ConfigDiff, error) {
	running := s.o.Running()
	if running.Document.Root == nil {
		return osconfig.Config{}, api.ConfigDiff{}, errNotLoaded()
	}
	var changed map[string][]byte
	if text != "" {
		own, err := s.userText()
		if err != nil {
			return osconfig.Config{}, api.ConfigDiff{}, err
		}
		next, err := edit.Merge(own, load.UserFile, []byte(text), "input")
		if err != nil {
			return osconfig.Config{}, api.ConfigDiff{}, fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
		}
		changed = map[string][]byte{load.UserFile: next}
	}
	read := s.reread(running, changed)
	after := onlyNetwork(running, read)
	s.mu.Lock()
	defer s.mu.Unlock()
	return after.Config, api.ConfigDiff{Changes: aboutNetwork(s.changes(running, after)), Problems: wrong(read)}, nil
}

// ApplyNetwork brings the network, and what else goes by rancher.network, to
// what the files say; the rest of the configuration stays as it runs. It goes
// on when ctx ends.
func (s *Settings) ApplyNetwork(ctx context.Context, who string) (api.ConfigDiff, error) {
	d, err := s.carry(ctx, job{who: who, part: onlyNetwork})
	d.Changes = aboutNetwork(d.Changes)
	return d, err
}

// onlyNetwork is the configuration before with the network of after.
func onlyNetwork(before, after load.Result) load.Result {
	out := before
	out.Config.Rancher.Network = after.Config.Rancher.Network
	out.Document.Root = spliced(before.Document.Root, after.Document.Root, []string{"rancher", "network"})
	return out
}

// spliced is the mapping before, which stays as it is, with what after has at
// the path.
func spliced(before, after *osconfig.Node, path []string) *osconfig.Node {
	if len(path) == 0 {
		return after
	}
	if before == nil && after == nil {
		return nil
	}
	out := &osconfig.Node{Kind: osconfig.Map}
	if before != nil {
		copied := *before
		copied.Map = slices.Clone(before.Map)
		out = &copied
	}
	value := spliced(before.Child(path[0]), after.Child(path[0]), path[1:])
	i := slices.IndexFunc(out.Map, func(e osconfig.Entry) bool { return e.Key == path[0] })
	switch {
	case i >= 0 && value == nil:
		out.Map = slices.Delete(out.Map, i, i+1)
	case i >= 0:
		out.Map[i].Value = value
	case value != nil:
		out.Map = append(out.Map, osconfig.Entry{Key: path[0], KeyPos: value.Pos, Value: value})
	}
	return out
}

// aboutNetwork leaves out what waits for a reboot since earlier: changes of
// the network and of units remain.
func aboutNetwork(changes []api.ConfigChange) []api.ConfigChange {
	return slices.DeleteFunc(changes, func(c api.ConfigChange) bool {
		return c.Key != "" && !strings.HasPrefix(c.Key, "rancher.network.")
	})
}
