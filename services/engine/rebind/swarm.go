package rebind

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pharos-os/pharos/services/engine/dockerapi"
)

// Labels that a swarm gives the containers of its tasks. Images can have them,
// too, and docker commit keeps them.
const (
	swarmTask    = "com.docker.swarm.task.id"
	swarmService = "com.docker.swarm.service.name"
)

// isName reports whether Docker accepts a name: [a-zA-Z0-9][a-zA-Z0-9_.-]*
func isName(s string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r)
	}
	return s != "" && !strings.ContainsRune("_.-", rune(s[0])) && !strings.ContainsFunc(s, other)
}

// Command is the command with which a user restarts a container. For the task
// of a swarm it names the service. It is safe to paste into a shell.
func Command(container string, labels map[string]string) string {
	if service := labels[swarmService]; isName(service) {
		return "docker service update --force " + service
	}
	return "docker restart " + container
}

// node is what the engine is in a swarm.
type node struct{ member, manager bool }

// isTask reports whether a swarm decides when the container starts.
func (c summary) isTask() bool {
	return c.swarm.member && c.Labels[swarmTask] != ""
}

// askSwarm notes in the containers what the engine is in a swarm. It asks only if
// a container looks like a task.
func (e Engine) askSwarm(ctx context.Context, list []summary) error {
	if !slices.ContainsFunc(list, func(c summary) bool { return c.Labels[swarmTask] != "" }) {
		return nil
	}
	var info struct {
		Swarm struct {
			LocalNodeState   string
			ControlAvailable bool
		}
	}
	if err := e.Client.Call(ctx, http.MethodGet, "/info", nil, &info); err != nil {
		return err
	}
	state := info.Swarm.LocalNodeState
	for i := range list {
		list[i].swarm = node{member: state != "" && state != "inactive", manager: info.Swarm.ControlAvailable}
	}
	return nil
}

// examineTask finds out whether the swarm replaces a task that is stopped. With
// on-failure it may not: many programs end with 0 when they are stopped. Only a
// manager knows the restart policy; any is the default. A manager of a swarm
// without a leader does not know it either, and nobody replaces a task then.
func (e Engine) examineTask(ctx context.Context, c summary) (action, error) {
	var task struct {
		Spec   struct{ RestartPolicy struct{ Condition string } }
		Status struct{ ContainerStatus struct{ ContainerID string } }
	}
	err := e.Client.Call(ctx, http.MethodGet, "/tasks/"+url.PathEscape(c.Labels[swarmTask]), nil, &task)
	_, refused := errors.AsType[*dockerapi.Error](err)
	condition, of := task.Spec.RestartPolicy.Condition, task.Status.ContainerStatus.ContainerID
	switch {
	case dockerapi.IsStatus(err, http.StatusNotFound): // the swarm has given it up
		return leave, nil
	case dockerapi.IsStatus(err, http.StatusServiceUnavailable) && !c.swarm.manager:
		return stop, nil
	case refused:
		return warn, nil
	case err != nil:
		return leave, err
	case of != "" && of != c.ID: // the label is a copy
		return restart, nil
	case condition == "" || condition == "any":
		return stop, nil
	}
	return warn, nil
}
