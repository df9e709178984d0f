package pid1

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/kmsg"
	"github.com/pharos-os/pharos/system/linux"
)

// role says which of the processes of TestRootNamespace this binary is.
const role = "PHAROS_PID1_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "init":
		namespaceInit()
	case "rosd":
		fakeManager()
	case "parent": // leaves an orphan behind
		startRole("orphan")
	case "orphan":
		<-time.After(200 * time.Millisecond)
	default:
		m.Run() // TestMain's return sets the exit code
	}
}

func startRole(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{role + "=" + name}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Println("start", name, err)
	}
	return cmd
}

// TestRootNamespace runs the real reaper, launcher, loop and end in a PID and
// mount namespace of their own: the manager is killed once and comes back, an
// orphan is reaped, SIGTERM becomes an ordered shutdown, and reboot(2) is
// called, which in a namespace kills its init with SIGINT.
func TestRootNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: PID and mount namespaces")
	}
	// It runs where there is no dynamic linker.
	program, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if libraries, err := program.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Fatalf("test binary not static (%v %v): run the root ring without -race", libraries, err)
	}
	root := t.TempDir()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	output, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	init := exec.Command("/proc/self/exe")
	init.Env = []string{role + "=init", "ROOT=" + root}
	init.Stdout, init.Stderr = w, w
	init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET}
	if err := os.WriteFile(filepath.Join(root, "rosd"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := init.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	killer := time.AfterFunc(30*time.Second, func() { init.Process.Kill() })
	defer killer.Stop()

	var log bytes.Buffer
	asked := false
	buf := make([]byte, 4096)
	for {
		n, err := output.Read(buf)
		log.Write(buf[:n])
		if !asked && strings.Contains(log.String(), "manager is ready") {
			asked = true
			init.Process.Signal(unix.SIGTERM)
		}
		if err != nil {
			break
		}
	}
	init.Wait() // killed by SIGINT, so always an error
	status := init.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != unix.SIGINT {
		t.Errorf("init ended with %v, want SIGINT from reboot(2)", init.ProcessState)
	}
	for _, want := range []string{
		"rosd: first run", `init: manager ended reason="signal killed"`, "rosd: second run", "rosd: orphan reaped",
		"rosd: shutdown poweroff", "init: manager is done action=poweroff", "init: calling the kernel action=poweroff",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}

// namespaceInit is PID 1. Before anything else it leaves the host's mounts:
// the end of the machine unmounts everything that it sees.
func namespaceInit() {
	if err := enterEmptyRoot(os.Getenv("ROOT")); err != nil {
		fmt.Println("root of the namespace:", err)
		return
	}
	log := kmsg.NewLogger(os.Stdout, "init")
	reaper := NewReaper()
	go reaper.Run(context.Background())
	watchdog := &Watchdog{Path: "/dev/watchdog", Log: log}
	manager := &Launcher{Path: "/rosd", Kmsg: os.Stdout, Reaper: reaper, Env: []string{role + "=rosd"}}
	p := &PID1{Log: log, Start: manager.Start, Signals: Notify(), Watchdog: watchdog, Crashed: func(string, []string, bool) {}}
	(&Final{Log: log, Reaper: reaper, Watchdog: watchdog}).End(p.Run(context.Background()))
}

func enterEmptyRoot(root string) error {
	if err := linux.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	program, err := os.ReadFile(filepath.Join(root, "rosd"))
	if err != nil {
		return err
	}
	if err := linux.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		return err
	}
	for _, dir := range []string{"proc", "old", "dev"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(root, "rosd"), program, 0o755); err != nil {
		return err
	}
	if err := unix.Mknod(filepath.Join(root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, filepath.Join(root, "old")); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := linux.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := linux.Unmount("/old", unix.MNT_DETACH); err != nil {
		return err
	}
	if mounts, err := linux.Mounts(); err != nil || len(mounts) != 2 {
		return fmt.Errorf("mounts of the host in sight: %v %v", mounts, err)
	}
	return nil
}

func fakeManager() {
	conn := os.NewFile(3, "init")
	if _, err := os.Stat("/once"); err != nil {
		fmt.Println("first run")
		os.WriteFile("/once", nil, 0o644)
		unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	fmt.Println("second run")
	fmt.Fprintln(conn, "alive")
	startRole("parent").Wait()
	for range 100 { // the orphan is gone when only PID 1 and this are left
		if pids, _ := filepath.Glob("/proc/[0-9]*"); len(pids) == 2 {
			fmt.Println("orphan reaped")
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	fmt.Println("manager is ready")
	buf := make([]byte, 100)
	n, err := conn.Read(buf)
	if err != nil && err != io.EOF {
		fmt.Println(err)
	}
	fmt.Print(string(buf[:n]))
	fmt.Fprintln(conn, "deadline 5\ndone "+strings.TrimSpace(strings.TrimPrefix(string(buf[:n]), "shutdown ")))
	select {}
}
