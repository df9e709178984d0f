package rebind

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/system/beneath"
)

// summary is what GET /containers/json says of a container.
type summary struct {
	ID     string `json:"Id"`
	Names  []string
	Labels map[string]string
	State  string
	Mounts []struct {
		Type, Name, Source, Destination string
	}
	HostConfig struct{ NetworkMode string }
	swarm      node // of the engine
}

func (c summary) name() string {
	if len(c.Names) == 0 {
		return c.ID
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

// details is what GET /containers/ID/json says besides.
type details struct {
	State struct {
		Running, Restarting bool
		Pid                 int
		Error               string // of the last start
	}
	HostConfig struct {
		RestartPolicy struct{ Name string }
		Mounts        []struct {
			Target      string
			BindOptions struct{ NonRecursive bool }
		}
	}
}

// details asks for them. They are zero for a container that has been removed.
func (e Engine) details(ctx context.Context, c summary) (details, error) {
	var d details
	err := e.Client.Call(ctx, http.MethodGet, "/containers/"+c.ID+"/json", nil, &d)
	if dockerapi.IsStatus(err, http.StatusNotFound) {
		return details{}, nil
	}
	return d, err
}

// failed reports whether the container could not start and has a restart policy.
func (d details) failed() bool {
	name := d.HostConfig.RestartPolicy.Name
	return !d.State.Running && !d.State.Restarting && d.State.Error != "" && name != "" && name != "no"
}

// recursive takes what is mounted below their source from binds without it.
func (d details) recursive(binds []bind) []bind {
	binds = slices.Clone(binds)
	for _, m := range d.HostConfig.Mounts {
		for i, b := range binds {
			if m.BindOptions.NonRecursive && path.Clean(m.Target) == b.target {
				binds[i].alone = true
			}
		}
	}
	return binds
}

// bind is a directory or file of the machine in a container.
type bind struct {
	source string // "" is none of the machine's that counts
	target string
	alone  bool // what is mounted below source is left out
}

// binds lists where a container has something mounted by the engine.
func (c summary) binds(volumes map[string]volume, resolve func(string) string) []bind {
	var list []bind
	for _, m := range c.Mounts {
		b := bind{target: path.Clean(m.Destination)}
		switch v := volumes[m.Name]; {
		case m.Type == "bind":
			b.source = resolve(m.Source)
		case m.Type == "volume" && v.source != "":
			b.source, b.alone = resolve(v.source), v.alone
		}
		list = append(list, b)
	}
	return list
}

// concerns reports whether the source is the point, below it or above it.
func (b bind) concerns(point string) bool {
	return b.source != "" && (within(b.source, point) || within(point, b.source))
}

// place is where the mount of a point shows up in the container, and whether
// that is the target of the bind. It is nowhere when another one of the
// container's mounts hides it.
func (b bind) place(point string, all []bind) (place string, target, ok bool) {
	switch {
	case b.source == "":
		return "", false, false
	case within(b.source, point):
		return b.target, true, true
	case !within(point, b.source) || b.alone:
		return "", false, false
	}
	place = path.Join(b.target, strings.TrimPrefix(point, b.source))
	hidden := slices.ContainsFunc(all, func(o bind) bool {
		return len(o.target) > len(b.target) && within(place, o.target)
	})
	return place, false, !hidden
}

// within reports whether a path is dir or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// volume is a volume that stands for a directory of the machine: one of the
// driver local with the options of a bind mount.
type volume struct {
	source string
	alone  bool
}

// volumes asks for those by name, if a container has one.
func (e Engine) volumes(ctx context.Context, list []summary) (map[string]volume, error) {
	used := slices.ContainsFunc(list, func(c summary) bool {
		for _, m := range c.Mounts {
			if m.Type == "volume" {
				return true
			}
		}
		return false
	})
	if !used {
		return nil, nil
	}
	var answer struct {
		Volumes []struct {
			Name, Driver string
			Options      map[string]string
		}
	}
	if err := e.Client.Call(ctx, http.MethodGet, "/volumes", nil, &answer); err != nil {
		return nil, err
	}
	out := map[string]volume{}
	for _, v := range answer.Volumes {
		options := strings.Split(v.Options["o"], ",")
		deep := slices.Contains(options, "rbind")
		if v.Driver == "local" && (deep || slices.Contains(options, "bind")) && path.IsAbs(v.Options["device"]) {
			out[v.Name] = volume{v.Options["device"], !deep}
		}
	}
	return out, nil
}

// follow resolves the links of a source as the engine does, without what lies
// beyond mounts that may not answer. A source that leads nowhere stays as it is.
func follow(tree *beneath.Namespace, source string) string {
	source = path.Clean(source)
	at, err := tree.Resolve(source)
	if err != nil {
		return source
	}
	return at.Path
}
