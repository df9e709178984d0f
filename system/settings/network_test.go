package settings

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/os-config/load"
)

const userFile = "cloud-config.yml"

// texts are the changes' first words.
func (m *machine) networkDiff(text string) (changes, problems []string) {
	m.t.Helper()
	_, d, err := m.NetworkDiff(text)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, c := range d.Changes {
		changes = append(changes, c.Key)
	}
	return changes, d.Problems
}

// Only the network of the files is applied; the rest stays as it runs, and is
// told by a diff of everything.
func TestApplyNetwork(t *testing.T) {
	m := newMachine(t, map[string]string{userFile: "hostname: lake\nrancher:\n  debug: true\n"})
	if changes, problems := m.networkDiff(""); len(changes)+len(problems) > 0 {
		t.Errorf("%q, %q", changes, problems)
	}
	m.put(userFile, "hostname: sea\nrancher:\n  network:\n    dhcp_timeout: 7\n")
	if changes, _ := m.networkDiff(""); !cmp.Equal(changes, []string{"rancher.network.dhcp_timeout"}) {
		t.Errorf("%q", changes)
	}
	d, err := m.ApplyNetwork(t.Context(), "ann")
	if err != nil || len(d.Changes) != 1 || len(d.Problems) > 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	c := m.running.Config
	if c.Hostname != "lake" || !c.Rancher.Debug || c.Rancher.Network.DHCPTimeout != 7 {
		t.Errorf("it runs %q, debug %v, %d s", c.Hostname, c.Rancher.Debug, c.Rancher.Network.DHCPTimeout)
	}
	for key, want := range map[string]string{"hostname": "lake", "rancher.debug": "true", "rancher.network.dhcp_timeout": "7"} {
		if got, err := m.Get(key, true, false); got != want || err != nil {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	if changes, _ := m.networkDiff(""); len(changes) > 0 {
		t.Errorf("after it: %q", changes)
	}
	all, err := m.Diff()
	if err != nil || len(all.Changes) != 2 { // hostname, debug
		t.Errorf("%+v, %v", all, err)
	}
	// What is gone from the files goes.
	m.put(userFile, "hostname: sea\n")
	if _, err := m.ApplyNetwork(t.Context(), "ann"); err != nil || m.running.Config.Rancher.Network.DHCPTimeout != 0 {
		t.Errorf("%+v, %v", m.running.Config.Rancher.Network, err)
	}
	if _, err := m.Get("rancher.network.dhcp_timeout", false, false); !errdefs.IsNotFound(err) {
		t.Error(err)
	}
}

// A text is merged into the user's file for the diff alone.
func TestNetworkDiffOfAText(t *testing.T) {
	m := newMachine(t, map[string]string{userFile: "rancher:\n  network:\n    dhcp_timeout: 7\n"})
	changes, problems := m.networkDiff("hostname: sea\nrancher: {network: {dns: {search: [example.org]}}}\n")
	if !cmp.Equal(changes, []string{"rancher.network.dns"}) || len(problems) > 0 {
		t.Errorf("%q, %q", changes, problems)
	}
	after, _, err := m.NetworkDiff("rancher: {network: {http_proxy: http://192.0.2.1:3128}}")
	if err != nil || after.Rancher.Network.HTTPProxy == "" || after.Rancher.Network.DHCPTimeout != 7 {
		t.Errorf("%+v, %v", after.Rancher.Network, err)
	}
	if m.user() != "rancher:\n  network:\n    dhcp_timeout: 7\n" || m.running.Config.Rancher.Network.HTTPProxy != "" {
		t.Errorf("it has been written: %q", m.user())
	}
	_, problems = m.networkDiff("rancher: {network: {dhcp_timeout: soon}}")
	if len(problems) != 1 || !strings.Contains(problems[0], "rancher.network.dhcp_timeout") {
		t.Errorf("%q", problems)
	}
	if _, _, err := m.NetworkDiff("a: ["); !errdefs.IsInvalidArgument(err) {
		t.Error(err)
	}
}

// A new error, and a trial, keep the network as it is.
func TestApplyNetworkRefused(t *testing.T) {
	m := newMachine(t, map[string]string{userFile: "hostname: lake\n"})
	m.put(userFile, "hostname: lake\nrancher: {network: {dhcp_timeout: soon, dns: {search: [example.org]}}}\n")
	if _, err := m.ApplyNetwork(t.Context(), "ann"); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "dhcp_timeout") {
		t.Error(err)
	}
	m.put(userFile, "hostname: sea\n")
	if _, err := m.Apply(t.Context(), shortestTrial, false, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ApplyNetwork(t.Context(), "ann"); !errdefs.IsFailedPrecondition(err) || !strings.Contains(err.Error(), "on trial") {
		t.Error(err)
	}
	if _, err := m.Rollback(0, "ann"); err != nil {
		t.Fatal(err)
	}
	if len(m.running.Config.Rancher.Network.DNS.Search) > 0 {
		t.Error("the network has changed")
	}
}

// A trial after ApplyNetwork goes back to the files as they were then: its
// network counts, and what else they say is still to be applied.
func TestTrialAfterApplyNetwork(t *testing.T) {
	m := newMachine(t, map[string]string{userFile: "hostname: lake\n"})
	const then = "hostname: sea\nrancher:\n  network:\n    dhcp_timeout: 7\n"
	m.put(userFile, then)
	if _, err := m.ApplyNetwork(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	m.set("rancher.network.dhcp_timeout", "9")
	if _, err := m.Apply(t.Context(), shortestTrial, false, "ann"); err != nil || m.running.Config.Hostname != "sea" {
		t.Fatal(err)
	}
	m.Settings.mu.Lock()
	trial := m.trial
	m.Settings.mu.Unlock()
	if _, err := m.Rollback(0, "ann"); err != nil {
		t.Fatal(err)
	}
	<-trial.over
	if c := m.running.Config; m.user() != then || c.Hostname != "lake" || c.Rancher.Network.DHCPTimeout != 7 {
		t.Errorf("%q; %q, %d", m.user(), c.Hostname, c.Rancher.Network.DHCPTimeout)
	}
}

func TestNetworkBeforeTheFirstLoad(t *testing.T) {
	s := New(Options{Running: func() load.Result { return load.Result{} }})
	if _, _, err := s.NetworkDiff(""); !errdefs.IsUnavailable(err) {
		t.Error(err)
	}
}
