// Package nocloud owns the datasource NoCloud: a volume labelled cidata (or
// CIDATA) with the files meta-data, user-data and network-config, or a
// directory like it. It reads a file system that somebody else mounted; it
// refuses to look for one.
package nocloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

// Label is that of a NoCloud volume; case does not matter.
const Label = "cidata"

type source struct {
	files fs.FS
	where string
}

// New makes a source of the files in the root of a file system; where is how
// reports call it ("/dev/sr0").
func New(files fs.FS, where string) datasource.Source { return source{files, where} }

func (source) Name() string { return "nocloud" }

func (s source) Fetch(context.Context) (datasource.Result, error) {
	meta, metaErr := s.read("meta-data")
	user, userErr := s.read("user-data")
	network, networkErr := s.read("network-config")
	for _, err := range []error{metaErr, userErr, networkErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return datasource.Result{}, err
		}
	}
	if metaErr != nil && userErr != nil {
		return datasource.Result{}, fmt.Errorf("%s has neither meta-data nor user-data: %w", s.where, datasource.ErrNotFound)
	}
	out := datasource.Result{
		Where:        s.name("meta-data"),
		UserData:     user,
		UserDataFile: s.name("user-data"),
	}
	s.metadata(meta, &out)
	if len(network) > 0 {
		layer, report := osconfig.Parse("metadata", s.name("network-config"), network)
		out.Report = append(out.Report, report...)
		if layer.Doc != nil {
			node, report := Network(layer.Doc)
			out.Network, out.Report = node, append(out.Report, report...)
		}
	}
	return out, nil
}

func (s source) name(file string) string { return s.where + ":" + file }

// read returns the file of that name. ISO 9660 without Rock Ridge shows
// user-data as USER_DATA.;1 and the like.
func (s source) read(name string) ([]byte, error) {
	entries, err := fs.ReadDir(s.files, ".")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.where, err)
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
		return nil, fmt.Errorf("%s: %w", s.name(name), fs.ErrNotExist)
	}
	f, err := s.files.Open(found)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name(name), err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, osconfig.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name(name), err)
	}
	return data, nil
}

// metadata reads the keys of meta-data that mean something here.
func (s source) metadata(data []byte, out *datasource.Result) {
	layer, report := osconfig.Parse("metadata", s.name("meta-data"), data)
	out.Report = append(out.Report, report...)
	text := func(keys ...string) string {
		for _, k := range keys {
			if n := layer.Doc.Child(k); n != nil && n.Scalar() {
				return strings.TrimSpace(n.Text)
			}
		}
		return ""
	}
	out.InstanceID = text("instance-id", "instance_id")
	out.Hostname = text("local-hostname", "hostname", "local_hostname")
	for _, k := range []string{"public-keys", "public_keys"} {
		out.Keys = append(out.Keys, keys(layer.Doc.Child(k))...)
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
