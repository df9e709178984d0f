package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

// fakeConfig is what a fakeManager says about its configuration.
type fakeConfig struct {
	file  string // the user's file
	diff  api.ConfigDiff
	wrong string // what a file must not hold
}

func (m *fakeManager) ConfigEdit(e api.ConfigEdit, who string) (api.ConfigWritten, error) {
	m.asked = append(m.asked, strings.TrimRight(fmt.Sprintf("%s %s %q %q %s", e.Verb, e.Key, e.Value, e.Text, e.Base), " "))
	if m.config.wrong != "" && strings.Contains(e.Value+e.Text, m.config.wrong) {
		return api.ConfigWritten{}, fmt.Errorf("refused, nothing is changed:\n  /var/lib/pharos/conf/cloud-config.yml:1:1: error: %s: no: %w", m.config.wrong, errdefs.ErrInvalidArgument)
	}
	switch e.Verb {
	case api.VerbReplace:
		m.config.file = e.Text
	case api.VerbUnset:
		return api.ConfigWritten{Changed: true, Generation: 5, Summary: "unset " + e.Key, Notes: []string{e.Key + " is now what user-data (/dev/sr0:user-data:3) says"}}, nil
	case api.VerbAppend:
		return api.ConfigWritten{Summary: "no change"}, nil
	}
	return api.ConfigWritten{Changed: true, Generation: 4, Summary: "changed " + e.Key}, nil
}

func (m *fakeManager) ConfigFile() (api.ConfigFile, error) {
	return api.ConfigFile{Path: "/var/lib/pharos/conf/cloud-config.yml", Text: m.config.file, Sum: "sum"}, nil
}

func (m *fakeManager) ConfigOrigin(key string) (api.ConfigOrigin, error) {
	if key == "nope" {
		return api.ConfigOrigin{}, fmt.Errorf("nope is not set: %w", errdefs.ErrNotFound)
	}
	return api.ConfigOrigin{Layer: "user-data", File: "/dev/sr0:user-data", Line: 3, Column: 11}, nil
}

func (m *fakeManager) ConfigDiff() (api.ConfigDiff, error) { return m.config.diff, nil }

func (m *fakeManager) ConfigApply(_ context.Context, try time.Duration, yes bool, _ string) (api.ConfigDiff, error) {
	m.asked = append(m.asked, fmt.Sprint("apply ", try))
	if yes {
		m.asked = append(m.asked, "yes")
	}
	d := m.config.diff
	if try > 0 {
		d.Try = &api.ConfigTry{Until: noon().Add(try), Seconds: try.Seconds()}
	}
	return d, nil
}

func (m *fakeManager) ConfigConfirm(string) error {
	m.asked = append(m.asked, "confirm")
	return nil
}

func (m *fakeManager) ConfigHistory() ([]api.ConfigGeneration, error) {
	return []api.ConfigGeneration{
		{Number: 3, Time: noon().Add(-time.Minute), Who: "rancher", Verb: "set hostname", Summary: "changed hostname", Current: true},
		{Number: 2, Time: noon().Add(-26 * time.Hour), Who: "-", Verb: "edited by hand", Summary: "set rancher.docker.debug, users; unset runcmd"},
		{Number: 1, Time: noon().Add(-72 * time.Hour), Who: "root", Verb: "merge", Summary: "set hostname"},
	}, nil
}

func (m *fakeManager) ConfigRollback(number int, who string) (api.ConfigWritten, error) {
	m.asked = append(m.asked, fmt.Sprint("rollback ", number))
	return api.ConfigWritten{Changed: true, Generation: 4, Summary: "changed hostname"}, nil
}

func (m *fakeManager) ConfigSources() (api.ConfigSources, error) {
	return api.ConfigSources{
		Instance: "i-7",
		Layers: []api.ConfigLayer{
			{Layer: "metadata", File: "/dev/sr0:meta-data", State: "used"},
			{Layer: "user-data", File: "/dev/sr0:user-data", State: "partly"},
			{Layer: "cloud-config", File: "/var/lib/pharos/conf/cloud-config.yml", State: "used"},
		},
		Probes: []api.ConfigProbe{
			{Name: "nocloud", Where: "/dev/sr0", State: "chosen", Seconds: 0.012},
			{Name: "digitalocean", State: "not found", Detail: "this machine is none of it"},
		},
	}, nil
}
