package control

import (
	"net/http"
	"slices"

	"github.com/pharos-os/pharos/system/control/api"
)

func (h *handler) network(http.ResponseWriter, *http.Request) (any, error) {
	n := h.backend.Network()
	n.Waiting, n.Problems = list(n.Waiting), list(n.Problems)
	n.Nameservers, n.Search, n.NTP = list(n.Nameservers), list(n.Search), list(n.NTP)
	n.Routes, n.Rules = list(n.Routes), list(n.Rules)
	n.Links = slices.Clone(list(n.Links))
	for i, l := range n.Links {
		n.Links[i] = filled(l)
	}
	return n, nil
}

// filled is the link without null for a list.
func filled(l api.NetworkLink) api.NetworkLink {
	l.Waiting, l.Addresses, l.Leases = list(l.Waiting), list(l.Addresses), list(l.Leases)
	return l
}

func (h *handler) networkPlan(_ http.ResponseWriter, r *http.Request) (any, error) {
	var q api.NetworkQuestion
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	p, err := h.backend.NetworkPlan(q.Text)
	return complete(p), err
}

// complete is the plan without null for a list.
func complete(p api.NetworkPlan) api.NetworkPlan {
	p.Keys, p.Changes, p.Problems = list(p.Keys), list(p.Changes), list(p.Problems)
	return p
}

func (h *handler) networkApply(_ http.ResponseWriter, r *http.Request) (any, error) {
	h.log.Info("network to be applied", "uid", peerFrom(r.Context()).UID)
	out, err := h.backend.NetworkApply(r.Context(), who(r))
	out.NetworkPlan, out.Waiting = complete(out.NetworkPlan), list(out.Waiting)
	return out, err
}

func (h *handler) networkRenew(_ http.ResponseWriter, r *http.Request) (any, error) {
	name := r.PathValue("name")
	h.log.Info("leases to be renewed", "link", name, "uid", peerFrom(r.Context()).UID)
	l, err := h.backend.NetworkRenew(r.Context(), name)
	return filled(l), err
}
