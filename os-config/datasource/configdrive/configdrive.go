// Package configdrive owns the datasource ConfigDrive, version 2: a volume or
// 9p share with OpenStack's files, or at least with EC2's. It reads a file
// system that somebody else mounted; it refuses to look for one.
package configdrive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
	"github.com/pharos-os/pharos/os-config/datasource/openstack"
)

// Label is that of the volume, and the mount tag of the 9p share.
const Label = "config-2"

type source struct {
	files fs.FS
	where string
}

// New makes a source of a file system; where is how reports call it.
func New(files fs.FS, where string) datasource.Source { return source{files, where} }

func (source) Name() string { return "configdrive" }

func (s source) Fetch(context.Context) (datasource.Result, error) {
	dir := s.version()
	switch {
	case dir != "":
		return s.openstack(dir)
	case s.exists("ec2/latest/meta-data.json"), s.exists("ec2/latest/user-data"):
		return s.ec2()
	}
	return datasource.Result{}, fmt.Errorf("%s has no openstack/latest and no ec2/latest: %w", s.where, datasource.ErrNotFound)
}

// version is the folder of the newest version: latest, or, where the drive's
// maker left that out, the last of the dates.
func (s source) version() string {
	if s.exists("openstack/latest") {
		return "openstack/latest"
	}
	entries, err := fs.ReadDir(s.files, "openstack")
	if err != nil {
		return ""
	}
	newest := ""
	for _, e := range entries { // sorted
		if ok, _ := path.Match("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]", e.Name()); ok && e.IsDir() {
			newest = "openstack/" + e.Name()
		}
	}
	return newest
}

func (s source) exists(name string) bool {
	_, err := fs.Stat(s.files, name)
	return err == nil
}

// read returns nil for a file that is not there.
func (s source) read(name string) ([]byte, error) {
	data, err := datasource.ReadFile(s.files, s.where, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// files are those of one version.
type files struct{ meta, user, vendor, network []byte }

func (s source) readAll(dir string) (f files, err error) {
	for name, to := range map[string]*[]byte{
		"meta_data.json": &f.meta, "user_data": &f.user, "vendor_data.json": &f.vendor, "network_data.json": &f.network,
	} {
		if *to, err = s.read(dir + "/" + name); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (s source) openstack(dir string) (datasource.Result, error) {
	f, err := s.readAll(dir)
	if err != nil {
		return datasource.Result{}, err
	}
	if f.meta == nil && f.user == nil {
		return datasource.Result{}, fmt.Errorf("%s:%s has neither meta_data.json nor user_data: %w", s.where, dir, datasource.ErrNotFound)
	}
	return parse(s.where+":"+dir+"/", f), nil
}

// parse makes a result of the files. What one of them has wrong does not cost
// the others: the user-data may be what says how to get in.
func parse(where string, f files) datasource.Result {
	out := datasource.Result{Where: where + "meta_data.json"}
	if f.meta != nil {
		parsed, err := openstack.ParseMetaData(out.Where, f.meta)
		if err != nil {
			out.Report = append(out.Report, broken(out.Where, err))
		} else {
			out = parsed
		}
	}
	if len(f.user) > 0 {
		out.UserData, out.UserDataFile = f.user, where+"user_data"
	}
	if f.vendor != nil {
		if data := openstack.ParseVendorData(f.vendor); len(data) > 0 {
			out.VendorData, out.VendorDataFile = data, where+"vendor_data.json"
		}
	}
	if f.network != nil {
		node, report := openstack.ParseNetworkData(where+"network_data.json", f.network)
		out.Network, out.Report = node, append(out.Report, report...)
	}
	return out
}

func broken(where string, err error) osconfig.Problem {
	return osconfig.Problem{Severity: osconfig.Error, Kind: osconfig.Source, Layer: metadata.Layer, File: where, Text: err.Error()}
}

func (s source) ec2() (datasource.Result, error) {
	const dir = "ec2/latest/"
	meta, err := s.read(dir + "meta-data.json")
	if err != nil {
		return datasource.Result{}, err
	}
	user, err := s.read(dir + "user-data")
	if err != nil {
		return datasource.Result{}, err
	}
	out := parseEC2(s.where+":"+dir+"meta-data.json", meta)
	if len(user) > 0 {
		out.UserData, out.UserDataFile = user, s.where+":"+dir+"user-data"
	}
	return out, nil
}

// parseEC2 reads EC2's metadata tree in one file.
func parseEC2(where string, data []byte) datasource.Result {
	out := datasource.Result{Where: where}
	if data == nil {
		return out
	}
	var m struct {
		ID          metadata.Text  `json:"instance-id"`
		Hostname    metadata.Text  `json:"local-hostname"`
		Other       metadata.Text  `json:"hostname"`
		PublicIPv4  metadata.Text  `json:"public-ipv4"`
		PrivateIPv4 metadata.Text  `json:"local-ipv4"`
		Keys        metadata.Lines `json:"public-keys"`
	}
	if err := metadata.JSON(where, data, &m); err != nil {
		out.Report = append(out.Report, broken(where, err))
		return out
	}
	out.InstanceID, out.Keys = string(m.ID), metadata.Keys(m.Keys...)
	if out.Hostname = metadata.Hostname(string(m.Hostname)); out.Hostname == "" {
		out.Hostname = metadata.Hostname(string(m.Other))
	}
	out.Addresses.PublicIPv4 = metadata.Address(string(m.PublicIPv4))
	out.Addresses.PrivateIPv4 = metadata.Address(string(m.PrivateIPv4))
	return out
}
