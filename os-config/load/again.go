package load

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/os-config/cmdline"
)

// UserLayer is the name of the layer that UserFile makes.
const UserLayer = "cloud-config"

// Again reads the files below ConfDir again and takes everything else as it
// was loaded before: what datasources, media and the kernel command line say
// is settled at boot. changed holds texts, by path, that take the place of
// what the files hold; UserFile is the only one that it may name.
func (l *Loader) Again(before Result, changed map[string][]byte) Result {
	out := Result{
		InstanceID: before.InstanceID, Datasource: before.Datasource, Variables: before.Variables,
		Probed: before.Probed, Pending: before.Pending, Cmdline: before.Cmdline,
	}
	var sources, last []raw
	for _, layer := range before.Layers {
		r := raw{name: layer.Name, file: layer.File, layer: &layer}
		switch {
		case ownLayer(layer.Name):
		case layer.Name == cmdline.Name:
			last = append(last, r)
		default:
			sources = append(sources, r)
		}
	}
	paths, err := filepath.Glob(filepath.Join(l.Root, DropInDir, "*.yml"))
	if err != nil {
		paths = nil // cannot be: the pattern is constant
	}
	slices.Sort(paths)
	read := func(name, path string) {
		if data, ok := changed[path]; ok {
			sources = append(sources, raw{name: name, file: path, data: data})
		} else if r, problem := l.readFile(name, path); problem != nil {
			out.Report = append(out.Report, *problem)
		} else if r != nil {
			sources = append(sources, *r)
		}
	}
	for _, path := range paths {
		base := filepath.Base(path)
		read("cloud-config.d/"+base, DropInDir+"/"+base)
	}
	read(UserLayer, UserFile)
	l.merge(context.Background(), &out, append(sources, last...)) // it reads no network
	for i, s := range out.Sources {
		for _, old := range before.Sources {
			if !ownLayer(s.Layer) && s.Layer == old.Layer {
				out.Sources[i] = old
			}
		}
	}
	return out
}

// ownLayer reports whether a layer is made of a file below ConfDir.
func ownLayer(name string) bool {
	return name == UserLayer || strings.HasPrefix(name, UserLayer+"/") || strings.HasPrefix(name, "cloud-config.d/")
}
