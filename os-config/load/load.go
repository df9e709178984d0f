// Package load owns where configuration comes from: which layers there are,
// in which order, and what happens when one of them is broken. It reads files
// and lets others mount; it refuses to stop a boot because of what it reads.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cmdline"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/file"
	"github.com/pharos-os/pharos/os-config/datasource/nocloud"
)

// Where the files are.
const (
	MediaFile = "/run/pharos/media/pharos/cloud-config.yml" // on the boot medium
	ConfDir   = "/var/lib/pharos/conf"
	UserFile  = ConfDir + "/cloud-config.yml" // `ros config set` writes it
	DropInDir = ConfDir + "/cloud-config.d"
	lastGood  = ConfDir + "/last-good"
)

// Device is a block device with a file system.
type Device struct {
	Path   string // "/dev/vdb"
	Label  string
	FSType string // as for mount(2)
}

// Devices is what loading needs from whoever knows the machine's disks.
type Devices interface {
	// Labelled lists the devices whose file system has one of the labels;
	// case does not matter.
	Labelled(ctx context.Context, labels ...string) ([]Device, error)
	// Mount mounts a device read-only; the function unmounts it.
	Mount(ctx context.Context, d Device) (fs.FS, func() error, error)
}

// Loader loads the configuration; it may do so any number of times.
type Loader struct {
	Root    string  // put before every path; for tests
	Cmdline string  // text of /proc/cmdline
	Devices Devices // nil: no volumes are looked at
	Log     *slog.Logger
	// KeepLastGood makes it save a copy of each layer that is right. Set it
	// once the state partition is mounted.
	KeepLastGood bool
}

// What became of a source.
const (
	Used    = "used"
	Partly  = "partly"    // parts of it were left out
	OldCopy = "last-good" // it could not be read; its last good copy was used
	Dropped = "dropped"
)

// Source is a layer that was looked at.
type Source struct {
	Layer string
	File  string
	State string
}

// Result is a loaded configuration.
type Result struct {
	Config   osconfig.Config
	Document osconfig.Document
	Report   osconfig.Report
	Sources  []Source // from the weakest layer to the strongest
	// Layers are what was merged, from the weakest to the strongest, as they
	// were parsed: with what is wrong in them, without the built-in defaults.
	Layers     []osconfig.Layer
	InstanceID string // from the datasource; may be empty
	Cmdline    cmdline.Cmdline
}

// raw is one source as it was read.
type raw struct {
	name, file string
	data       []byte
	layer      *osconfig.Layer // instead of data, when it is no text
}

// Load reads all sources and merges them. Pass 1 calls it without extra; pass
// 2 calls it again with the sources that need a network. The context bounds
// how long it may take. Nothing that it reads makes it fail: what is wrong is
// in the Report.
func (l *Loader) Load(ctx context.Context, extra ...datasource.Source) Result {
	var out Result
	var local, conf []raw
	read := func(to *[]raw, name, path string) {
		if r, problem := l.readFile(name, path); problem != nil {
			out.Report = append(out.Report, *problem)
		} else if r != nil {
			*to = append(*to, *r)
		}
	}
	read(&local, "iso", MediaFile)
	names, err := filepath.Glob(filepath.Join(l.Root, DropInDir, "*.yml"))
	if err != nil {
		names = nil // cannot be: the pattern is constant
	}
	slices.Sort(names)
	for _, path := range names {
		base := filepath.Base(path)
		read(&conf, "cloud-config.d/"+base, DropInDir+"/"+base)
	}
	read(&conf, "cloud-config", UserFile)

	parsed, report := cmdline.Parse(l.Cmdline)
	out.Cmdline, out.Report = parsed, append(out.Report, report...)
	layer := parsed.Layer()
	conf = append(conf, raw{name: cmdline.Name, file: cmdline.Name, layer: &layer})

	found := l.datasources(ctx, &out, wantedSources(append(slices.Clone(local), conf...)), extra)
	l.merge(&out, slices.Concat(local, found, conf))
	return out
}

func (l *Loader) readFile(name, path string) (*raw, *osconfig.Problem) {
	f, err := os.Open(filepath.Join(l.Root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, osconfig.MaxSize+1))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, &osconfig.Problem{
			Severity: osconfig.Error, Kind: osconfig.Source, Layer: name, File: path,
			Text: "not readable: " + err.Error(),
		}
	}
	return &raw{name: name, file: path, data: data}, nil
}

// wantedSources is rancher.cloud_init.datasources as far as it can be known
// before any datasource is read.
func wantedSources(sources []raw) []string {
	var layers []osconfig.Layer
	for _, s := range sources {
		parsed, _ := parse(s)
		layers = append(layers, parsed...)
	}
	cfg, _, _ := osconfig.DecodeLenient(layers...)
	return cfg.Rancher.CloudInit.Datasources
}

// datasources reads the local datasources and the given ones. Without a list
// in the configuration it looks for a NoCloud volume; with one, only for what
// is on it.
func (l *Loader) datasources(ctx context.Context, out *Result, wanted []string, extra []datasource.Source) []raw {
	var found []raw
	use := func(s datasource.Source) {
		r, err := s.Fetch(ctx)
		switch {
		case errors.Is(err, datasource.ErrNotFound):
			return
		case err != nil:
			out.Report = append(out.Report, sourceProblem(s.Name(), err))
			return
		}
		l.log().Info("datasource read", "source", s.Name(), "where", r.Where, "instance", r.InstanceID)
		metadata, userData := "metadata", "user-data"
		if len(found) > 0 {
			metadata, userData = "metadata/"+s.Name(), "user-data/"+s.Name()
		}
		out.Report = append(out.Report, r.Report...)
		if out.InstanceID == "" {
			out.InstanceID = r.InstanceID
		}
		if layer := r.Metadata(metadata); len(layer.Doc.Map) > 0 {
			found = append(found, raw{name: metadata, file: r.Where, layer: &layer})
		}
		if len(r.UserData) > 0 {
			found = append(found, raw{name: userData, file: r.UserDataFile, data: r.UserData})
		}
	}
	if len(wanted) == 0 || slices.Contains(wanted, "nocloud") {
		l.eachVolume(ctx, out, nocloud.Label, func(files fs.FS, where string) { use(nocloud.New(files, where)) })
	}
	for _, w := range wanted {
		if path, ok := strings.CutPrefix(w, "file:"); ok {
			use(file.New(filepath.Join(l.Root, path), path))
		}
	}
	for _, s := range extra {
		use(s)
	}
	return found
}

// eachVolume mounts every volume with the label while f looks at it.
func (l *Loader) eachVolume(ctx context.Context, out *Result, label string, f func(fs.FS, string)) {
	if l.Devices == nil {
		return
	}
	devices, err := l.Devices.Labelled(ctx, label)
	if err != nil {
		out.Report = append(out.Report, sourceProblem("volume "+label, err))
	}
	for _, d := range devices {
		files, unmount, err := l.Devices.Mount(ctx, d)
		if err != nil {
			out.Report = append(out.Report, sourceProblem(d.Path, err))
			continue
		}
		f(files, d.Path)
		if err := unmount(); err != nil {
			l.log().Warn("volume stays mounted", "device", d.Path, "error", err)
		}
	}
}

func sourceProblem(name string, err error) osconfig.Problem {
	return osconfig.Problem{
		Severity: osconfig.Error, Kind: osconfig.Source, File: name,
		Text: fmt.Sprintf("not readable: %v", err),
	}
}

func (l *Loader) log() *slog.Logger {
	if l.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l.Log
}
