package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
)

// node is a node as managers know it; github.com/moby/moby/api, types/swarm.
// Its specification stays as it came but for what is changed.
type node struct {
	ID          string
	Version     struct{ Index uint64 }
	Spec        map[string]json.RawMessage
	Description struct{ Hostname string }
	Status      struct {
		State, Addr string
	}
	ManagerStatus *struct {
		Leader       bool
		Reachability string
		Addr         string
	}
}

func (n node) text(key string) string {
	var s string
	if json.Unmarshal(n.Spec[key], &s) != nil {
		return ""
	}
	return s
}

func (n node) labels() map[string]string {
	var m map[string]string
	if json.Unmarshal(n.Spec["Labels"], &m) != nil || m == nil {
		m = map[string]string{}
	}
	return m
}

func (n node) reachable() bool {
	return n.ManagerStatus != nil && n.ManagerStatus.Reachability == "reachable"
}

// name is the host name, or the ID of a node that has not told its name.
func (n node) name() string {
	if n.Description.Hostname == "" {
		return n.ID
	}
	return n.Description.Hostname
}

// nodes asks a manager for all nodes.
func (r *Reconciler) nodes(ctx context.Context) ([]node, error) {
	var all []node
	err := r.call(ctx, http.MethodGet, "/nodes", nil, &all)
	slices.SortFunc(all, func(a, b node) int { return strings.Compare(a.name()+a.ID, b.name()+b.ID) })
	return all, err
}

// manager keeps this machine's node as configured, and says what is wrong
// with the others.
func (r *Reconciler) manager(ctx context.Context, want osconfig.Swarm, i info, res *Result) {
	all, err := r.nodes(ctx)
	if err != nil {
		res.Again = firstRetry
		if noLeader(err) {
			res.Reasons = append(res.Reasons, r.noMajority(i)...)
			return
		}
		res.Reasons = append(res.Reasons, reason("cannot list its nodes: %s", said(err))...)
		return
	}
	at := slices.IndexFunc(all, func(n node) bool { return n.ID == i.Swarm.NodeID })
	if at < 0 {
		return // it is being removed
	}
	self := all[at]
	if err := r.keepNode(ctx, want, self); err != nil {
		res.Again = firstRetry
		res.Reasons = append(res.Reasons, reason("cannot set availability and labels of this machine's node: %s", said(err))...)
	}
	if want.Autolock != nil && self.ManagerStatus != nil && self.ManagerStatus.Leader {
		if err := r.keepAutolock(ctx, *want.Autolock); err != nil {
			res.Again = firstRetry
			res.Reasons = append(res.Reasons, reason("cannot set autolock: %s", said(err))...)
		}
	}
	res.Notes = append(res.Notes, others(all, i.Swarm.NodeID)...)
}

// noLeader reports whether an error is the answer of managers without a majority.
func noLeader(err error) bool {
	return dockerapi.IsStatus(err, http.StatusServiceUnavailable) || strings.Contains(err.Error(), "does not have a leader") ||
		strings.Contains(err.Error(), "context deadline exceeded")
}

func (r *Reconciler) noMajority(i info) []string {
	return reason("its managers have no majority, so nothing in the swarm can be changed; tasks continue to run. Managers known here: %s. "+
		"Start the others again; if they are lost for good, run on one that is left: "+forceNew, strings.Join(i.remotes(), ", "))
}

// others says which other nodes are away.
func others(all []node, self string) []string {
	var notes []string
	managers, reachable := 0, 0
	for _, n := range all {
		if n.ManagerStatus != nil {
			managers++
			if n.reachable() {
				reachable++
			}
		}
	}
	for _, n := range all {
		switch {
		case n.ID == self:
		case n.ManagerStatus != nil && !n.reachable():
			notes = append(notes, fmt.Sprintf("swarm: manager %s (%s) does not answer: %d of %d managers answer, and %d are needed. If it is lost for good: `docker node demote %s` and `docker node rm %s`",
				n.name(), n.ManagerStatus.Addr, reachable, managers, managers/2+1, n.ID, n.ID))
		case n.ManagerStatus == nil && n.Status.State == "down":
			notes = append(notes, fmt.Sprintf("swarm: node %s (%s) is down; managers start its tasks on other machines where possible. If it is lost for good: `docker node rm %s`",
				n.name(), n.Status.Addr, n.ID))
		}
	}
	return notes
}

// keepNode sets availability and labels where they differ. A label that the
// configuration has set and does not name any more goes, unless somebody has
// given it another value. Labels of others stay.
func (r *Reconciler) keepNode(ctx context.Context, want osconfig.Swarm, n node) error {
	changed := false
	set := func(key string, value any) error {
		text, err := json.Marshal(value)
		n.Spec[key], changed = text, true
		return err
	}
	if want.Availability != "" && n.text("Availability") != want.Availability {
		if err := set("Availability", want.Availability); err != nil {
			return err
		}
	}
	labels, differ := n.labels(), false
	for key, value := range r.memory.Labels {
		if _, wanted := want.Labels[key]; !wanted && labels[key] == value {
			delete(labels, key)
			differ = true
		}
	}
	for key, value := range want.Labels {
		if has, ok := labels[key]; !ok || has != value {
			labels[key], differ = value, true
		}
	}
	if differ {
		if err := set("Labels", labels); err != nil {
			return err
		}
	}
	if changed {
		if err := r.call(ctx, http.MethodPost, updatePath(n), n.Spec, nil); err != nil {
			return err
		}
	}
	r.memory.Labels = maps.Clone(want.Labels)
	return nil
}

func updatePath(n node) string {
	return fmt.Sprintf("/nodes/%s/update?version=%d", url.PathEscape(n.ID), n.Version.Index)
}

// cluster is the answer of GET /swarm.
type cluster struct {
	Version    struct{ Index uint64 }
	Spec       map[string]json.RawMessage
	JoinTokens struct{ Worker, Manager string }
}

func (c cluster) autolock() bool {
	var e encryption
	return json.Unmarshal(c.Spec["EncryptionConfig"], &e) == nil && e.AutoLockManagers
}

func (r *Reconciler) cluster(ctx context.Context) (cluster, error) {
	var c cluster
	return c, r.call(ctx, http.MethodGet, "/swarm", nil, &c)
}

func (r *Reconciler) keepAutolock(ctx context.Context, want bool) error {
	c, err := r.cluster(ctx)
	if err != nil || c.autolock() == want {
		return err
	}
	text, err := json.Marshal(encryption{want})
	if err != nil {
		return err
	}
	c.Spec["EncryptionConfig"] = text
	return r.call(ctx, http.MethodPost, fmt.Sprintf("/swarm/update?version=%d", c.Version.Index), c.Spec, nil)
}

// worker says when no manager can be reached, and joins again where managers of
// the same swarm have moved to an address that the configuration knows.
func (r *Reconciler) worker(ctx context.Context, want osconfig.Swarm, i info, res *Result) {
	known := i.remotes()
	if r.Connected(known) || slices.ContainsFunc(known, func(remote string) bool { return r.Dial(ctx, remote) == nil }) {
		r.lost = time.Time{}
		return
	}
	if len(known) == 0 || r.since(&r.lost) < settle {
		res.Again = firstRetry
		return
	}
	res.Again = firstRetry
	res.Reasons = append(res.Reasons, reason("none of its managers answers at %s; tasks here continue to run, but do not change until one answers", strings.Join(known, ", "))...)
	if r.since(&r.lost) < lostAfter || want.Init {
		return
	}
	at, err := r.back(ctx, want, func(remote string) bool { return slices.Contains(known, remote) })
	if errors.Is(err, errNoManager) {
		return
	}
	if err != nil {
		res.Again = steady
		res.Reasons = append(res.Reasons, reason("this machine does not leave to join again: %v", err)...)
		return
	}
	remote := hostPort(want.Join.Remote[at])
	if err := r.call(ctx, http.MethodPost, "/swarm/leave", nil, nil); err != nil {
		res.Reasons = append(res.Reasons, reason("cannot leave to join again through %s: %s", remote, said(err))...)
		return
	}
	res.Notes = append(res.Notes, fmt.Sprintf("swarm: its managers have moved; this machine joins again through %s", remote))
	r.lost, r.remote, res.Again = time.Time{}, at, firstRetry
}
