package swarm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Costs lists what is lost when the machine leaves its swarm. The list is empty
// when it is in no swarm.
func (r *Reconciler) Costs(ctx context.Context) []string {
	i, err := r.info(ctx)
	if err != nil {
		return []string{fmt.Sprintf("the machine leaves its swarm, and the engine cannot say what is lost with it: %s", said(err))}
	}
	switch {
	case i.state() == stateInactive:
		return nil
	case r.saved().JoinInProgress:
		return []string{"the machine is joining a swarm and gives that up"}
	case i.state() == stateLocked:
		return []string{"the machine leaves a swarm whose keys are locked here: if it is its last manager, the swarm ends with all its services, networks, configs and secrets"}
	case i.state() != stateActive:
		return []string{"the machine leaves a swarm, which does not run on it now: if it is a manager, the others may lose their majority"}
	case !i.Swarm.ControlAvailable:
		return []string{"the machine leaves its swarm, where it is a worker: the swarm's containers here end, and managers start them on other machines where possible"}
	}
	all, err := r.nodes(ctx)
	if err != nil {
		return []string{"the machine is a manager of a swarm whose managers have no majority, and leaving takes another manager away: " + said(err)}
	}
	managers, left := 0, 0
	for _, n := range all {
		if n.ManagerStatus == nil {
			continue
		}
		managers++
		if n.ID != i.Swarm.NodeID && n.reachable() {
			left++
		}
	}
	switch {
	case managers == 1 && len(all) == 1:
		return []string{"the machine is the only one of its swarm: the swarm ends with all its services, networks, configs and secrets"}
	case managers == 1:
		return []string{fmt.Sprintf("the machine is the last manager of its swarm: the swarm of %d machines ends with all its services, networks, configs and secrets", len(all))}
	case left < (managers-1)/2+1:
		return []string{fmt.Sprintf("the machine is a manager, and of the %d others only %d answer: without it they have no majority, and nothing in the swarm can be changed", managers-1, left)}
	}
	return []string{fmt.Sprintf("the machine is a manager: it becomes a worker, then leaves; %s, and the swarm survives the loss of %d more",
		plural(managers-1, "manager is left", "managers are left"), (managers-2)/2)}
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// Leave copies the state of the swarm below backups, takes the machine out of
// its swarm, and returns the copy's path, "" when the machine is in no swarm.
func (r *Reconciler) Leave(ctx context.Context, backups string) (string, error) {
	i, err := r.info(ctx)
	if err != nil {
		return "", fmt.Errorf("leave the swarm: %w", err)
	}
	if i.state() == stateInactive {
		return "", nil
	}
	place := filepath.Join(backups, r.Now().UTC().Format("2006-01-02T15-04-05Z"))
	if err := r.backUp(place); err != nil {
		return "", fmt.Errorf("leave the swarm: copy of %s to %s: %w", r.Dir, place, err)
	}
	if i.Swarm.ControlAvailable {
		if err := r.demote(ctx, i); err != nil {
			return place, fmt.Errorf("leave the swarm: cannot demote this manager first: %s; it stays in the swarm, and its state is copied to %s", said(err), place)
		}
	}
	// Docker requires force when a manager leaves.
	if err := r.call(ctx, http.MethodPost, "/swarm/leave?force=1", nil, nil); err != nil {
		return place, fmt.Errorf("leave the swarm: %s; its state is copied to %s", said(err), place)
	}
	return place, nil
}

// demote makes one of several managers a worker, so that the others do not
// count it any more, and waits until it is one. It does nothing without a
// majority of managers, who would have to agree.
func (r *Reconciler) demote(ctx context.Context, i info) error {
	all, err := r.majority(ctx)
	if err != nil {
		return nil
	}
	others := 0
	var self node
	for _, n := range all {
		switch {
		case n.ID == i.Swarm.NodeID:
			self = n
		case n.reachable():
			others++
		}
	}
	if others == 0 || self.ID == "" {
		return nil
	}
	self.Spec["Role"] = []byte(`"worker"`)
	if err := r.call(ctx, http.MethodPost, updatePath(self), self.Spec, nil); err != nil {
		return err
	}
	return poll(ctx, demoteTime, func() error {
		if i, err := r.info(ctx); err != nil || i.Swarm.ControlAvailable {
			return errors.New("it is still a manager")
		}
		return nil
	})
}

// majority lists the nodes; it gives managers the time of an election.
func (r *Reconciler) majority(ctx context.Context) (all []node, err error) {
	err = poll(ctx, electionTime, func() error {
		all, err = r.nodes(ctx)
		return err
	})
	return all, err
}

// poll tries until do succeeds, for so long at most, and returns its last
// error. Docker has no event for what it is used for.
func poll(ctx context.Context, most time.Duration, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		err := do()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// maxCopy bounds the copy of a swarm's state, in bytes. That of a large swarm
// has some hundred megabytes.
const maxCopy = 4 << 30

// backUp copies the state of the swarm. dockerd goes on writing meanwhile: the
// end of a file that it appends to is missing, which it repairs as after a
// power cut; a file that it replaces makes the copy begin anew.
func (r *Reconciler) backUp(to string) error {
	const rounds = 5
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	var err error
	for range rounds {
		if err = os.RemoveAll(to); err != nil {
			return err
		}
		if err = r.Dir.Copy(to, maxCopy); err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return errors.Join(err, os.RemoveAll(to))
}
