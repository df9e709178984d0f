package setup

import (
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// What people see of a command does not hold what may be a password.
func TestProgramOf(t *testing.T) {
	for _, c := range []struct {
		command osconfig.Command
		want    string
	}{
		{osconfig.Command{Args: []string{"curl", "-u", "me:secret"}}, "curl"},
		{osconfig.Command{Args: []string{"/opt/a=b/run", "secret"}}, "/opt/a=b/run"},
		{osconfig.Command{Shell: "echo secret | docker login"}, "echo"},
		{osconfig.Command{Shell: "PASSWORD=secret TOKEN=x deploy now"}, "a command"},
		{osconfig.Command{Shell: "'my secret'"}, "a command"},
		{osconfig.Command{}, "a command"},
	} {
		if got := programOf(c.command); got != c.want {
			t.Errorf("%+v: %q, want %q", c.command, got, c.want)
		}
	}
}
