package swarm

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// address compares the address that the other machines know with those that
// this one has. What is safe is done:
//
//   - a machine that joined without an address restarts its engine: dockerd
//     finds the address when it starts;
//   - a worker with a configured address leaves and joins with the new one, if a
//     manager of its swarm answers;
//   - the only manager of a swarm moves the swarm to the new address.
//
// follow decides which address is the new one. One of several managers has a
// vote: only its admin can demote it.
func (r *Reconciler) address(ctx context.Context, m Machine, i info, s saved, res *Result) {
	used, err := netip.ParseAddr(i.Swarm.NodeAddr)
	if err != nil {
		return
	}
	at, err := r.follow(m, m.Want.AdvertiseAddr, used)
	to := at.to
	if err == nil && at.stays && s.DataPathAddr != "" { // the same machine, another link
		if path, errPath := netip.ParseAddr(s.DataPathAddr); errPath == nil {
			if at, err = r.follow(m, m.Want.DataPathAddr, path); !at.stays {
				used, to = path, used
			}
		}
	}
	if err != nil || at.stays {
		if err != nil {
			res.Reasons = append(res.Reasons, reason("cannot look for the machine's addresses: %v", err)...)
		}
		r.changed, r.restarted = time.Time{}, netip.Addr{}
		return
	}
	if !at.to.IsValid() && at.advice == "" {
		return
	}
	if r.since(&r.changed) < settle {
		res.Again = firstRetry
		return
	}
	what := fmt.Sprintf("the other machines know this one by %s, which it does not have any more", used)
	res.Again = firstRetry
	if !at.to.IsValid() {
		res.Reasons = append(res.Reasons, reason("%s; %s", what, at.advice)...)
		return
	}
	switch pinned := s.AdvertiseAddr != "" || s.DataPathAddr != ""; {
	case i.Swarm.ControlAvailable && i.Swarm.Managers == 1:
		request := initRequest{ListenAddr: listen, AdvertiseAddr: forced(m, to), DataPathAddr: m.Want.DataPathAddr, ForceNewCluster: true}
		if err := r.call(ctx, http.MethodPost, "/swarm/init", request, nil); err != nil {
			res.Reasons = append(res.Reasons, reason("%s; cannot move the swarm to the new address: %s%s", what, said(err), addressHint(err))...)
			return
		}
		r.changed = time.Time{}
		res.Notes = append(res.Notes, fmt.Sprintf("swarm: this manager has moved from %s to %s; machines that joined through the old address find it by rancher.docker.swarm.join.remote", used, to))
	case i.Swarm.ControlAvailable:
		res.Reasons = append(res.Reasons, reason("%s. This machine is one of %d managers, so run `docker node demote %s` on another one, then `docker swarm leave` here. "+
			"The machine joins again by itself if rancher.docker.swarm.join is set; remove the old node with `docker node rm %s`", what, i.Swarm.Managers, i.Swarm.NodeID, i.Swarm.NodeID)...)
	case !pinned && r.restarted != to:
		r.restarted, r.changed = to, time.Time{}
		res.Restart = fmt.Sprintf("the machine's address has changed from %s to %s", used, to)
	case len(m.Want.Join.Remote) > 0:
		at, err := r.back(ctx, m.Want, func(string) bool { return false })
		if err != nil {
			res.Again = steady
			res.Reasons = append(res.Reasons, reason("%s; the machine does not leave to join again: %v", what, err)...)
			return
		}
		if err := r.call(ctx, http.MethodPost, "/swarm/leave", nil, nil); err != nil {
			res.Reasons = append(res.Reasons, reason("%s; cannot leave to join again: %s", what, said(err))...)
			return
		}
		r.changed, r.remote = time.Time{}, at
		res.Notes = append(res.Notes, fmt.Sprintf("swarm: this worker has moved from %s and joins again; on a manager, remove its old node: `docker node rm %s`", used, i.Swarm.NodeID))
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

// standing is what has become of an address in use.
type standing struct {
	stays  bool
	to     netip.Addr // the address to take instead; invalid: none
	advice string     // why no other address is taken, and what to do
}

// follow looks for an address in use. want is what the configuration says: an
// address, a link or nothing. Without it only an address of the link that had
// the one in use is taken, of the same family: any other may lead where the
// other machines are not, and a swarm that moves there is lost to them. An
// address that no link of the machine ever had is that of a router in front.
func (r *Reconciler) follow(m Machine, want string, used netip.Addr) (standing, error) {
	if a, err := netip.ParseAddr(want); err == nil {
		return standing{stays: a == used, to: a}, nil
	}
	link := want
	if want == "" {
		name, err := r.Whose(used)
		if err != nil {
			return standing{}, fmt.Errorf("look for the address %s: %w", used, err)
		}
		if name != "" {
			return standing{stays: true}, nil
		}
		link = r.memory.Links[used.String()]
	}
	var addresses []netip.Addr
	if at := slices.IndexFunc(m.Links, func(l Link) bool { return l.Name == link }); at >= 0 {
		addresses = m.Links[at].Addresses
	}
	if slices.Contains(addresses, used) {
		return standing{stays: true}, nil
	}
	if at := slices.IndexFunc(addresses, func(a netip.Addr) bool { return a.Is4() == used.Is4() }); at >= 0 {
		return standing{to: addresses[at]}, nil
	}
	if !slices.ContainsFunc(m.Links, func(l Link) bool { return l.Own && len(l.Addresses) > 0 }) {
		return standing{}, nil // the network says what is wrong
	}
	why := "no link of this machine has had it"
	if link != "" {
		why = fmt.Sprintf("the link %s has no other address of its kind", link)
	}
	return standing{advice: why + "; see ros network status, and set rancher.docker.swarm.advertise_addr to the address or link at which the other machines reach this one"}, nil
}
