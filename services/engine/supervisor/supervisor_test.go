package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{`--config={"hosts":["unix:///run/docker.sock"],"live-restore":true}`, "--stop-timeout=7s", "--config-file=/opt/d.json", "--fixed=a", "--fixed=b", "--", "--dns=10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{o.Config["live-restore"], o.StopTimeout.String(), o.UserConfig, strings.Join(o.Fixed, " "), strings.Join(o.ExtraArgs, " ")}
	if d := cmp.Diff([]any{true, "7s", "/opt/d.json", "a b", "--dns=10.0.0.1"}, got); d != "" {
		t.Error(d)
	}
	for _, bad := range [][]string{{"--config={"}, {"--nonsense"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestMerge(t *testing.T) {
	ours := map[string]any{
		"hosts": []any{"unix:///run/docker.sock"}, "exec-root": "/run/docker", "live-restore": true,
		"labels": []any{"disk=ssd", "rack=1"}, "log-driver": "json-file", "log-opts": map[string]any{"max-size": "25m"},
	}
	cases := map[string]struct {
		text    string
		fixed   []string
		want    map[string]any // what differs from ours; nil deletes
		problem bool
	}{
		"nothing":          {text: `{}`},
		"other key":        {text: `{"bip":"10.1.0.1/24"}`, want: map[string]any{"bip": "10.1.0.1/24"}},
		"hosts are added":  {text: `{"hosts":["tcp://127.0.0.1:2375","unix:///run/docker.sock"]}`, want: map[string]any{"hosts": []any{"unix:///run/docker.sock", "tcp://127.0.0.1:2375"}}},
		"labels are added": {text: `{"labels":["rack=2","zone=b"]}`, want: map[string]any{"labels": []any{"disk=ssd", "rack=2", "zone=b"}}},
		"fixed stays":      {text: `{"exec-root":"/x"}`},
		"log driver":       {text: `{"log-driver":"syslog"}`, want: map[string]any{"log-driver": "syslog", "log-opts": nil}},
		"live restore":     {text: `{"live-restore":false}`, want: map[string]any{"live-restore": false}},
		"not in a swarm":   {text: `{"live-restore":false,"bip":"10.1.0.1/24"}`, fixed: []string{"live-restore", "firewall-backend"}, want: map[string]any{"bip": "10.1.0.1/24"}},
		"garbage":          {text: `{"a"`, problem: true},
		"a list":           {text: `[]`, problem: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "daemon.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{}
			for k, v := range ours {
				want[k] = v
			}
			for k, v := range c.want {
				if want[k] = v; v == nil {
					delete(want, k)
				}
			}
			got, err := merge(ours, path, c.fixed)
			if (err != nil) != c.problem {
				t.Errorf("error %v", err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := merge(ours, "/no/such/file", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not-exist", err)
	}
}
