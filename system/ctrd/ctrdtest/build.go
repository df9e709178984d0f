package ctrdtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Build builds the programs, once per test process, into the directory that
// PHAROS_TESTBIN names or one that all tests of a machine share, and returns
// it. Versions are go.mod's; a lock lets test processes share the directory.
func Build(t *testing.T) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var built = sync.OnceValues(build)

func build() (string, error) {
	dir := os.Getenv("PHAROS_TESTBIN")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "pharos-testbin")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	const static = "-s -w"
	for _, p := range []struct{ name, pkg, cgo, tags, ldflags string }{
		{"containerd", "github.com/pharos-os/pharos/cmd/containerd", "0", "", static},
		{"containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", "0", "", static},
		{"runc", "github.com/opencontainers/runc", "1", "seccomp netgo osusergo", static + " -extldflags -static"},
		{"payload", "github.com/pharos-os/pharos/system/ctrd/ctrdtest/payload", "0", "", static},
	} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", p.tags, "-ldflags", p.ldflags, "-o", filepath.Join(dir, p.name), p.pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+p.cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", p.name, err, out)
		}
	}
	return dir, nil
}
