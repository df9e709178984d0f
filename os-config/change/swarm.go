package change

import (
	"maps"
	"reflect"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// swarmKey has no row of its own among the rules: what a change of it needs
// depends on what changes.
const swarmKey = "rancher.docker.swarm"

// swarmChange describes a change of the swarm. Only what the daemon itself is
// told needs a restart of it.
func swarmChange(before, after osconfig.Engine) []Change {
	a, b := before.Swarm, after.Swarm
	if reflect.DeepEqual(a, b) {
		return nil
	}
	what := swarmKey + " changes" + members(reflect.ValueOf(a), reflect.ValueOf(b))
	restart := func(text string) []Change {
		return []Change{{Key: swarmKey, How: Restart, Unit: "docker", Text: text}}
	}
	switch {
	case !a.On() && b.On():
		return restart(swarmKey + " is set: the engine and its containers restart, without live restore; then the machine makes or joins its swarm")
	case a.On() && !b.On():
		return restart(swarmKey + " is no longer set: the machine leaves its swarm, then the engine and its containers restart")
	case b.On() && !maps.Equal(a.Labels, b.Labels):
		return restart(what + ": the engine restarts with its labels, and so do its containers")
	case !b.On():
		return []Change{{Key: swarmKey, How: Nothing, Text: what + ": it has no effect without init: true or join"}}
	}
	return []Change{{Key: swarmKey, How: Live, Text: what + ": a machine that is in a swarm stays in it; availability, autolock and addresses follow"}}
}

// Lasting says what of a change remains when the configuration goes back to
// what it was: a machine leaves a swarm only when it is told to.
func Lasting(before, after osconfig.Config) []string {
	a, b := before.Rancher.Docker.Swarm.On(), after.Rancher.Docker.Swarm.On()
	switch {
	case !a && b:
		return []string{swarmKey + " is set: the machine makes or joins a swarm and stays in it"}
	case a && !b:
		return []string{swarmKey + " is no longer set: the machine leaves its swarm and stays out of it"}
	}
	return nil
}
