package control_test

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

func (m *fakeManager) Binds(context.Context) (api.Binds, error) {
	return api.Binds{Stateless: true}, nil
}

func (m *fakeManager) Swarm(context.Context) (api.Swarm, error) {
	return api.Swarm{State: "inactive"}, nil
}

func (m *fakeManager) SwarmToken(_ context.Context, role string, rotate bool) (api.SwarmToken, error) {
	m.ask("token %s %v", role, rotate)
	return api.SwarmToken{Role: role, Token: "t"}, nil
}

func (m *fakeManager) SwarmUnlockKey(context.Context) (api.SwarmKey, error) {
	return api.SwarmKey{Key: "k"}, nil
}

func (m *fakeManager) SwarmUnlock(_ context.Context, key string) error {
	m.ask("unlock %s", key)
	return nil
}

// Tokens and keys are root's alone; lists are never null.
func TestSwarm(t *testing.T) {
	m := &fakeManager{}
	c := client.New(serve(t, m))
	s, err := c.Swarm(t.Context())
	if err != nil || s.Nodes == nil || s.Reasons == nil || s.Notes == nil || s.Managers == nil {
		t.Errorf("%+v, %v", s, err)
	}
	if err := c.SwarmUnlock(t.Context(), " SWMKEY-1-k\n"); err != nil {
		t.Error(err)
	}
	if err := c.SwarmUnlock(t.Context(), " "); err == nil {
		t.Error("an empty key is taken")
	}
	if _, err := c.SwarmToken(t.Context(), "king", false); err == nil {
		t.Error("a role that does not exist is taken")
	}
	token, err1 := c.SwarmToken(t.Context(), api.RoleManager, true)
	key, err2 := c.SwarmUnlockKey(t.Context())
	want := []string{"unlock SWMKEY-1-k", "token manager true"}
	if os.Geteuid() != 0 {
		if want = want[:1]; err1 == nil || err2 == nil {
			t.Errorf("shown to a user: %v, %q", token, key)
		}
	} else if err1 != nil || err2 != nil || token.Token != "t" || key != "k" {
		t.Errorf("%+v, %v; %q, %v", token, err1, key, err2)
	}
	if diff := cmp.Diff(want, m.asked); diff != "" {
		t.Error(diff)
	}
}
