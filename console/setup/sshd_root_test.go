package setup

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestMain lets the test's own binary be ros-console in a root of its own.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PHAROS_TEST_ROOT"); dir != "" {
		if err := consoleIn(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// lowerRoot is the console's own image, if it has been built, else the
// toolbox, which has Debian's sshd.
func lowerRoot() (string, error) {
	image, err := filepath.Abs("../../build/images/console/rootfs")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(image + "/usr/sbin/sshd"); err == nil {
		return image, nil
	}
	return filepath.Abs("../../build/toolbox")
}

// consoleIn runs Main in a copy-on-write view of lowerRoot, with a /dev
// without any terminal.
func consoleIn(dir string) error {
	lower, err := lowerRoot()
	if err != nil {
		return err
	}
	if _, err := os.Stat(lower + "/usr/sbin/sshd"); err != nil {
		return fmt.Errorf("no sshd to test with, `make build/toolbox/.key` brings it: %w", err)
	}
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	upper, root := dir+"/upper", dir+"/root"
	steps := []func() error{
		func() error { return mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return mount("tmpfs", upper, "tmpfs", 0, "") },
		func() error { return os.MkdirAll(upper+"/u", 0o755) },
		func() error { return os.MkdirAll(upper+"/w", 0o755) },
		// What the test brings, also in place of what is there.
		func() error { return os.MkdirAll(dir+"/files", 0o755) },
		func() error { return os.CopyFS(upper+"/u", os.DirFS(dir+"/files")) },
		func() error {
			return mount("overlay", root, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+"/u,workdir="+upper+"/w")
		},
		func() error { return mount("proc", root+"/proc", "proc", 0, "") },
		func() error { return mount("tmpfs", root+"/run", "tmpfs", 0, "") },
		func() error { return mount("tmpfs", root+"/dev", "tmpfs", 0, "") },
		func() error { return unix.Mknod(root+"/dev/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) },
		func() error { return os.Chmod(root+"/dev/null", 0o666) },
		func() error { return mount(dir+"/run", root+"/run/pharos/console", "", unix.MS_BIND, "") },
		// What the machine gives the console besides.
		func() error { return os.MkdirAll(root+"/opt", 0o755) },
		func() error { return unix.Chroot(root) },
		func() error { return os.Chdir("/") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return Main(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

// startConsole runs consoleIn in namespaces of its own until the test ends.
func startConsole(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PHAROS_TEST_ROOT="+dir)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.WaitDelay = time.Second
	// A PID namespace, so that nothing is left behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("console ended with %v", err)
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return cmd
}

// freePort is one of the loopback's that nobody has.
func freePort(t *testing.T) (address string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String(), l.Addr().(*net.TCPAddr).Port
}

// TestRootSSH logs in to a real sshd: with the key of the plan, not with
// another, and after a change of plan with the new one only.
func TestRootSSH(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts, sshd")
	}
	dir := t.TempDir()
	address, port := freePort(t)
	first, firstLine := newKey(t)
	second, secondLine := newKey(t)
	plan := Plan{
		Keys: []string{firstLine}, SSH: SSH{Enabled: true, Port: port, Listen: "127.0.0.1"},
		Environment: map[string]string{"GREETING": `a "good" day`},
		Files:       []osconfig.File{{Path: "/home/rancher/file", Content: "mine", Owner: "rancher", Permissions: "0600"}},
		Commands:    []osconfig.Command{{Shell: "echo ran > /opt/ran"}},
	}
	planPath := filepath.Join(dir, "run/setup.json")
	if err := plan.Write(planPath); err != nil {
		t.Fatal(err)
	}
	cmd := startConsole(t, dir)

	login := func(user string, key ssh.Signer) (*ssh.Client, error) {
		return ssh.Dial("tcp", address, &ssh.ClientConfig{
			User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 5 * time.Second,
		})
	}
	var client *ssh.Client
	waitFor(t, func() bool {
		var err error
		client, err = login("rancher", first)
		return err == nil
	}, func() string { return "no login" })
	defer client.Close()
	status := func() Status { st, _ := ReadStatus(filepath.Join(dir, "run/status.json")); return st }
	waitFor(t, func() bool { return status().Done }, func() string { return fmt.Sprint(status()) })
	if p := status().Problems; len(p) > 0 {
		t.Errorf("problems %q", p)
	}

	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	session.Stdout, session.Stderr = &out, io.Discard
	if err := session.Run(`id -un; id -Gn; pwd; cat file; echo " $GREETING"; cat /opt/ran`); err != nil {
		t.Error(err)
	}
	if got, want := out.String(), "rancher\nrancher sudo pharos docker\n/home/rancher\nmine a \"good\" day\nran\n"; sortedWords(got) != sortedWords(want) {
		t.Errorf("session printed %q, want %q", got, want)
	}
	if c, err := login("rancher", second); err == nil {
		c.Close()
		t.Error("a key of nobody's lets in")
	}
	if c, err := login("root", first); err == nil {
		c.Close()
		t.Error("root logs in")
	}

	plan.Keys = []string{secondLine}
	if err := plan.Write(planPath); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		c, err := login("rancher", second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, func() string { return "the new key does not let in" })
	if c, err := login("rancher", first); err == nil {
		c.Close()
		t.Error("the old key still lets in")
	}
	if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		t.Errorf("the first session is gone: %v", err)
	}
}

func sortedWords(s string) string {
	// The order of groups is the system's.
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}
