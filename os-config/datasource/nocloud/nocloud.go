// Package nocloud owns the datasource NoCloud: a volume labelled cidata (or
// CIDATA) with the files meta-data, user-data, vendor-data and
// network-config, a directory like it, or the same files over HTTP. It reads
// a file system that somebody else mounted; it refuses to look for one.
package nocloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// Label is that of a NoCloud volume; case does not matter.
const Label = "cidata"

// Names of the files.
const (
	metaData      = "meta-data"
	userData      = "user-data"
	vendorData    = "vendor-data"
	networkConfig = "network-config"
)

// source reads files from wherever read gets them; a file that is not there
// is fs.ErrNotExist or datasource.ErrNotFound.
type source struct {
	read  func(ctx context.Context, name string) ([]byte, error)
	name  func(file string) string
	where string
	given Given
}

// Given is what whoever named the place of a seed said besides it (h= and i=
// of ds=nocloud); it wins over the files.
type Given struct{ Hostname, InstanceID string }

// New makes a source of the files in the root of a file system; where is how
// reports call it ("/dev/sr0").
func New(files fs.FS, where string) datasource.Source { return NewGiven(files, where, Given{}) }

// NewGiven is New with what was said besides the volume.
func NewGiven(files fs.FS, where string, given Given) datasource.Source {
	d := directory{files, where}
	return source{read: d.read, name: d.name, where: where, given: given}
}

// NewSeed makes a source of the files below a URL.
func NewSeed(url string, given Given, o imds.Options) datasource.Source {
	c := imds.New(url, o)
	get := func(ctx context.Context, name string) ([]byte, error) { return c.Get(ctx, name) }
	return source{read: get, name: c.URL, where: osconfig.ShownURL(url), given: given}
}

func (source) Name() string { return "nocloud" }

func (s source) Fetch(ctx context.Context) (datasource.Result, error) {
	files := map[string][]byte{}
	for _, name := range []string{metaData, userData, vendorData, networkConfig} {
		data, err := s.read(ctx, name)
		switch {
		case err == nil:
			files[name] = data
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, datasource.ErrNotFound):
			return datasource.Result{}, err
		}
	}
	if files[metaData] == nil && files[userData] == nil {
		return datasource.Result{}, fmt.Errorf("%s has neither meta-data nor user-data: %w", s.where, datasource.ErrNotFound)
	}
	out := s.parse(files)
	if s.given.Hostname != "" {
		out.Hostname = s.given.Hostname
	}
	if s.given.InstanceID != "" {
		out.InstanceID = s.given.InstanceID
	}
	return out, nil
}

// parse makes a result of the files. What one of them has wrong does not cost
// the others.
func (s source) parse(files map[string][]byte) datasource.Result {
	out := datasource.Result{Where: s.name(metaData), UserData: files[userData], UserDataFile: s.name(userData)}
	if vendor := files[vendorData]; len(vendor) > 0 {
		out.VendorData, out.VendorDataFile = vendor, s.name(vendorData)
	}
	s.metadata(files[metaData], &out)
	if network := files[networkConfig]; len(network) > 0 {
		doc, report := osconfig.ParseTree("metadata", s.name(networkConfig), network)
		out.Report = append(out.Report, report...)
		if doc != nil {
			node, report := Network(doc)
			out.Network, out.Report = node, append(out.Report, report...)
		}
	}
	return out
}

// metadata reads the keys of meta-data that mean something here.
func (s source) metadata(data []byte, out *datasource.Result) {
	doc, report := osconfig.ParseTree("metadata", s.name(metaData), data)
	out.Report = append(out.Report, report...)
	first := func(keys ...string) string {
		for _, k := range keys {
			if t := text(doc.Child(k)); t != "" {
				return t
			}
		}
		return ""
	}
	out.InstanceID = first("instance-id", "instance_id")
	out.Hostname = first("local-hostname", "hostname", "local_hostname")
	out.Addresses = datasource.Addresses{
		PublicIPv4: first("public-ipv4"), PrivateIPv4: first("local-ipv4"), PublicIPv6: first("public-ipv6"), PrivateIPv6: first("local-ipv6"),
	}
	for _, k := range []string{"public-keys", "public_keys"} {
		out.Keys = append(out.Keys, keys(doc.Child(k))...)
	}
	if eni := doc.Child("network-interfaces"); !eni.IsNull() {
		out.Report = append(out.Report, problem(eni, osconfig.Warning,
			"network-interfaces in meta-data is not supported; it has no effect: write network-config"))
	}
}

// keys accepts the forms in which public-keys is found: a text, a list of
// texts, and mappings of names to either or to {openssh-key: text}.
func keys(n *osconfig.Node) []string {
	var out []string
	switch {
	case n.IsNull():
	case n.Kind == osconfig.Map:
		for _, e := range n.Map {
			out = append(out, keys(e.Value)...)
		}
	case n.Kind == osconfig.List:
		for _, item := range n.List {
			out = append(out, keys(item)...)
		}
	default:
		for line := range strings.SplitSeq(n.Text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
	}
	return out
}

// directory is a file system with the files in its root.
type directory struct {
	files fs.FS
	where string
}

func (d directory) name(file string) string { return d.where + ":" + file }

// read returns the file of that name. ISO 9660 without Rock Ridge shows
// user-data as USER_DATA.;1 and the like.
func (d directory) read(_ context.Context, name string) ([]byte, error) {
	entries, err := fs.ReadDir(d.files, ".")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.where, err)
	}
	found := ""
	for _, e := range entries {
		plain, _, _ := strings.Cut(e.Name(), ";")
		plain = strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(plain, ".")), "_", "-")
		if e.Name() == name || plain == name && found == "" {
			found = e.Name()
		}
	}
	if found == "" {
		return nil, fmt.Errorf("%s: %w", d.name(name), fs.ErrNotExist)
	}
	return datasource.ReadFile(d.files, d.where, found)
}
