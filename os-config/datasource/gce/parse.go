package gce

import (
	"encoding/json"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/metadata"
)

type instance struct {
	ID         metadata.Text `json:"id"`
	Hostname   metadata.Text `json:"hostname"`
	Name       metadata.Text `json:"name"`
	Attributes attributes    `json:"attributes"`
	Links      []link        `json:"networkInterfaces"`
}

type attributes struct {
	UserData      *string       `json:"user-data"`
	Encoding      metadata.Text `json:"user-data-encoding"`
	StartupScript *string       `json:"startup-script"`
	Keys          string        `json:"ssh-keys"`
	OldKeys       string        `json:"sshKeys"`
	BlockProject  metadata.Text `json:"block-project-ssh-keys"`
}

type link struct {
	MAC       metadata.Text  `json:"mac"`
	IP        metadata.Text  `json:"ip"`
	MTU       metadata.Text  `json:"mtu"`
	Forwarded metadata.Lines `json:"forwardedIps"`
	IPv6      metadata.Lines `json:"ipv6s"`
	Access    []struct {
		External metadata.Text `json:"externalIp"`
	} `json:"accessConfigs"`
}

// Parse reads the instance's metadata and the project's attributes, which may
// be empty. Keys that have expired by now are left out. Links take leases and
// have their MTU; addresses that are forwarded to them are theirs.
func Parse(where string, own, project []byte, now time.Time) (datasource.Result, error) {
	var m instance
	if err := metadata.JSON(where, own, &m); err != nil {
		return datasource.Result{}, err
	}
	var shared attributes
	if len(project) > 0 {
		if err := metadata.JSON(strings.Replace(where, "/instance/", "/project/attributes/", 1), project, &shared); err != nil {
			return datasource.Result{}, err
		}
	}
	out := datasource.Result{Where: where, InstanceID: string(m.ID), Hostname: metadata.Hostname(string(m.Hostname))}
	if out.Hostname == "" {
		out.Hostname = metadata.Hostname(string(m.Name))
	}
	lines := m.Attributes.OldKeys + "\n" + m.Attributes.Keys
	if m.Attributes.OldKeys == "" && !m.Attributes.BlockProject.Bool() {
		lines += "\n" + shared.OldKeys + "\n" + shared.Keys
	}
	out.Keys = keys(lines, now)
	n := metadata.NewNetwork(where)
	m.Attributes.userData(where, n, &out)
	m.network(n, &out)
	node, report := n.Section()
	out.Network, out.Report = node, append(out.Report, report...)
	return out, nil
}

func (a attributes) userData(where string, n *metadata.Network, out *datasource.Result) {
	name, value := "user-data", a.UserData
	if value == nil || *value == "" {
		name, value = "startup-script", a.StartupScript
	} else if a.StartupScript != nil && *a.StartupScript != "" {
		n.Warn("startup-script is not run: there is user-data")
	}
	if value == nil {
		return
	}
	out.UserData, out.UserDataFile = []byte(*value), where+"attributes/"+name
	if name == "user-data" && a.Encoding == "base64" {
		data, err := metadata.Base64(*value)
		if err != nil {
			out.Report = append(out.Report, osconfig.Problem{
				Severity: osconfig.Error, Kind: osconfig.Source, Layer: "user-data", File: out.UserDataFile,
				Text: "user-data-encoding says base64, but user-data is none",
			})
		}
		out.UserData = data
	}
}

func (m instance) network(n *metadata.Network, out *datasource.Result) {
	for i, d := range m.Links {
		if i == 0 {
			out.Addresses.PrivateIPv4 = metadata.Address(string(d.IP))
			if len(d.Access) > 0 {
				out.Addresses.PublicIPv4 = metadata.Address(string(d.Access[0].External))
			}
			if len(d.IPv6) > 0 {
				out.Addresses.PublicIPv6 = metadata.Address(d.IPv6[0])
			}
		}
		l := n.ByMAC(string(d.MAC))
		l.UseDHCP()
		if len(d.IPv6) > 0 {
			l.UseDHCP6()
		}
		l.Size(string(d.MTU))
		for _, a := range d.Forwarded {
			l.Add(a, "")
		}
	}
}

// keys reads lines "user:key". All of them are the machine's: it has one user
// that people log in as.
func keys(text string, now time.Time) []string {
	var out []string
	for _, line := range metadata.SplitLines(text) {
		user, key, ok := strings.Cut(line, ":")
		if !ok || strings.Contains(user, " ") {
			key = line // without a user
		}
		if !expired(key, now) {
			out = append(out, key)
		}
	}
	return metadata.Keys(out...)
}

// expired looks at the comment `google-ssh {"userName":…,"expireOn":…}`.
func expired(key string, now time.Time) bool {
	_, comment, ok := strings.Cut(key, " google-ssh ")
	if !ok {
		return false
	}
	var c struct {
		ExpireOn string `json:"expireOn"`
	}
	if json.Unmarshal([]byte(comment), &c) != nil || c.ExpireOn == "" {
		return false
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700"} {
		if end, err := time.Parse(layout, c.ExpireOn); err == nil {
			return !now.Before(end)
		}
	}
	return true // an end that nobody can read is no licence
}
