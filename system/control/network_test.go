package control_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

func (m *fakeManager) Network() api.Network {
	return api.Network{Online: true, Links: []api.NetworkLink{{Name: "eth0"}}}
}

func (m *fakeManager) NetworkPlan(text string) (api.NetworkPlan, error) {
	m.ask("plan %q", text)
	if text == "BAD" {
		return api.NetworkPlan{}, fmt.Errorf("input:1:1: want a mapping: %w", errdefs.ErrInvalidArgument)
	}
	return api.NetworkPlan{Changes: []api.NetworkChange{{Link: "eth0", Text: "link set eth0 up"}}}, nil
}

func (m *fakeManager) NetworkApply(_ context.Context, who string) (api.NetworkApplied, error) {
	m.ask("%s: network", who)
	return api.NetworkApplied{Online: true}, nil
}

func (m *fakeManager) NetworkRenew(_ context.Context, link string) (api.NetworkLink, error) {
	m.ask("renew %s", link)
	if link != "eth0.100" {
		return api.NetworkLink{}, fmt.Errorf("there is no link %q: %w", link, errdefs.ErrNotFound)
	}
	return api.NetworkLink{Name: link, Leases: []api.NetworkLease{{Family: "dhcp", State: "bound"}}}, nil
}

func TestNetwork(t *testing.T) {
	m := newFakeManager()
	socket := serve(t, m)
	c := client.New(socket)
	n, err := c.Network(t.Context())
	if err != nil || !n.Online || len(n.Links) != 1 || n.Links[0].Name != "eth0" {
		t.Errorf("%+v, %v", n, err)
	}
	p, err := c.NetworkPlan(t.Context(), "hostname: lake\n")
	want := api.NetworkPlan{Keys: []api.ConfigChange{}, Changes: []api.NetworkChange{{Link: "eth0", Text: "link set eth0 up"}}, Problems: []string{}}
	if diff := cmp.Diff(want, p); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := c.NetworkPlan(t.Context(), "BAD"); err == nil || err.Error() != "input:1:1: want a mapping" {
		t.Error(err)
	}
	out, err := c.NetworkApply(t.Context())
	if err != nil || !out.Online || len(out.Changes) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	l, err := c.NetworkRenew(t.Context(), "eth0.100")
	if err != nil || len(l.Leases) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := c.NetworkRenew(t.Context(), "a/b"); err == nil || err.Error() != `there is no link "a/b"` {
		t.Error(err)
	}
	// Lists are never null.
	for _, q := range [][3]string{
		{"GET", api.PathNetwork}, {"POST", api.PathNetworkPlan, "{}"}, {"POST", api.PathNetworkApply}, {"POST", api.PathNetworkLinks + "/eth0.100/renew"},
	} {
		if code, text := raw(t, socket, q[0], q[1], q[2]); code != 200 || strings.Contains(text, "null") {
			t.Errorf("%s %s: %d %s", q[0], q[1], code, text)
		}
	}
	if code, text := raw(t, socket, "POST", api.PathNetworkPlan, `{"txt":"x"}`); code != 400 || !strings.Contains(text, "unknown field") {
		t.Errorf("%d %s", code, text)
	}
}
