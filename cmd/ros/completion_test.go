package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestBashCompletion lets bash complete as on the console, where it finds the
// image's file, and that asks the program.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	const console = `
ros() {
  case "$*" in
    "completion bash") cat testdata/completion.bash ;;
    "network status --quiet") printf 'eth0\neth1\nlo\n$(echo${IFS}eth9)\n' ;;
    "service list --quiet") printf 'docker\nudev\n' ;;
    *) echo "asked for $*" ;;
  esac
}
source ../../images/console/files/usr/share/bash-completion/completions/ros
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_ros
echo "${COMPREPLY[@]}"`
	for _, tt := range []struct{ line, want string }{
		{"ros network renew e", "eth0 eth1"},
		{"ros net renew l", "lo"},
		{"ros network renew --j", "--json"},
		{"ros network re", "renew"},
		{"ros service restart d", "docker"},
		{"ros s restart u", "udev"},
		{"ros logs k", "kernel"},
		{"ros completion b", "bash"},
	} {
		out, err := exec.Command(bash, append([]string{"--norc", "-c", console, "bash"}, strings.Fields(tt.line)...)...).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("%s<TAB> gives %q, %v; want %q", tt.line, got, err, tt.want)
		}
	}
}
