package manager

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
)

// TestFleeting: only what a container may write to and what does not last is
// named, once for each compose project.
func TestFleeting(t *testing.T) {
	// The answer of GET /containers/json, shortened.
	const answer = `[
		{"Names": ["/db-1"], "Labels": {"com.docker.compose.project": "db"}, "Mounts": [
			{"Type": "bind", "Source": "/data/db", "Destination": "/var/lib/db", "RW": true},
			{"Type": "bind", "Source": "/etc/localtime", "Destination": "/etc/localtime", "RW": true},
			{"Type": "bind", "Source": "/srv/db", "Destination": "/conf", "RW": true},
			{"Type": "volume", "Source": "/var/lib/docker/volumes/x/_data", "Destination": "/x", "RW": true}]},
		{"Names": ["/db-2"], "Labels": {"com.docker.compose.project": "db"}, "Mounts": [
			{"Type": "bind", "Source": "/data/db", "Destination": "/var/lib/db", "RW": true}]},
		{"Names": ["/agent"], "Mounts": [
			{"Type": "bind", "Source": "/", "Destination": "/rootfs", "RW": true},
			{"Type": "bind", "Source": "/run/docker.sock", "Destination": "/var/run/docker.sock", "RW": true},
			{"Type": "bind", "Source": "/etc/agent", "Destination": "/etc/agent", "RW": true},
			{"Type": "bind", "Source": "/etc/agent.conf", "Destination": "/a.conf", "RW": false}]}]`
	var list []container
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		t.Fatal(err)
	}
	got := fleeting(list, func(source string) bool { return !strings.HasPrefix(source, "/srv/") })
	want := []api.Bind{
		{Container: "agent", Source: "/etc/agent", Target: "/etc/agent", Advice: "bind /srv/agent instead"},
		{Container: "db-1", Project: "db", Source: "/data/db", Target: "/var/lib/db", Advice: "bind /srv/db instead, or set rancher.state.directories: [/data]"},
		{Container: "db-2", Project: "db", Source: "/data/db", Target: "/var/lib/db", Advice: "bind /srv/db instead, or set rancher.state.directories: [/data]"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{
		"container agent keeps data in /etc/agent, which the next boot empties: bind /srv/agent instead",
		"compose project db keeps data in /data/db, which the next boot empties: bind /srv/db instead, or set rancher.state.directories: [/data]",
	}, bindNotes(got)); d != "" {
		t.Error(d)
	}
}
