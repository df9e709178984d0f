// Package datasource owns what a datasource is and how its metadata becomes a
// layer; each source has a package of its own below. It refuses to choose
// among sources.
package datasource

import (
	"context"
	"errors"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ErrNotFound says that a source is not there: no such volume, file or
// service. It is no fault.
var ErrNotFound = errors.New("no such datasource")

// Source is a place from which a machine learns who it is.
type Source interface {
	// Name is what rancher.cloud_init.datasources calls it.
	Name() string
	// Fetch reads everything. Its error is ErrNotFound when the source is
	// not there.
	Fetch(ctx context.Context) (Result, error)
}

// Result is what a source says. Everything may be empty.
type Result struct {
	InstanceID   string
	Hostname     string
	Keys         []string       // OpenSSH public keys
	Network      *osconfig.Node // rancher.network, as a mapping
	Where        string         // of the metadata, for positions: a file or URL
	UserData     []byte
	UserDataFile string // where UserData came from, for positions
	// VendorData is the cloud's own user-data, weaker than the user's.
	VendorData     []byte
	VendorDataFile string
	// Addresses are what $public_ipv4 and the like stand for; each may be empty.
	Addresses Addresses
	Report    osconfig.Report // what was wrong with the metadata
	// Detail is what else people may want to know, for ros config sources.
	Detail string
}

// What became of a source that was looked for.
const (
	Found    = "found"     // it is there, but another one was chosen
	NotFound = "not found" // it is not there
	Failed   = "failed"    // it is there, or should be, and could not be read
	Chosen   = "chosen"
	Cached   = "cached" // it could not be asked; its last answer was used
)

// Probe is one source that was looked for.
type Probe struct {
	Source string        `json:"source"` // "digitalocean"
	Where  string        `json:"where"`  // URL or device
	State  string        `json:"state"`
	Took   time.Duration `json:"took"`
	Detail string        `json:"detail"` // why it was looked for, what went wrong
}

// Addresses are the machine's addresses as its cloud tells them.
type Addresses struct {
	PublicIPv4, PrivateIPv4, PublicIPv6, PrivateIPv6 string
}

// Metadata makes a layer of everything but the user-data.
func (r Result) Metadata(name string) osconfig.Layer {
	pos := osconfig.Pos{Layer: name, File: r.Where}
	root := osconfig.NewMap(pos)
	add := func(key string, value *osconfig.Node) {
		root.Map = append(root.Map, osconfig.Entry{Key: key, KeyPos: pos, Value: value})
	}
	if r.Hostname != "" {
		add("hostname", osconfig.NewString(pos, r.Hostname))
	}
	if len(r.Keys) > 0 {
		keys := osconfig.NewList(pos)
		for _, k := range r.Keys {
			keys.List = append(keys.List, osconfig.NewString(pos, k))
		}
		add("ssh_authorized_keys", keys)
	}
	if r.Network != nil {
		add("rancher", osconfig.NewMap(pos, osconfig.Entry{Key: "network", KeyPos: pos, Value: r.Network}))
	}
	return osconfig.Layer{Name: name, File: r.Where, Doc: root}
}
