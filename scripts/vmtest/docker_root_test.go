package vmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRootDockerTools runs Docker's tools as `make` has built them, natively
// and without an engine: which names there are, and what each of them answers.
func TestRootDockerTools(t *testing.T) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatalf("run make first, and have build/bin in PATH: %v", err)
	}
	plugins := filepath.Join(filepath.Dir(docker), "docker-plugins")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yml": "name: a\nservices: {web: {image: \"i:${TAG:-1}\", ports: [\"80:8080\"], develop: {watch: [{action: rebuild, path: .}]}}}\n",
		"b.yml": "services: {web: {environment: {WORD: b}}}\n",
		"c.hcl": "variable \"TAG\" { default = \"1\" }\ntarget \"default\" { tags = [\"i:${TAG}\"] }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names := filepath.Join(dir, "config", "cli-plugins")
	if err := os.MkdirAll(names, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docker-buildx", "docker-compose"} {
		if err := os.Symlink(plugins, filepath.Join(names, name)); err != nil {
			t.Fatal(err)
		}
	}
	compose := filepath.Join(names, "docker-compose")
	tests := []struct {
		name  string
		args  []string
		wants []string
	}{
		{"help names the plugins", []string{docker, "--help"}, []string{"  buildx*", "  compose*", "  swarm "}},
		{"buildx is a plugin", []string{docker, "buildx", "version"}, []string{"github.com/docker/buildx v0."}},
		{"build is buildx", []string{docker, "build", "--help"}, []string{"docker buildx build", "--secret", "--cache-to"}},
		{"bake", []string{docker, "buildx", "bake", "-f", "c.hcl", "--print"}, []string{`"i:1"`}},
		{"compose is a plugin", []string{docker, "compose", "version"}, []string{"Docker Compose version v5."}},
		{"compose by its own name", []string{compose, "version", "--short"}, []string{"5."}},
		{"old options of docker-compose", []string{compose, "-f", "a.yml", "--verbose", "config", "--services"}, []string{"web"}},
		{"compose reads and merges", []string{docker, "compose", "-f", "a.yml", "-f", "b.yml", "config"},
			[]string{"image: i:1", "WORD: b", `published: "80"`, "action: rebuild"}},
		{"completion", []string{docker, "__complete", "compose", "u"}, []string{"up\t", "unpause\t"}},
		{"completion for bash", []string{docker, "completion", "bash"}, []string{"__start_docker"}},
	}
	for _, tt := range tests {
		cmd := exec.CommandContext(t.Context(), tt.args[0], tt.args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+filepath.Join(dir, "config"), "DOCKER_HOST=unix://"+dir+"/none")
		out, err := cmd.CombinedOutput()
		for _, want := range tt.wants {
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %v, want %q in\n%s", tt.name, err, want, out)
			}
		}
	}
	// Under any other name the plugins refuse, and say which names there are.
	if out, err := exec.CommandContext(t.Context(), plugins).CombinedOutput(); err == nil || !strings.Contains(string(out), "docker-buildx or docker-compose") {
		t.Errorf("docker-plugins by its own name: %v, %s", err, out)
	}
}
