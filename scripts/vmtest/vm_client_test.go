package vmtest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// laptop is another machine of the guest's user: Docker's tools, an SSH
// configuration that knows the guest as "vm", and a connection that all
// commands share, as OpenSSH's ControlMaster makes it.
type laptop struct {
	dir string
	env []string
}

func newLaptop(t *testing.T, g *guest) laptop {
	t.Helper()
	port, err := g.HostPort(22)
	if err != nil {
		t.Fatal(err)
	}
	// Below /tmp: the path of a socket is short.
	dir, err := os.MkdirTemp("", "laptop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	bin := filepath.Join(g.lab.files.Root, "build", "bin")
	p := laptop{dir: dir, env: append(os.Environ(), "HOME="+dir, "DOCKER_CONFIG="+dir+"/docker", "DOCKER_HOST=", "DOCKER_CONTEXT=",
		"PATH="+dir+"/bin:"+bin+":"+os.Getenv("PATH"))}
	for name, text := range map[string]string{
		"ssh.conf": fmt.Sprintf("Host vm\nHostName 127.0.0.1\nPort %d\nUser rancher\nIdentityFile %s\nIdentitiesOnly yes\n"+
			"UserKnownHostsFile /dev/null\nStrictHostKeyChecking no\nLogLevel ERROR\nControlPath %s/control\n", port, g.lab.path("id"), dir),
		// OpenSSH looks for its configuration in the home directory of /etc/passwd.
		"bin/ssh":            "#!/bin/sh\nexec /usr/bin/ssh -F " + dir + "/ssh.conf \"$@\"\n",
		"project/Dockerfile": "FROM tools:test\nCOPY page /www/index.html\n",
		"project/page":       "from the laptop\n",
		"project/compose.yml": `services:
  web:
    build: .
    image: laptop:test
    command: [/usr/bin/busybox, httpd, -f, -p, "8080", -h, /www]
    ports: ["8080:8080"]
    environment: {WORD: "${WORD:?}"}
    healthcheck: {test: [CMD, /usr/bin/busybox, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 2s, timeout: 20s, retries: 20}
  after:
    image: laptop:test
    command: [/usr/bin/busybox, wget, -q, -O, "-", "http://web:8080/"]
    depends_on: {web: {condition: service_healthy}}
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	plugins := filepath.Join(dir, "docker", "cli-plugins")
	if err := os.MkdirAll(plugins, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docker-buildx", "docker-compose"} {
		if err := os.Symlink(filepath.Join(bin, "docker-plugins"), filepath.Join(plugins, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.connect(t)
	return p
}

// connect opens the connection that all commands share, until the test ends.
func (p laptop) connect(t *testing.T) {
	t.Helper()
	master := exec.Command(filepath.Join(p.dir, "bin", "ssh"), "-M", "-N", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo connected", "vm")
	var stderr bytes.Buffer
	master.Stderr = &stderr
	out, err := master.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(stepDeadline, func() { master.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	timer.Stop()
	t.Cleanup(func() {
		master.Process.Kill()
		master.Wait() // it was killed: how it ended says nothing
	})
	if line != "connected\n" {
		t.Fatalf("SSH to the guest: %q, %v", line, err)
	}
}

// run runs a command on the laptop, in the project's directory, that must succeed.
func (p laptop) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := Within(t.Context(), buildDeadline, name+" "+strings.Join(args, " "))
	defer cancel()
	path := name
	if name == "docker" {
		path = filepath.Join(strings.Split(p.env[len(p.env)-1], ":")[1], name)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = p.env, filepath.Join(p.dir, "project"), 5*time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v; %v\n%s%s", name, strings.Join(args, " "), err, context.Cause(ctx), out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// testLaptop: a context over SSH, builds with the laptop's files, compose.
func testLaptop(t *testing.T, g *guest) {
	p := newLaptop(t, g)
	p.run(t, "docker", "context", "create", "vm", "--docker", "host=ssh://vm")
	name := p.run(t, "docker", "--context", "vm", "info", "-f", "{{.Name}} {{.ServerVersion}}")
	if want := g.run(t, "docker info -f '{{.Name}} {{.ServerVersion}}'"); name != want {
		t.Errorf("the context leads to %q, want %q", name, want)
	}

	p.run(t, "docker", "-H", "ssh://vm", "build", "-t", "laptop:build", ".")
	if out := p.run(t, "docker", "--context", "vm", "run", "--rm", "laptop:build", "/usr/bin/busybox", "cat", "/www/index.html"); out != "from the laptop" {
		t.Errorf("the image built over SSH holds %q", out)
	}
	p.run(t, "docker", "--context", "vm", "buildx", "build", "--output", "type=local,dest="+p.dir+"/out", ".")
	if text, err := os.ReadFile(filepath.Join(p.dir, "out", "www", "index.html")); err != nil || string(text) != "from the laptop\n" {
		t.Errorf("--output on the laptop: %q, %v", text, err)
	}

	p.env = append([]string{"WORD=said on the laptop"}, p.env...)
	p.run(t, "docker", "context", "use", "vm")
	p.run(t, "docker", "compose", "up", "--build", "--detach", "--wait", "web")
	p.run(t, "docker", "compose", "up", "--detach", "after")
	if out := p.run(t, "docker", "compose", "exec", "-T", "web", "/usr/bin/busybox", "sh", "-c", "echo $WORD"); out != "said on the laptop" {
		t.Errorf("the service's environment has %q", out)
	}
	g.eventuallyPrints(t, stepDeadline, "docker logs project-after-1", "from the laptop")
	if out := p.run(t, "docker", "compose", "logs", "--no-log-prefix", "after"); out != "from the laptop" {
		t.Errorf("docker compose logs prints %q", out)
	}
	if out := p.run(t, "docker", "compose", "ps", "--format", "{{.Service}} {{.Health}}"); out != "web healthy" {
		t.Errorf("docker compose ps prints %q", out)
	}
	p.run(t, "docker", "compose", "down", "--timeout", "1")
	if out := g.run(t, "docker ps -aq --filter label=com.docker.compose.project=project; docker network ls -q --filter name=project_"); out != "" {
		t.Errorf("docker compose down has left %s", out)
	}
}

// testProgram uses the engine as a Go program with Docker's SDK does, by SSH.
func testProgram(t *testing.T, g *guest) {
	ctx, cancel := Within(t.Context(), buildDeadline, "the program")
	defer cancel()
	c, err := client.New(client.WithHost("unix:///run/docker.sock"), client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return g.ssh.client.DialContext(ctx, "unix", "/run/docker.sock")
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const name = "program"
	seen := c.Events(ctx, client.EventsListOptions{Filters: make(client.Filters).Add("container", name)})

	_, err = c.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: &container.Config{
		Image: buildImage, OpenStdin: true, StdinOnce: true,
		Cmd: []string{"/usr/bin/busybox", "sh", "-c", "echo begun; read a; echo got $a; read a; exit 3"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	attached, err := c.ContainerAttach(ctx, name, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	ended := c.ContainerWait(ctx, name, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := c.ContainerStart(ctx, name, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(attached.Conn, "a word\n"); err != nil {
		t.Fatal(err)
	}
	said, write := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(write, io.Discard, attached.Reader)
		write.CloseWithError(err)
	}()
	lines := bufio.NewReader(said)
	for _, want := range []string{"begun\n", "got a word\n"} {
		if line, err := lines.ReadString('\n'); line != want {
			t.Fatalf("attach shows %q, %v; want %q", line, err, want)
		}
	}

	testProgramFiles(ctx, t, c, name)
	testProgramStats(ctx, t, c, name)
	if _, err := io.WriteString(attached.Conn, "end\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-ended.Result:
		if r.StatusCode != 3 {
			t.Errorf("the container ended with code %d, want 3", r.StatusCode)
		}
	case err := <-ended.Error:
		t.Fatal(err)
	}
	logs, err := c.ContainerLogs(ctx, name, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	var out, errs strings.Builder
	if _, err := stdcopy.StdCopy(&out, &errs, logs); err != nil || out.String() != "begun\ngot a word\n" || errs.String() != "" {
		t.Errorf("logs are %q and %q, %v", out.String(), errs.String(), err)
	}
	if _, err := c.ContainerRemove(ctx, name, client.ContainerRemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	testProgramEvents(t, seen)
}

// testProgramFiles copies a file in, reads it with exec, and copies it out.
func testProgramFiles(ctx context.Context, t *testing.T, c *client.Client, name string) {
	t.Helper()
	var archive bytes.Buffer
	if err := writeTar(&archive, file{"copied", 0o644, []byte("copied in\n")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CopyToContainer(ctx, name, client.CopyToContainerOptions{DestinationPath: "/", Content: &archive}); err != nil {
		t.Fatal(err)
	}
	made, err := c.ExecCreate(ctx, name, client.ExecCreateOptions{AttachStdout: true, AttachStderr: true,
		Env: []string{"CODE=7"}, Cmd: []string{"/usr/bin/busybox", "sh", "-c", "busybox cat /copied; exit $CODE"}})
	if err != nil {
		t.Fatal(err)
	}
	running, err := c.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	var out, errs strings.Builder
	if _, err := stdcopy.StdCopy(&out, &errs, running.Reader); err != nil || out.String() != "copied in\n" {
		t.Errorf("exec prints %q and %q, %v", out.String(), errs.String(), err)
	}
	if r, err := c.ExecInspect(ctx, made.ID, client.ExecInspectOptions{}); err != nil || r.ExitCode != 7 {
		t.Errorf("exec ended with code %d, %v; want 7", r.ExitCode, err)
	}
	back, err := c.CopyFromContainer(ctx, name, client.CopyFromContainerOptions{SourcePath: "/copied"})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Content.Close()
	r := tar.NewReader(back.Content)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != "copied in\n" {
		t.Errorf("what was copied out is %q, %v", text, err)
	}
}

// testProgramStats reads three samples of a stream.
func testProgramStats(ctx context.Context, t *testing.T, c *client.Client, name string) {
	t.Helper()
	stats, err := c.ContainerStats(ctx, name, client.ContainerStatsOptions{Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stats.Body.Close()
	var last time.Time
	dec := json.NewDecoder(stats.Body)
	for range 3 {
		var s container.StatsResponse
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		if s.MemoryStats.Usage == 0 || s.PidsStats.Current == 0 || !s.Read.After(last) {
			t.Errorf("sample of %s after %s: %d bytes, %d processes", s.Read, last, s.MemoryStats.Usage, s.PidsStats.Current)
		}
		last = s.Read
	}
}

// testProgramEvents: the stream has told the container's life in order.
func testProgramEvents(t *testing.T, seen client.EventsResult) {
	t.Helper()
	want := []events.Action{events.ActionCreate, events.ActionAttach, events.ActionStart, events.ActionExecDie, events.ActionDie, events.ActionDestroy}
	var got []events.Action
	for {
		select {
		case m := <-seen.Messages:
			if slices.Contains(want, m.Action) {
				got = append(got, m.Action)
			}
			if m.Action == events.ActionDie && m.Actor.Attributes["exitCode"] != "3" {
				t.Errorf("the event of its end says %v", m.Actor.Attributes)
			}
			if m.Action != events.ActionDestroy {
				continue
			}
			if !slices.Equal(got, want) {
				t.Errorf("events are %q, want %q", got, want)
			}
			return
		case err := <-seen.Err:
			t.Fatalf("the stream of events ended after %q: %v", got, err)
		}
	}
}
