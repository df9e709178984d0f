// Package ctrdtest runs the real cmd/containerd, containerd-shim-runc-v2 and
// runc for tests of what stands on them, with images of one static program.
// It refuses fakes, and it touches nothing outside a test's own directory but
// cgroups named after the test's units and the shims' sockets.
package ctrdtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Daemon is a running containerd of a test.
type Daemon struct {
	Dir     string // the test's directory, short enough for sockets
	Address string // containerd's socket
	Images  string // where Image puts images

	t   *testing.T
	bin string
	cmd *exec.Cmd
	// ended is closed when cmd has ended.
	ended chan struct{}
	log   bytes.Buffer
}

// Start builds what is needed, once per machine, and starts a containerd that
// ends with the test. Tests without root are skipped.
func Start(t *testing.T) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers")
	}
	dir, err := os.MkdirTemp("", "ctrd")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Dir: dir, Address: filepath.Join(dir, "containerd.sock"), Images: filepath.Join(dir, "images"), t: t, bin: Build(t)}
	t.Cleanup(func() {
		d.Stop()
		if t.Failed() && d.log.Len() > 0 {
			t.Logf("containerd: %s", d.log.String())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	d.Run()
	return d
}

// Run starts containerd, again after Kill or Stop, and waits until it listens.
func (d *Daemon) Run() {
	d.t.Helper()
	d.Launch()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		c, err := net.Dial("unix", d.Address)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("containerd does not listen: %v\n%s", err, d.log.String())
		}
	}
}

// Launch starts containerd and does not wait for it.
func (d *Daemon) Launch() {
	d.t.Helper()
	d.cmd = exec.Command(filepath.Join(d.bin, "containerd"),
		"--address", d.Address, "--root", filepath.Join(d.Dir, "root"), "--state", filepath.Join(d.Dir, "state"))
	d.cmd.Env = append(os.Environ(), "PATH="+d.bin+":"+os.Getenv("PATH"))
	d.cmd.Stderr = &d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Shims inherit the other end of the log's pipe and outlive containerd.
	d.cmd.WaitDelay = 100 * time.Millisecond
	cmd, begun, ended := d.cmd, make(chan error), make(chan struct{})
	go func() {
		// The kernel kills containerd when the thread that has started it ends, and
		// a thread that was in a container's namespace ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		begun <- err
		if err == nil {
			_ = cmd.Wait() // the code is the signal's
		}
	}()
	if err := <-begun; err != nil {
		d.t.Fatal(err)
	}
	d.ended = ended
}

// PID is containerd's process number.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Kill ends containerd with SIGKILL and waits until it is gone.
func (d *Daemon) Kill() { d.end(syscall.SIGKILL) }

// Stop ends containerd with SIGTERM and waits until it is gone.
func (d *Daemon) Stop() { d.end(syscall.SIGTERM) }

func (d *Daemon) end(sig syscall.Signal) {
	if d.cmd == nil {
		return
	}
	d.cmd.Process.Signal(sig)
	<-d.ended
	if sig == syscall.SIGTERM && d.cmd.ProcessState.ExitCode() != 0 {
		d.t.Errorf("containerd: %v after SIGTERM", d.cmd.ProcessState)
	}
	d.cmd = nil
}

// Image makes an image whose root holds /payload (see payload/main.go) and the
// empty directories that a container needs. Its command is "/payload wait".
func (d *Daemon) Image(name string) {
	d.t.Helper()
	root := filepath.Join(d.Images, name, "rootfs")
	for _, dir := range []string{"proc", "dev", "sys", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			d.t.Fatal(err)
		}
	}
	program, err := os.ReadFile(filepath.Join(d.bin, "payload"))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "payload"), program, 0o755); err != nil {
		d.t.Fatal(err)
	}
	config := `{"config":{"Entrypoint":["/payload"],"Cmd":["wait"],"Env":["FROM=image"]}}`
	if err := os.WriteFile(filepath.Join(d.Images, name, "config.json"), []byte(config), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// UnitName is a name that no other test process of this machine uses: runc's
// state and the cgroups are shared.
func UnitName(name string) string { return fmt.Sprintf("%s-%d", name, os.Getpid()) }
