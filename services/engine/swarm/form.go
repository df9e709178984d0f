package swarm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// listen is Docker's default.
const listen = "0.0.0.0:" + port

type encryption struct {
	AutoLockManagers bool
}

type spec struct {
	EncryptionConfig encryption
}

// initRequest and joinRequest are those of github.com/moby/moby/api,
// types/swarm.
type initRequest struct {
	ListenAddr, AdvertiseAddr, DataPathAddr string
	ForceNewCluster                         bool
	AutoLockManagers                        bool
	Availability                            string `json:",omitempty"`
	Spec                                    spec
}

type joinRequest struct {
	ListenAddr, AdvertiseAddr, DataPathAddr string
	RemoteAddrs                             []string
	JoinToken                               string
	Availability                            string `json:",omitempty"`
}

// form makes or joins the swarm of a machine that is in none.
func (r *Reconciler) form(ctx context.Context, want osconfig.Swarm) Result {
	var wrong []string
	if want.Init {
		wrong = r.init(ctx, want)
	} else {
		wrong = r.join(ctx, want)
	}
	if len(wrong) > 0 {
		return Result{Reasons: wrong, Again: r.retry()}
	}
	r.retries, r.remote = 0, 0
	return Result{Again: time.Second} // then it is a member, which has more to configure
}

func (r *Reconciler) init(ctx context.Context, want osconfig.Swarm) []string {
	lock := want.Autolock != nil && *want.Autolock
	request := initRequest{
		ListenAddr: listen, AdvertiseAddr: want.AdvertiseAddr, DataPathAddr: want.DataPathAddr,
		AutoLockManagers: lock, Availability: want.Availability, Spec: spec{encryption{lock}},
	}
	if err := r.call(ctx, http.MethodPost, "/swarm/init", request, nil); err != nil {
		return reason("cannot make a swarm: %s%s", said(err), addressHint(err))
	}
	return nil
}

// addressHint says what to do about Docker's errors about addresses.
func addressHint(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "could not choose an IP address"), strings.Contains(text, "has more than one IP"):
		return "; set rancher.docker.swarm.advertise_addr to the address at which the other machines reach this one"
	case strings.Contains(text, "could not find the system's IP address"), strings.Contains(text, "no usable IPv4 or IPv6"),
		strings.Contains(text, "no such interface"), strings.Contains(text, "must be a non-zero IP address"):
		return "; see ros network status and rancher.docker.swarm.advertise_addr"
	}
	return ""
}

// hostPort is a manager of rancher.docker.swarm.join as HOST:PORT.
func hostPort(s string) string {
	if _, _, err := net.SplitHostPort(s); err == nil {
		return s
	}
	return net.JoinHostPort(s, port)
}

// join tries each manager once, beginning behind the last that failed.
func (r *Reconciler) join(ctx context.Context, want osconfig.Swarm) []string {
	var wrong []string
	remotes := want.Join.Remote
	for range remotes {
		remote := hostPort(remotes[r.remote%len(remotes)])
		r.remote++
		// Docker would go on trying one that is away, and say so after 20 s.
		if err := r.Dial(ctx, remote); err != nil {
			wrong = append(wrong, reason("cannot join through %s: %v; is that manager up, and is its port open to this machine?", remote, err)...)
			continue
		}
		err := r.call(ctx, http.MethodPost, "/swarm/join", joinRequest{
			ListenAddr: listen, AdvertiseAddr: want.AdvertiseAddr, DataPathAddr: want.DataPathAddr,
			RemoteAddrs: []string{remote}, JoinToken: want.Join.Token, Availability: want.Availability,
		}, nil)
		switch {
		case err == nil:
			return nil
		case strings.Contains(err.Error(), "will continue in the background"), errors.Is(err, context.DeadlineExceeded):
			return takesLong(remote)
		}
		wrong = append(wrong, reason("cannot join through %s: %s%s", remote, said(err), joinHint(err))...)
	}
	return wrong
}

// takesLong is said of a join that Docker continues in the background; the
// managers may be unknown.
func takesLong(managers ...string) []string {
	through := ""
	if len(managers) > 0 {
		through = " through " + strings.Join(managers, ", ")
	}
	return reason("joining%s takes long; Docker continues to try", through)
}

// tokenHint says how a machine gets a token that is valid.
const tokenHint = "write into rancher.docker.swarm.join.token what `ros engine swarm token` on a manager prints, and run `ros config apply`"

// joinHint says what to do about the errors of a join.
func joinHint(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "valid join token"):
		return "; the token may have been rotated: " + tokenHint
	case strings.Contains(text, "remote CA does not match"), strings.Contains(text, "PermissionDenied"):
		return "; " + tokenHint
	case strings.Contains(text, "certificate has expired or is not yet valid"):
		return "; compare the clocks of both machines"
	}
	return addressHint(err)
}

// pending handles a machine that joins a swarm, or that was a member before the
// engine started and now waits for others.
func (r *Reconciler) pending(ctx context.Context, m Machine, i info, s saved) Result {
	waited := r.since(&r.joining)
	if !s.JoinInProgress {
		if waited < settle {
			return Result{Again: firstRetry}
		}
		res := Result{Again: firstRetry}
		if r.isWorker() && m.Want.On() {
			r.worker(ctx, m.Want, i, &res)
		}
		if len(res.Reasons)+len(res.Notes) == 0 {
			res.Reasons = r.alone(ctx, i)
		}
		return res
	}
	if waited < joinWait || !m.Want.On() || m.Want.Init {
		return Result{Reasons: takesLong(m.Want.Join.Remote...), Again: firstRetry}
	}
	return r.again(ctx, "the join does not end")
}

// broken handles a machine whose membership has ended with an error.
func (r *Reconciler) broken(ctx context.Context, m Machine, i info, s saved) Result {
	if s.JoinInProgress && m.Want.On() && !m.Want.Init {
		// It has no token any more: dockerd does not keep it.
		failed := errors.New(i.Swarm.Error)
		return r.again(ctx, said(failed)+joinHint(failed))
	}
	text := strings.TrimSuffix(i.Swarm.Error, ".")
	if text == "" {
		text = "Docker restarts it"
	}
	return Result{Reasons: reason("this machine's membership has ended: %s. If it does not come back (ros logs docker), "+
		"`docker swarm leave --force` makes the machine join again", text), Again: steady}
}

// again gives up a join that has failed, so that the next look begins another
// one. The machine has not been a member yet, so nothing is lost.
func (r *Reconciler) again(ctx context.Context, why string) Result {
	r.joining = time.Time{}
	res := Result{Reasons: reason("cannot join: %s", strings.TrimSuffix(why, ".")), Again: r.retry()}
	if err := r.call(ctx, http.MethodPost, "/swarm/leave?force=1", nil, nil); err != nil {
		res.Reasons = append(res.Reasons, reason("cannot give up the failed join: %s", said(err))...)
	}
	return res
}

// alone says which managers a member waits for.
func (r *Reconciler) alone(ctx context.Context, i info) []string {
	known := i.remotes()
	var away []string
	for _, remote := range known {
		if err := r.Dial(ctx, remote); err != nil {
			away = append(away, remote)
		}
	}
	switch {
	case len(known) == 0:
		return reason("this machine waits for the other managers: more than half of all managers must answer. If the others are lost for good: " + forceNew)
	case len(away) == 0:
		return reason("this machine waits for these managers, which accept connections: %s", strings.Join(known, ", "))
	}
	return reason("this machine waits for managers that do not answer: %s. If more than half of all managers are lost for good, run on one that is left: "+forceNew,
		strings.Join(away, ", "))
}

// forceNew is Docker's repair of a lost majority.
const forceNew = "`docker swarm init --force-new-cluster --advertise-addr ADDRESS`"
