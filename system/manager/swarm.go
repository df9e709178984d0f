package manager

import (
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/netconf"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/services/engine/dockerapi"
	"github.com/pharos-os/pharos/services/engine/swarm"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/beneath"
	"github.com/pharos-os/pharos/system/control/api"
)

// swarmBackups has a dated copy of the state of each swarm that was left.
const swarmBackups = "/var/lib/pharos/swarm"

// loadSwarmModules loads what the engine needs in a swarm, before it starts.
func (m *Manager) loadSwarmModules(c osconfig.Config) error {
	if !c.Rancher.Docker.Swarm.On() && !m.hasSwarm(c) {
		return nil
	}
	return m.loadModules(engine.SwarmModules())
}

// swarmMemory keeps what the reconciler must know after a reboot.
const swarmMemory = "/var/lib/pharos/swarm.json"

// swarmState is what the status says of the swarm.
type swarmState struct {
	reasons, notes []string
	left           string // note of a swarm that was left since the boot
}

// watchSwarm keeps the machine's part in its swarm as configured, for as long
// as ctx lasts. It looks when the engine has started, when the configuration or
// an address of the machine has changed, and, in a swarm, every now and then.
func (m *Manager) watchSwarm(ctx context.Context) error {
	r := swarm.New(engine.Socket, beneath.Place{})
	r.Memory = swarmMemory
	var links []swarm.Link
	var again <-chan time.Time
	for due := false; ; {
		s, changed := m.net.Watch()
		if now := swarmLinks(s); due || !reflect.DeepEqual(now, links) {
			links, again = now, nil
			if wait := m.reconcileSwarm(ctx, r, links); wait > 0 {
				again = time.After(wait)
			}
		}
		due = true
		select {
		case <-changed: // containers' links come and go, too
			due = false
		case <-m.swarmAgain:
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lookAtSwarm makes watchSwarm look at once.
func (m *Manager) lookAtSwarm() {
	select {
	case m.swarmAgain <- struct{}{}:
	default:
	}
}

// reconcileSwarm looks once and returns the time until the next look, 0 when
// that is for others to ask for.
func (m *Manager) reconcileSwarm(ctx context.Context, r *swarm.Reconciler, links []swarm.Link) time.Duration {
	m.swarming.Lock()
	defer m.swarming.Unlock()
	c := m.cfg()
	m.mu.Lock()
	g := m.units["docker"]
	m.mu.Unlock()
	from := m.leftBehind(c)
	if !c.Rancher.Docker.Swarm.On() && !m.hasSwarm(c) && from == "" || g == nil || !g.IsOpen() {
		m.sayOfSwarm(swarm.Result{})
		return 0
	}
	root := m.engineRoot(c.Rancher.Docker)
	if from != "" {
		m.sayOfSwarm(swarm.Result{Reasons: []string{fmt.Sprintf("swarm: the engine's data root has changed from %s to %s, which has no state of a swarm: the other machines "+
			"of its swarm count this machine as down, and it makes or joins no other swarm. Set the data root back to %s, or stop the engine, copy %s to %s, and reboot. "+
			"To drop out of the swarm instead, run `ros config apply --yes`", from, root, from, swarmDir(from), swarmDir(root))}})
		return leftBehindAgain
	}
	r.Dir = swarmDir(root)
	res := r.Reconcile(ctx, swarm.Machine{Want: c.Rancher.Docker.Swarm, Links: links, InRAM: m.dataInRAM(ctx, c.Rancher.Docker)})
	if ctx.Err() != nil {
		return 0
	}
	m.sayOfSwarm(res)
	if res.Restart != "" {
		m.log.Warn("the engine restarts for its swarm", "reason", res.Restart)
		if err := m.sup.Renew(ctx, engine.Name); err != nil {
			m.log.Error("cannot restart the engine", "error", err)
		}
	}
	return res.Again
}

// leftBehindAgain is the time until a state that was left behind is looked for
// again.
const leftBehindAgain = time.Minute

// leftBehind returns the data root in which the machine was in a swarm, if its
// state is still there and the present data root has none. Nobody was asked
// about that: the data root changed at a reboot, or by the engine's own file.
func (m *Manager) leftBehind(c osconfig.Config) string {
	from, root := swarm.RememberedRoot(swarmMemory), m.engineRoot(c.Rancher.Docker)
	// With mapped users dockerd itself uses a directory of its data root.
	if from == "" || from == root || path.Dir(from) == root || !m.hasSwarmIn(from) || m.hasSwarmIn(root) {
		return ""
	}
	return from
}

// forgetSwarm lets the machine drop out of a swarm that it has left behind:
// somebody has said yes to that.
func (m *Manager) forgetSwarm(c osconfig.Config) error {
	from := m.leftBehind(c)
	if from == "" {
		return nil
	}
	m.log.Info("the machine has dropped out of its swarm", "data_root", from)
	if err := atomicfile.Remove(swarmMemory); err != nil {
		return fmt.Errorf("swarm in %s: %w", from, err)
	}
	m.lookAtSwarm()
	return nil
}

// dataInRAM reports whether a reboot empties the engine's data root, and the
// state of its swarm with it. What cannot be found out does not keep a machine
// from its swarm.
func (m *Manager) dataInRAM(ctx context.Context, e osconfig.Engine) bool {
	i, err := m.sup.Get(engine.Name)
	if err != nil {
		return false
	}
	root, err := dataRoot(ctx, dockerapi.Client{Socket: engine.Socket}, e)
	return err == nil && inRAM(i.PID, root)
}

// inRAM reports whether a reboot empties a directory that a process sees.
func inRAM(pid int, dir string) bool {
	tree, err := beneath.NamespaceOf(pid)
	if err != nil {
		return false
	}
	defer tree.Close()
	f := finder{tree: tree}
	p, err := f.resolve(dir)
	return err == nil && f.inRAM(p)
}

// sayOfSwarm keeps the result of a look, and logs what is new in it.
func (m *Manager) sayOfSwarm(res swarm.Result) {
	m.mu.Lock()
	before := m.swarm
	m.swarm.reasons, m.swarm.notes = res.Reasons, res.Notes
	m.mu.Unlock()
	m.note("swarm", res.Reasons...)
	for _, text := range res.Reasons {
		if !slices.Contains(before.reasons, text) {
			m.log.Warn("the swarm has a problem", "problem", text)
		}
	}
	for _, text := range res.Notes {
		if !slices.Contains(before.notes, text) {
			m.log.Info("note about the swarm", "note", text)
		}
	}
}

// swarmNotes lists what the status says of a healthy swarm.
// m.mu is held.
func (m *Manager) swarmNotes() []string {
	out := slices.Clone(m.swarm.notes)
	if m.swarm.left != "" {
		out = append(out, m.swarm.left)
	}
	if c := m.config.Config; c.Rancher.Docker.Swarm.On() {
		out = append(out, "swarm: the engine has no live restore in a swarm: this machine's containers restart when the engine restarts")
	}
	return out
}

// swarmLinks are the machine's links with the addresses that last. Those that
// rancher.network configures are there without an address, too.
func swarmLinks(s netconf.State) []swarm.Link {
	var out []swarm.Link
	for _, l := range s.Links {
		one := swarm.Link{Name: l.Name, Own: configures(l)}
		for _, a := range l.Addresses {
			if addr := a.Prefix.Addr(); addr.IsGlobalUnicast() {
				one.Addresses = append(one.Addresses, addr)
			}
		}
		if !l.Loopback && (one.Own || len(one.Addresses) > 0) {
			out = append(out, one)
		}
	}
	return out
}

// configures reports whether rancher.network is about a link. A pattern that
// matches everything also matches the bridges that the engine makes.
func configures(l netconf.LinkState) bool {
	virtual := l.Kind == netconf.KindBridge || l.Kind == "veth"
	return l.Key != "" && (!virtual || l.Own || l.Key == l.Name)
}

// leaves reports whether a new configuration takes the machine out of its swarm.
func leaves(before, after osconfig.Config) bool {
	return before.Rancher.Docker.Swarm.On() && !after.Rancher.Docker.Swarm.On()
}

// askSwarm asks the engine for those who are not the reconciler.
func (m *Manager) askSwarm(c osconfig.Config) *swarm.Reconciler {
	return swarm.New(engine.Socket, swarmDir(m.engineRoot(c.Rancher.Docker)))
}

// costs says what of a new configuration cannot be undone.
func (m *Manager) costs(ctx context.Context, before, after osconfig.Config) []string {
	if !m.hasSwarm(before) {
		return nil
	}
	if leaves(before, after) {
		return m.askSwarm(before).Costs(ctx)
	}
	from, to := m.engineRoot(before.Rancher.Docker), m.engineRoot(after.Rancher.Docker)
	if from == to || m.hasSwarm(after) {
		return nil
	}
	cost := fmt.Sprintf("the engine's data root changes from %s to %s, which has no state of a swarm: the machine drops out of its swarm, "+
		"and the other machines count it as down", from, to)
	if after.Rancher.Docker.Swarm.On() {
		cost += "; then it makes or joins a swarm as rancher.docker.swarm says"
	}
	return []string{cost}
}

// leaveSwarm takes the machine out of its swarm when a new configuration does
// and somebody has said yes to the costs.
func (m *Manager) leaveSwarm(ctx context.Context, before, after osconfig.Config, yes bool) error {
	if !leaves(before, after) || !m.hasSwarm(before) {
		return nil
	}
	if !yes {
		if len(m.costs(ctx, before, after)) == 0 {
			return nil
		}
		return errors.New("rancher.docker.swarm is not set any more, and the machine stays in its swarm: nobody has confirmed that it leaves; " +
			"set the key again, or run docker swarm leave and reboot")
	}
	m.swarming.Lock()
	defer m.swarming.Unlock()
	place, err := m.askSwarm(before).Leave(ctx, swarmBackups)
	if err != nil {
		return err
	}
	if place != "" {
		m.log.Info("the machine has left its swarm", "copy", place)
		m.mu.Lock()
		m.swarm.left = "swarm: this machine has left it; a copy of its state is in " + place
		m.mu.Unlock()
	}
	return nil
}

// Swarm says how the machine stands in its swarm.
func (m *Manager) Swarm(ctx context.Context) (api.Swarm, error) {
	c := m.cfg()
	m.mu.Lock()
	out := api.Swarm{Configured: c.Rancher.Docker.Swarm.On(), Reasons: slices.Clone(m.swarm.reasons), Notes: m.swarmNotes()}
	m.mu.Unlock()
	look, err := m.askSwarm(c).Look(ctx)
	if err != nil {
		return out, fmt.Errorf("swarm: %w: %w", err, errdefs.ErrUnavailable)
	}
	out.State, out.Role, out.Node, out.Address, out.Leader = look.State, look.Role, look.NodeID, look.Address, look.Leader
	out.Managers, out.Autolock, out.Error = look.Managers, look.Autolock, look.Error
	if look.Voters > 0 {
		out.Quorum = api.SwarmQuorum{Managers: look.Voters, Reachable: look.Reachable, Needed: look.Voters/2 + 1}
	}
	for _, n := range look.Nodes {
		out.Nodes = append(out.Nodes, api.SwarmNode(n))
	}
	if out.Role == "worker" && len(c.Rancher.Docker.Swarm.Labels) > 0 {
		out.Notes = append(out.Notes, "swarm: a worker may not label its own node: rancher.docker.swarm.labels are those of its engine "+
			"(constraint engine.labels.KEY); on a manager, docker node update --label-add KEY=VALUE "+out.Node)
	}
	return out, nil
}

// SwarmToken is the token with which workers or managers join.
func (m *Manager) SwarmToken(ctx context.Context, role string, rotate bool) (api.SwarmToken, error) {
	token, remote, err := m.askSwarm(m.cfg()).Token(ctx, role, rotate)
	if err != nil {
		return api.SwarmToken{}, fmt.Errorf("token of a %s: %w: %w", role, err, errdefs.ErrFailedPrecondition)
	}
	return api.SwarmToken{Role: role, Token: token, Remote: remote}, nil
}

// SwarmUnlockKey is the key that unlocks managers, empty without autolock.
func (m *Manager) SwarmUnlockKey(ctx context.Context) (api.SwarmKey, error) {
	key, err := m.askSwarm(m.cfg()).UnlockKey(ctx)
	if err != nil {
		return api.SwarmKey{}, fmt.Errorf("unlock key: %w: %w", err, errdefs.ErrFailedPrecondition)
	}
	return api.SwarmKey{Key: key}, nil
}

// SwarmUnlock unlocks this manager's keys.
func (m *Manager) SwarmUnlock(ctx context.Context, key string) error {
	if err := m.askSwarm(m.cfg()).Unlock(ctx, key); err != nil {
		return fmt.Errorf("unlock: %w: %w", err, errdefs.ErrFailedPrecondition)
	}
	m.lookAtSwarm()
	return nil
}
