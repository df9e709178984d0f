package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/netconf/hooks"
)

// TestMain makes the test binary the program of the tree: it is static.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && filepath.Base(os.Args[0]) == "payload" {
		os.Exit(payload(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func payload(args []string) int {
	switch args[0] {
	case "show":
		exe, _ := os.Readlink("/proc/self/exe")
		net, _ := os.Readlink("/proc/self/ns/net")
		fmt.Println("exe", exe)
		fmt.Println("net", net)
		fmt.Println("args", len(args), args[1:])
		fmt.Println("env", os.Getenv("PATH"), os.Getenv("http_proxy"))
		if sid, err := unix.Getsid(0); err == nil && sid == os.Getpid() {
			fmt.Println("own session")
		}
		if err := os.WriteFile("/made", nil, 0o644); errors.Is(err, unix.EROFS) {
			fmt.Println("read-only")
		}
		text, _ := os.ReadFile("/run/pharos-hooks-test")
		fmt.Fprintln(os.Stderr, "run", string(text))
	case "fail":
		fmt.Println("something is wrong")
		return 3
	case "hang":
		child := exec.Command("/proc/self/exe", "wait")
		child.Args[0] = "payload"
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("child", child.Process.Pid)
		forever()
	case "wait":
		fmt.Println("waiting")
		forever()
	}
	return 0
}

// forever waits for a signal that nobody sends.
func forever() {
	never := make(chan os.Signal, 1)
	signal.Notify(never, unix.SIGUSR2)
	<-never
}

// lines collects the attribute line of log records.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) WithGroup(string) slog.Handler { return l }

func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "line" {
			l.mu.Lock()
			l.list = append(l.list, a.Value.String())
			l.mu.Unlock()
		}
		return true
	})
	return nil
}

// tree makes an image whose /usr/bin has the payload.
func tree(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts, chroot")
	}
	root := t.TempDir()
	for _, dir := range []string{"proc", "sys", "dev", "run", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/payload"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestRootRun(t *testing.T) {
	root := tree(t)
	const shared = "/run/pharos-hooks-test"
	if err := os.WriteFile(shared, []byte("seen"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(shared)
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	r := hooks.New(hooks.Options{Tree: root, Log: slog.New(log), Environment: func() []string { return []string{"http_proxy=http://p:1"} }})
	if err := r.Run(t.Context(), []string{"payload", "show", "$HOME; *", "two words"}); err != nil {
		t.Fatal(err)
	}
	net, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"exe /usr/bin/payload", "net " + net, "args 3 [$HOME; * two words]", "own session", "read-only", "run seen",
		"env /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin http://p:1",
	} {
		if !slices.Contains(log.list, want) {
			t.Errorf("no line %q in %q", want, log.list)
		}
	}
	if err := r.Run(t.Context(), []string{"/bin/payload", "fail"}); err == nil || err.Error() != "/bin/payload: something is wrong: exit status 3" {
		t.Errorf("a failure: %v", err)
	}
	for _, args := range [][]string{nil, {""}, {"nothing"}, {"./payload"}, {"/nothing"}} {
		if err := r.Run(t.Context(), args); err == nil {
			t.Errorf("%q went well", args)
		}
	}
	after, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != string(before) {
		t.Errorf("the machine's mounts have changed:\n%s\n%s", before, after)
	}
	// No thread of this process may be left in a command's namespace.
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	soon(t, "no thread in a namespace that is not "+own, func() bool {
		threads, err := filepath.Glob("/proc/self/task/*/ns/mnt")
		if err != nil || len(threads) == 0 {
			t.Fatal(threads, err)
		}
		return !slices.ContainsFunc(threads, func(path string) bool {
			ns, err := os.Readlink(path)
			return err == nil && ns != own
		})
	})
}

// soon waits for what the kernel does by itself: a thread or a process that
// was told to end takes a moment.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestRootDeadline(t *testing.T) {
	root := tree(t)
	log := &lines{}
	r := hooks.New(hooks.Options{Tree: root, Log: slog.New(log), Timeout: 500 * time.Millisecond})
	begin := time.Now()
	err := r.Run(t.Context(), []string{"payload", "hang"})
	if err == nil || err.Error() != "payload: killed after 500ms" {
		t.Errorf("a command that hangs: %v", err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	var child int
	for _, l := range log.list {
		if s, ok := strings.CutPrefix(l, "child "); ok {
			if _, err := fmt.Sscan(s, &child); err != nil {
				t.Fatal(err)
			}
		}
	}
	if child == 0 {
		t.Fatalf("no child in %q", log.list)
	}
	soon(t, "the end of the command's child", func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		return err != nil || strings.Contains(string(state), ") Z ")
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("shutdown")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if err := r.Run(ctx, []string{"payload", "hang"}); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}
