package swarm

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// address compares the address that the other machines know with those that
// this one has. What is safe is done:
//
//   - dockerd finds the address of a machine that joined without one when it
//     starts: the engine restarts;
//   - a worker that was told an address leaves and joins with the new one;
//   - a manager that is the only one takes its swarm along to the new one.
//
// A manager among several is a member of a vote: its admin has to demote it.
func (r *Reconciler) address(ctx context.Context, m Machine, i info, s saved, res *Result) {
	used, err := netip.ParseAddr(i.Swarm.NodeAddr)
	if err != nil {
		return
	}
	now, moved := movedTo(m, used)
	if !moved && s.DataPathAddr != "" { // the same machine, another link
		if path, err := netip.ParseAddr(s.DataPathAddr); err == nil {
			data := m
			data.Want.AdvertiseAddr = m.Want.DataPathAddr
			if _, moved = movedTo(data, path); moved {
				used, now = path, used
			}
		}
	}
	if !moved {
		r.changed, r.restarted = time.Time{}, netip.Addr{}
		return
	}
	if r.since(&r.changed) < settle {
		res.Again = firstRetry
		return
	}
	what := fmt.Sprintf("the other machines know this one by %s, which it has no more", used)
	res.Again = firstRetry
	switch pinned := s.AdvertiseAddr != "" || s.DataPathAddr != ""; {
	case i.Swarm.ControlAvailable && i.Swarm.Managers == 1:
		request := initRequest{ListenAddr: listen, AdvertiseAddr: forced(m, now), DataPathAddr: m.Want.DataPathAddr, ForceNewCluster: true}
		if err := r.call(ctx, http.MethodPost, "/swarm/init", request, nil); err != nil {
			res.Reasons = append(res.Reasons, reason("%s; cannot take it to the new address: %s%s", what, said(err), addressHint(err))...)
			return
		}
		r.changed = time.Time{}
		res.Notes = append(res.Notes, fmt.Sprintf("swarm: this manager has moved from %s to %s; machines that joined through the old address find it by rancher.docker.swarm.join.remote", used, now))
	case i.Swarm.ControlAvailable:
		res.Reasons = append(res.Reasons, reason("%s. This machine is one of %d managers, so on another one: `docker node demote %s`; then here: `docker swarm leave`. "+
			"It joins anew by itself if rancher.docker.swarm.join is set; remove the old node with `docker node rm %s`", what, i.Swarm.Managers, i.Swarm.NodeID, i.Swarm.NodeID)...)
	case !pinned && r.restarted != now:
		r.restarted, r.changed = now, time.Time{}
		res.Restart = fmt.Sprintf("the machine's address has changed from %s to %s", used, now)
	case len(m.Want.Join.Remote) > 0:
		if err := r.call(ctx, http.MethodPost, "/swarm/leave", nil, nil); err != nil {
			res.Reasons = append(res.Reasons, reason("%s; cannot leave to join anew: %s", what, said(err))...)
			return
		}
		r.changed = time.Time{}
		res.Notes = append(res.Notes, fmt.Sprintf("swarm: this worker has moved from %s and joins anew; on a manager, remove its old node: `docker node rm %s`", used, i.Swarm.NodeID))
	default:
		res.Reasons = append(res.Reasons, reason("%s; set rancher.docker.swarm.join, or `docker swarm leave` and join by hand", what)...)
	}
}

// forced is the address for a swarm that moves: Docker chooses where the
// configuration leaves it to Docker.
func forced(m Machine, now netip.Addr) string {
	if m.Want.AdvertiseAddr == "" && now.IsValid() {
		return now.String()
	}
	return m.Want.AdvertiseAddr
}

// movedTo reports whether the machine is to be known by another address than
// the one in use, and by which. Without any address to take there is nothing
// to do yet: a cable may be pulled.
func movedTo(m Machine, used netip.Addr) (netip.Addr, bool) {
	want := m.Want.AdvertiseAddr
	if a, err := netip.ParseAddr(want); err == nil { // it may be that of a router in front
		return a, a != used
	}
	var have []netip.Addr
	for _, l := range m.Links {
		if slices.Contains(l.Addresses, used) && (want == "" || l.Name == want) {
			return used, false
		}
		if l.Name == want || want == "" && !enginesOwn(l.Name) {
			have = append(have, l.Addresses...)
		}
	}
	slices.SortStableFunc(have, func(a, b netip.Addr) int { // of the family in use, then IPv4, as Docker chooses
		return rank(a, used) - rank(b, used)
	})
	if len(have) == 0 {
		return netip.Addr{}, false
	}
	return have[0], true
}

func rank(a, used netip.Addr) int {
	switch {
	case a.Is4() == used.Is4():
		return 0
	case a.Is4():
		return 1
	}
	return 2
}

// enginesOwn tells the links that Docker makes on a machine.
func enginesOwn(name string) bool {
	return name == "lo" || strings.HasPrefix(name, "docker") || strings.HasPrefix(name, "br-") || strings.HasPrefix(name, "veth")
}
