package control_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
	"github.com/pharos-os/pharos/system/control/client"
)

func (m *fakeManager) ask(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, fmt.Sprintf(format, args...))
}

func (m *fakeManager) ConfigEdit(e api.ConfigEdit, who string) (api.ConfigWritten, error) {
	m.ask("%s: %s %s %s %s", who, e.Verb, e.Key, e.Value, e.Text)
	if e.Key == "nope" {
		return api.ConfigWritten{}, fmt.Errorf("refused: %w", errdefs.ErrInvalidArgument)
	}
	return api.ConfigWritten{Changed: true, Generation: 3, Summary: "set " + e.Key}, nil
}

func (m *fakeManager) ConfigFile() (api.ConfigFile, error) {
	return api.ConfigFile{Path: "f", Text: "password: x\n", Sum: "1"}, nil
}

func (m *fakeManager) ConfigOrigin(key string) (api.ConfigOrigin, error) {
	if key == "nope" {
		return api.ConfigOrigin{}, fmt.Errorf("nothing is set at nope: %w", errdefs.ErrNotFound)
	}
	return api.ConfigOrigin{Layer: "user-data", File: "f", Line: 3, Column: 9}, nil
}

func (m *fakeManager) ConfigDiff() (api.ConfigDiff, error) { return api.ConfigDiff{}, nil }

func (m *fakeManager) ConfigApply(_ context.Context, try time.Duration, yes bool, who string) (api.ConfigDiff, error) {
	m.ask("%s: apply %s %v", who, try, yes)
	return api.ConfigDiff{Changes: []api.ConfigChange{{Key: "hostname", How: "live", Text: "x"}}}, nil
}

func (m *fakeManager) ConfigConfirm(who string) error {
	m.ask("%s: confirm", who)
	return fmt.Errorf("nothing is on trial: %w", errdefs.ErrFailedPrecondition)
}

func (m *fakeManager) ConfigHistory() ([]api.ConfigGeneration, error) { return nil, nil }

func (m *fakeManager) ConfigRollback(number int, who string) (api.ConfigWritten, error) {
	m.ask("%s: rollback %d", who, number)
	return api.ConfigWritten{}, errors.New("no")
}

func (m *fakeManager) ConfigSources() (api.ConfigSources, error) { return api.ConfigSources{}, nil }

func TestConfig(t *testing.T) {
	m := newFakeManager()
	socket := serve(t, m)
	c := client.New(socket)
	long := strings.Repeat("x", 1<<20)
	out, err := c.ConfigEdit(t.Context(), api.ConfigEdit{Verb: api.VerbSet, Key: "hostname", Value: long})
	want := api.ConfigWritten{Changed: true, Generation: 3, Summary: "set hostname", Notes: []string{}}
	if diff := cmp.Diff(want, out); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := c.ConfigRollback(t.Context(), 7); err == nil || err.Error() != "no" {
		t.Error(err)
	}
	d, err := c.ConfigApply(t.Context(), 90*time.Second, true)
	if diff := cmp.Diff(api.ConfigDiff{Changes: []api.ConfigChange{{Key: "hostname", How: "live", Text: "x"}}, Problems: []string{}}, d); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := c.ConfigConfirm(t.Context()); err == nil || err.Error() != "nothing is on trial" {
		t.Error(err)
	}
	origin, err := c.ConfigOrigin(t.Context(), "a.b")
	if diff := cmp.Diff(api.ConfigOrigin{Layer: "user-data", File: "f", Line: 3, Column: 9}, origin); diff != "" || err != nil {
		t.Error(diff, err)
	}
	user := "root"
	if uid := os.Getuid(); uid != 0 {
		user = fmt.Sprint("uid ", uid)
	}
	asked := []string{user + ": set hostname " + long + " ", user + ": rollback 7", user + ": apply 1m30s true", user + ": confirm"}
	if diff := cmp.Diff(asked, m.asked); diff != "" {
		t.Error(diff)
	}
	// Lists are never null.
	for _, path := range []string{api.PathConfigDiff, api.PathConfigHistory, api.PathConfigSources} {
		if code, text := raw(t, socket, "GET", path, ""); code != 200 || strings.Contains(text, "null") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
}
