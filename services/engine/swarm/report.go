package swarm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Report is how this machine stands in its swarm, and what managers know of
// the others.
type Report struct {
	State     string // inactive, pending, active, locked, error
	Role      string // manager or worker; empty when it is in no swarm
	NodeID    string
	Address   string   // by which the other machines know this one
	Managers  []string // addresses of the managers known here
	Leader    bool
	Autolock  *bool  // managers know it
	Error     string // Docker's
	Reachable int    // managers that answer
	Voters    int    // all managers
	Nodes     []Node // managers know them
}

// Node is one machine of the swarm.
type Node struct {
	ID           string
	Name         string
	Role         string
	State        string // ready, down, …
	Availability string
	Address      string
	Leader       bool
	Reachable    bool // a manager that answers
	Self         bool
	Labels       map[string]string
}

// Look asks the engine.
func (r *Reconciler) Look(ctx context.Context) (Report, error) {
	i, err := r.info(ctx)
	if err != nil {
		return Report{}, err
	}
	out := Report{State: i.state(), NodeID: i.Swarm.NodeID, Address: i.Swarm.NodeAddr, Managers: i.remotes(), Error: i.Swarm.Error}
	if out.State != stateActive {
		return out, nil
	}
	out.Role = "worker"
	if !i.Swarm.ControlAvailable {
		return out, nil
	}
	out.Role = "manager"
	all, err := r.nodes(ctx)
	if err != nil { // without a majority; the rest is worth showing
		out.Error = said(err)
		return out, nil
	}
	for _, n := range all {
		one := Node{
			ID: n.ID, Name: n.name(), Role: n.text("Role"), State: n.Status.State, Availability: n.text("Availability"),
			Address: n.Status.Addr, Reachable: n.reachable(), Self: n.ID == i.Swarm.NodeID, Labels: n.labels(),
		}
		if n.ManagerStatus != nil {
			one.Leader = n.ManagerStatus.Leader
			out.Voters++
			if one.Reachable {
				out.Reachable++
			}
			out.Leader = out.Leader || one.Leader && one.Self
		}
		out.Nodes = append(out.Nodes, one)
	}
	c, err := r.cluster(ctx)
	if err != nil {
		return out, err
	}
	lock := c.autolock()
	out.Autolock = &lock
	return out, nil
}

// Token returns the token with which a worker or a manager joins, after a new
// one has been made if rotate is set, and the address of this manager.
func (r *Reconciler) Token(ctx context.Context, role string, rotate bool) (token, remote string, err error) {
	c, err := r.cluster(ctx)
	if err == nil && rotate {
		flag := map[string]string{"worker": "rotateWorkerToken", "manager": "rotateManagerToken"}[role]
		if err = r.call(ctx, http.MethodPost, fmt.Sprintf("/swarm/update?version=%d&%s=1", c.Version.Index, flag), c.Spec, nil); err == nil {
			c, err = r.cluster(ctx)
		}
	}
	if err != nil {
		return "", "", errors.New(said(err))
	}
	i, err := r.info(ctx)
	if err != nil {
		return "", "", err
	}
	if role == "manager" {
		return c.JoinTokens.Manager, hostPort(i.Swarm.NodeAddr), nil
	}
	return c.JoinTokens.Worker, hostPort(i.Swarm.NodeAddr), nil
}

// UnlockKey returns the key that unlocks managers, "" when autolock is off.
func (r *Reconciler) UnlockKey(ctx context.Context) (string, error) {
	var answer struct{ UnlockKey string }
	if err := r.call(ctx, http.MethodGet, "/swarm/unlockkey", nil, &answer); err != nil {
		return "", errors.New(said(err))
	}
	return answer.UnlockKey, nil
}

// Unlock unlocks the keys of a manager.
func (r *Reconciler) Unlock(ctx context.Context, key string) error {
	if err := r.call(ctx, http.MethodPost, "/swarm/unlock", map[string]string{"UnlockKey": key}, nil); err != nil {
		return errors.New(said(err))
	}
	return nil
}
