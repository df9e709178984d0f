// Package load owns where configuration comes from: which layers there are,
// in which order, and what happens when one of them is broken or its source
// is away. It reads files and lets others mount; it refuses to stop a boot
// because of what it reads.
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

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cmdline"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// Where the files are.
const (
	MediaFile = "/run/pharos/media/pharos/cloud-config.yml" // on the boot medium
	ConfDir   = "/var/lib/pharos/conf"
	UserFile  = ConfDir + "/cloud-config.yml" // `ros config set` writes it
	DropInDir = ConfDir + "/cloud-config.d"
	lastGood  = ConfDir + "/last-good"
)

// Device is a block device with a file system, or a 9p share.
type Device struct {
	Path   string // "/dev/vdb"
	Label  string
	FSType string // as for mount(2)
}

// Devices is what loading needs from whoever knows the machine's disks.
type Devices interface {
	// Labelled lists the devices whose file system has one of the labels;
	// case does not matter, and a label may end in an asterisk.
	Labelled(ctx context.Context, labels ...string) ([]Device, error)
	// Mount mounts a device read-only; the function unmounts it.
	Mount(ctx context.Context, d Device) (fs.FS, func() error, error)
}

// Loader loads the configuration; it may do so any number of times.
type Loader struct {
	Root    string  // put before every path; for tests
	Cmdline string  // text of /proc/cmdline
	Devices Devices // nil: no volumes are looked at
	Sys     fs.FS   // /sys; nil: the firmware says nothing
	Log     *slog.Logger
	// KeepLastGood makes it save a copy of each layer that is right, and the
	// answer of the datasource. Set it once the state partition is mounted.
	KeepLastGood bool
	// Answer is what an online source said since the machine booted, as Fetch
	// returned it. Without it the answer of an earlier boot may serve.
	Answer *Answer
	// Asked says that the online sources have been asked: without an Answer
	// they are away.
	Asked bool
	// Included are the texts behind URLs of #include, as FetchIncludes read them.
	Included map[string][]byte
	// IMDS is how metadata services are asked.
	IMDS imds.Options
	// DHCPServer waits for the address of the server that gave a lease; one
	// cloud's service is there. Nil: nobody knows.
	DHCPServer func(ctx context.Context) (string, error)
}

// What became of a layer.
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
	Datasource string // name of the one that was used; may be empty
	Cmdline    cmdline.Cmdline
	// Variables are what $public_ipv4 and the like stand for.
	Variables map[string]string
	// Probed are the datasources that were looked for.
	Probed []datasource.Probe
	// Pending are online sources that Fetch has to ask.
	Pending []detect.Choice
	// Includes are URLs of #include that FetchIncludes has to read.
	Includes []string
}

// raw is one source as it was read.
type raw struct {
	name, file string
	data       []byte
	layer      *osconfig.Layer // instead of data, when it is no text
}

// layers are the sources of all kinds, each from the weakest to the strongest.
type layers struct{ oem, vendor, metadata, user, conf []raw }

// Load reads all sources that need no network and merges them with what the
// online source said. The order, from the weakest to the strongest: built-in
// defaults, file of an OEM's partition, file of the boot medium, vendor-data, metadata, user-data, the
// files of cloud-config.d, cloud-config.yml, kernel command line. The context
// bounds how long it may take. Nothing that it reads makes it fail: what is
// wrong is in the Report.
func (l *Loader) Load(ctx context.Context) Result {
	var out Result
	var all layers
	read := func(to *[]raw, name, path string) {
		if r, problem := l.readFile(name, path); problem != nil {
			out.Report = append(out.Report, *problem)
		} else if r != nil {
			*to = append(*to, *r)
		}
	}
	all.oem = l.oem(ctx, &out)
	read(&all.oem, "iso", MediaFile)
	names, err := filepath.Glob(filepath.Join(l.Root, DropInDir, "*.yml"))
	if err != nil {
		names = nil // cannot be: the pattern is constant
	}
	slices.Sort(names)
	for _, path := range names {
		base := filepath.Base(path)
		read(&all.conf, "cloud-config.d/"+base, DropInDir+"/"+base)
	}
	read(&all.conf, "cloud-config", UserFile)

	parsed, report := cmdline.Parse(l.Cmdline)
	out.Cmdline, out.Report = parsed, append(out.Report, report...)
	layer := parsed.Layer()
	all.conf = append(all.conf, raw{name: cmdline.Name, file: cmdline.Name, layer: &layer})

	l.datasources(ctx, &out, &all)
	l.merge(ctx, &out, slices.Concat(all.oem, all.vendor, all.metadata, all.user, all.conf))
	return out
}

func (l *Loader) readFile(name, path string) (*raw, *osconfig.Problem) {
	return readRaw(name, path, func() (fs.File, error) { return os.Open(filepath.Join(l.Root, path)) })
}

// readRaw reads a source; nil is one that is not there.
func readRaw(name, path string, open func() (fs.File, error)) (*raw, *osconfig.Problem) {
	f, err := open()
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

// decide says where to look, from what can be known before any datasource is
// read.
func (l *Loader) decide(out *Result, local []raw) detect.Decision {
	var layers []osconfig.Layer
	for _, s := range local {
		if s.layer != nil {
			layers = append(layers, *s.layer)
		} else if layer, _ := osconfig.Parse(s.name, s.file, s.data); layer.Doc != nil {
			layers = append(layers, layer)
		}
	}
	cfg, _, _ := decoder().DecodeLenient(layers...)
	ds, _ := out.Cmdline.Get("ds")
	return detect.Decide(detect.Machine{
		Sys: l.Sys, Wanted: cfg.Rancher.CloudInit.Datasources, DS: ds, ConfigURL: out.Cmdline.ConfigURL(),
	})
}

func sourceProblem(severity osconfig.Severity, name, text string) osconfig.Problem {
	return osconfig.Problem{Severity: severity, Kind: osconfig.Source, File: name, Text: text}
}

func notReadable(name string, err error) osconfig.Problem {
	return sourceProblem(osconfig.Error, name, fmt.Sprintf("not readable: %v", err))
}

func (l *Loader) log() *slog.Logger {
	if l.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l.Log
}
