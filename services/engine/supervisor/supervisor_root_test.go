package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/keep"
)

// TestMain lets the test's own binary be the supervisor in a PID namespace
// and the two daemons that it runs there.
func TestMain(m *testing.M) {
	dir := os.Getenv("PHAROS_TEST_DIR")
	switch {
	case dir == "":
		os.Exit(m.Run())
	case os.Getenv("PHAROS_TEST_DAEMON") == "":
		fakeUnit(dir)
	case len(os.Args) > 2 && os.Args[1] == "--address":
		fakeContainerd(os.Args[2])
	default:
		fakeDockerd(dir)
	}
}

// fakeUnit is process 1: the real thing, with the fakes for daemons.
func fakeUnit(dir string) {
	os.Setenv("PHAROS_TEST_DAEMON", "1")
	ctx, cancel := untilStopSignal(context.Background())
	defer cancel()
	self := []string{"/proc/self/exe"}
	err := Run(ctx, Options{
		Config:      map[string]any{"live-restore": true, "data-root": dir + "/data", "group": "0"},
		StopTimeout: 8 * time.Second,
		Go:          os.Getenv("PHAROS_TEST_GO"),
		UserConfig:  os.Getenv("PHAROS_TEST_CONFIG"),
		Renewal:     dir + "/renewal.json",
		Containerd:  self, Dockerd: self,
		Run: dir + "/run", Cgroup: dir + "/cgroup", ProcSys: dir + "/sys",
		Backoff: keep.Backoff{Min: 20 * time.Millisecond},
	}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fakeContainerd(socket string) {
	l, err := net.Listen("unix", socket) // a stale socket would refuse this
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
}

// fakeDockerd does what the supervisor relies on: a pid file that must not be
// there, an event after a reload, containers that stop only without
// live-restore. GET /kill is the privileged container.
func fakeDockerd(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fake dockerd:", err)
			os.Exit(1)
		}
	}
	pidfile, err := os.OpenFile(dir+"/run/docker.pid", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	fail(err)
	pidfile.Close()
	liveRestore := func() bool {
		text, err := os.ReadFile(os.Args[2])
		fail(err)
		var config map[string]any
		fail(json.Unmarshal(text, &config))
		return config["live-restore"] == true
	}
	reloaded := make(chan bool)
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) {
		conn, err := net.Dial("unix", dir+"/run/containerd/containerd.sock")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		conn.Close()
		fmt.Fprint(w, os.Getpid())
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		if r.URL.Query().Get("filters") == `{"event":["reload"]}` && <-reloaded {
			fmt.Fprintln(w, `{"Action":"reload"}`)
		}
	})
	mux.HandleFunc("/kill", func(http.ResponseWriter, *http.Request) {
		n, _ := strconv.Atoi(os.Getenv("PHAROS_TEST_SIGNAL"))
		syscall.Kill(-1, syscall.Signal(n))
		syscall.Kill(1, syscall.Signal(n))
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	mux.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	mux.HandleFunc("/hang", func(http.ResponseWriter, *http.Request) { syscall.Kill(os.Getpid(), syscall.SIGSTOP); select {} })
	if os.Getenv("LISTEN_FDS") != "1" {
		fail(errors.New("no socket was handed down"))
	}
	l, err := net.FileListener(os.NewFile(3, "socket"))
	fail(err)
	go http.Serve(l, mux)

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	restore := liveRestore()
	for s := range signals {
		if s == syscall.SIGHUP {
			restore = liveRestore()
			reloaded <- true
			continue
		}
		fail(os.WriteFile(dir+"/stopped", fmt.Appendf(nil, "containers left: %v", restore), 0o600))
		return
	}
}

// unit is a supervisor in a PID namespace of its own.
type unit struct {
	dir string
	cmd *exec.Cmd
	log *os.File
}

func start(t *testing.T, sig syscall.Signal) *unit {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: PID namespace")
	}
	u := &unit{dir: t.TempDir()}
	for _, d := range []string{"run", "sys/net/ipv4", "cgroup/containers"} {
		if err := os.MkdirAll(filepath.Join(u.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Files that the kernel has there.
	for name, text := range map[string]string{"cgroup/cgroup.procs": "1\n", "cgroup/cgroup.controllers": "cpu memory pids\n", "run/docker.pid": "2"} {
		if err := os.WriteFile(filepath.Join(u.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if u.log, err = os.Create(u.dir + "/log"); err != nil {
		t.Fatal(err)
	}
	u.cmd = exec.Command("/proc/self/exe")
	u.cmd.Env = append(os.Environ(), "PHAROS_TEST_DIR="+u.dir, fmt.Sprintf("PHAROS_TEST_SIGNAL=%d", sig))
	u.cmd.Stdout, u.cmd.Stderr = u.log, u.log
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		u.cmd.Process.Kill()
		u.cmd.Wait()
		u.log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(u.dir + "/log")
			t.Logf("log:\n%s", text)
		}
	})
	return u
}

func (u *unit) get(path string) (string, error) {
	conn, err := net.DialTimeout("unix", u.dir+"/run/docker.sock", time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", path)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text := make([]byte, 64)
	n, _ := answer.Body.Read(text)
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", answer.Status, text[:n])
	}
	return string(text[:n]), nil
}

// ready waits until both daemons answer; it returns dockerd's PID.
func (u *unit) ready(t *testing.T, other string) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		pid, err := u.get("/_ping")
		if err == nil && pid != other {
			return pid
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not ready within 10 s: %v", err)
		}
	}
}

// end asks for the end and waits for it.
func (u *unit) end(t *testing.T) {
	t.Helper()
	if err := u.cmd.Process.Signal(StopSignal); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- u.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("supervisor ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("not stopped within 10 s")
	}
}

// stop is an end that must be an orderly one.
func (u *unit) stop(t *testing.T) {
	t.Helper()
	u.end(t)
	text, err := os.ReadFile(u.dir + "/stopped")
	if err != nil || string(text) != "containers left: false" {
		t.Errorf("dockerd's end: %q, %v", text, err)
	}
	text, _ = os.ReadFile(u.dir + "/run/docker-daemon.json")
	if !strings.Contains(string(text), `"live-restore": false`) {
		t.Errorf("configuration at the end: %s", text)
	}
}

func TestRootSupervisorStops(t *testing.T) {
	u := start(t, 0)
	u.ready(t, "")
	u.stop(t)
	forward, err := os.ReadFile(u.dir + "/sys/net/ipv4/ip_forward")
	if err != nil || string(forward) != "1" {
		t.Errorf("ip_forward %q, %v", forward, err)
	}
	moved, err := os.ReadFile(u.dir + "/cgroup/engine/cgroup.procs")
	if err != nil || string(moved) != "1" {
		t.Errorf("processes of the leaf %q, %v", moved, err)
	}
}

func TestRootSupervisorStopsPastHungDockerd(t *testing.T) {
	u := start(t, 0)
	u.ready(t, "")
	if _, err := u.get("/hang"); err == nil {
		t.Error("the hung one answered")
	}
	u.end(t)
}

// What a privileged container can do to the namespace: the daemons die, the
// supervisor does not, and the engine answers again.
func TestRootSupervisorSurvivesKillAll(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			u := start(t, sig)
			pid := u.ready(t, "")
			begin := time.Now()
			if _, err := u.get("/kill"); err == nil {
				t.Error("the killer answered")
			}
			u.ready(t, pid)
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("back after %v", took)
			}
			os.Remove(u.dir + "/stopped")
			u.stop(t)
		})
	}
}

// A client that has the socket, a container that has bound it for instance,
// asks while dockerd is dead: the next dockerd answers.
func TestRootSupervisorKeepsSocket(t *testing.T) {
	u := start(t, 0)
	u.ready(t, "")
	before, err := os.Stat(u.dir + "/run/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.get("/die"); err == nil {
		t.Error("the dead one answered")
	}
	if _, err := u.get("/_ping"); err != nil { // waits, and is not refused
		t.Errorf("asked at once after dockerd's death: %v", err)
	}
	after, err := os.Stat(u.dir + "/run/docker.sock")
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket is another one, %v", err)
	}
	// One that was deleted is back with the next dockerd.
	if err := os.Remove(u.dir + "/run/docker.sock"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(u.childOf(t, "dockerd"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	u.ready(t, "")
	u.stop(t)
}

// Without the file neither daemon starts, and a stop ends the wait.
func TestRootSupervisorWaitsForTheWord(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PHAROS_TEST_GO", dir+"/go")
	u := start(t, 0)
	u.logs(t, "waits until containers may start")
	if _, err := os.Stat(u.dir + "/run/docker.sock"); err == nil {
		t.Error("the socket is there: who asks would wait for what he has to say himself")
	}
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u.ready(t, "")
	u.stop(t)

	os.Remove(dir + "/go")
	u = start(t, 0)
	u.logs(t, "waits until containers may start")
	u.end(t)
}

// The user's file may be one of those that are waited for. Its group owns the
// API socket.
func TestRootSupervisorReadsFileThatComes(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PHAROS_TEST_GO", dir+"/go")
	t.Setenv("PHAROS_TEST_CONFIG", dir+"/daemon.json")
	u := start(t, 0)
	u.logs(t, "waits until containers may start")
	if err := errors.Join(os.WriteFile(dir+"/daemon.json", []byte(`{"bip":"10.9.0.1/24","group":"1234"}`), 0o600), os.WriteFile(dir+"/go", nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	u.ready(t, "")
	if text, err := os.ReadFile(u.dir + "/run/docker-daemon.json"); err != nil || !strings.Contains(string(text), "10.9.0.1/24") {
		t.Errorf("dockerd's configuration is %s, %v", text, err)
	}
	var socket syscall.Stat_t
	if err := syscall.Stat(u.dir+"/run/docker.sock", &socket); err != nil || socket.Gid != 1234 || socket.Mode&0o777 != 0o660 {
		t.Errorf("the socket belongs to group %d with mode %o, %v", socket.Gid, socket.Mode&0o777, err)
	}
	u.stop(t)
}

// dockerd alone is started anew with another configuration, and its containers
// stay, unless the new one has no live restore.
func TestRootSupervisorRenewsDockerd(t *testing.T) {
	u := start(t, 0)
	first := u.ready(t, "")
	renew := func(more string, flags ...string) {
		t.Helper()
		u.renew(t, more, append(flags, "--", "--dns=10.0.0.1")...)
	}
	renew(`"live-restore":true,"bip":"10.9.0.1/24"`)
	u.ready(t, first)
	if text, err := os.ReadFile(u.dir + "/stopped"); err != nil || string(text) != "containers left: true" {
		t.Errorf("the first dockerd's end: %q, %v", text, err)
	}
	if text, err := os.ReadFile(u.dir + "/run/docker-daemon.json"); err != nil || !strings.Contains(string(text), "10.9.0.1/24") {
		t.Errorf("the second dockerd's configuration: %s, %v", text, err)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", u.childOf(t, "dockerd")))
	if err != nil || !strings.Contains(string(cmdline), "--dns=10.0.0.1") {
		t.Errorf("the second dockerd's arguments: %q, %v", cmdline, err)
	}
	second := u.ready(t, first)
	renew(`"live-restore":true,"bip":"10.9.0.1/24"`) // as before: the unit may have restarted with something else meanwhile
	u.ready(t, second)
	renew(`"live-restore":false`)
	u.logs(t, "dockerd keeps its configuration")
	if err := os.Remove(u.dir + "/stopped"); err != nil {
		t.Fatal(err)
	}
	u.stop(t)
}

// Where only the time to stop differs, dockerd runs on. A renewal during the
// wait for files counts.
func TestRootSupervisorTakesStopTimeout(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PHAROS_TEST_GO", dir+"/go")
	u := start(t, 0)
	u.logs(t, "waits until containers may start")
	u.renew(t, `"live-restore":true`, "--stop-timeout=9s")
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u.logs(t, "another time to stop\" timeout=9s")
	pid := u.ready(t, "")
	u.renew(t, `"live-restore":true`, "--stop-timeout=1m30s")
	u.logs(t, "another time to stop\" timeout=1m30s")
	if now, err := u.get("/_ping"); err != nil || now != pid {
		t.Errorf("dockerd was process %s and is %s, %v", pid, now, err)
	}
	u.stop(t)
	u.logs(t, "msg=stopping timeout=1m30s")
}

// renew writes arguments for another dockerd.
func (u *unit) renew(t *testing.T, config string, more ...string) {
	t.Helper()
	config = fmt.Sprintf(`--config={"data-root":%q,"group":"0",%s}`, u.dir+"/data", config)
	text, err := json.Marshal(append([]string{config}, more...))
	if err == nil {
		err = os.WriteFile(u.dir+"/renewal.new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(u.dir+"/renewal.new", u.dir+"/renewal.json")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// childOf finds the process of a daemon, by how the fakes are called.
func (u *unit) childOf(t *testing.T, name string) int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", u.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, list := range lists { // each thread has its own
		text, _ := os.ReadFile(list)
		pids = append(pids, strings.Fields(string(text))...)
	}
	for _, pid := range pids {
		cmdline, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		if strings.Contains(string(cmdline), "--config-file") == (name == "dockerd") {
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no process of %s", name)
	return 0
}

// logs waits for a line of the supervisor's.
func (u *unit) logs(t *testing.T, text string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		if log, _ := os.ReadFile(u.dir + "/log"); strings.Contains(string(log), text) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nothing says %q within 10 s", text)
		}
	}
}
