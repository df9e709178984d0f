package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
)

func (m *fakeManager) Binds(context.Context) (api.Binds, error) { return m.binds, nil }

func (m *fakeManager) Swarm(context.Context) (api.Swarm, error) { return m.swarm, nil }

func (m *fakeManager) SwarmToken(_ context.Context, role string, rotate bool) (api.SwarmToken, error) {
	m.asked = append(m.asked, fmt.Sprint("token ", role, " ", rotate))
	if m.swarm.Role != "manager" {
		return api.SwarmToken{}, fmt.Errorf("token of a %s: This node is not a swarm manager: %w", role, errdefs.ErrFailedPrecondition)
	}
	return api.SwarmToken{Role: role, Token: "SWMTKN-1-" + role, Remote: "10.0.2.15:2377"}, nil
}

func (m *fakeManager) SwarmUnlockKey(context.Context) (api.SwarmKey, error) {
	if m.swarm.Autolock == nil || !*m.swarm.Autolock {
		return api.SwarmKey{}, nil
	}
	return api.SwarmKey{Key: "SWMKEY-1-k"}, nil
}

func (m *fakeManager) SwarmUnlock(_ context.Context, key string) error {
	m.asked = append(m.asked, "unlock "+key)
	return nil
}

// aSwarm is a swarm of three machines, of which one is down.
func aSwarm() api.Swarm {
	lock := true
	return api.Swarm{
		Configured: true, State: "active", Role: "manager", Node: "n1", Address: "10.0.2.15", Leader: true,
		Managers: []string{"10.0.2.15:2377", "10.0.2.16:2377"}, Quorum: api.SwarmQuorum{Managers: 2, Reachable: 2, Needed: 2}, Autolock: &lock,
		Notes: []string{"swarm: node sea (10.0.2.17) is down; its tasks run elsewhere where they can. If it is lost for good: `docker node rm n3`"},
		Nodes: []api.SwarmNode{
			{ID: "n1", Name: "lake", Role: "manager", State: "ready", Availability: "active", Address: "10.0.2.15", Leader: true, Reachable: true, Self: true},
			{ID: "n2", Name: "river", Role: "manager", State: "ready", Availability: "drain", Address: "10.0.2.16", Reachable: true},
			{ID: "n3", Name: "sea", Role: "worker", State: "down", Availability: "active", Address: "10.0.2.17"},
		},
	}
}

func withSwarm(m *fakeManager) { m.swarm = aSwarm() }

// The key comes from standard input; roles are two, and a new token is one
// role's.
func TestSwarmCommands(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		want []string
	}{
		{"engine swarm unlock", 0, []string{"unlock SWMKEY-1-typed"}},
		{"engine swarm token worker --rotate", 0, []string{"token worker true"}},
		{"engine swarm token --rotate", 2, nil},
		{"engine swarm token king", 2, nil},
		{"engine swarm", 2, nil},
		{"config apply --yes", 0, []string{"apply 0s", "yes"}},
	} {
		t.Run(tc.args, func(t *testing.T) {
			m := newFakeManager()
			m.swarm = aSwarm()
			term, _ := screen(t, m)
			term.in = strings.NewReader("SWMKEY-1-typed\n")
			if err := runCLI(t.Context(), term, strings.Fields(tc.args)); codeOf(err) != tc.code {
				t.Errorf("exit code %d: %v", codeOf(err), err)
			}
			if diff := cmp.Diff(tc.want, m.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a machine in no swarm answers is an error with its words.
func TestSwarmKeyWithoutAutolock(t *testing.T) {
	m := newFakeManager()
	term, _ := screen(t, m)
	for args, want := range map[string]string{
		"engine swarm unlock-key":   "autolock is off",
		"engine swarm token worker": "This node is not a swarm manager",
	} {
		if err := runCLI(t.Context(), term, strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
