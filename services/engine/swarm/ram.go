package swarm

import "context"

// A machine whose dockerd loses its state at a reboot joins again as another
// node, and its old node stays in the swarm's list. That of a worker is only down.
// That of a manager counts as a vote which nobody casts any more: after a few
// reboots the managers have no majority.

// keepState is what the user does about it.
const keepState = "give the machine a state disk (a file system labelled PHAROS_STATE), or set rancher.docker.data_root to a directory that lasts"

// refuseInit says why a machine makes no swarm.
func refuseInit() []string {
	return reason("no swarm is made, because its state would be in RAM: the next boot would make another one, and the other machines would be in neither; " + keepState)
}

// inRAM makes a member a worker, and returns what the engine then says. Whether
// a token is a manager's is known only once it is used.
func (r *Reconciler) inRAM(ctx context.Context, i info, res *Result) info {
	if i.Swarm.ControlAvailable {
		why := ""
		if err := r.demote(ctx, i); err != nil {
			why = "; it cannot become a worker: " + said(err)
		}
		now, err := r.info(ctx)
		if err != nil || now.Swarm.ControlAvailable {
			res.Reasons = append(res.Reasons, reason("this machine is a manager, and its state is in RAM: a reboot takes it away from the other managers for good%s; "+keepState, why)...)
			return i
		}
		i, r.demoted = now, true
	}
	was := ""
	if r.demoted {
		was = " This one was a manager and is a worker now, because a manager would be lost at each boot: `ros engine swarm token worker` prints the token to use."
	}
	res.Notes = append(res.Notes, "swarm: the state of this machine is in RAM, so it joins as another node at each boot."+was+
		" On a manager, remove the old nodes with `docker node rm`, or "+keepState)
	return i
}
