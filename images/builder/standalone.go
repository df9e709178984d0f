package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Where Debian has the loader and the libraries of amd64.
const (
	loader    = "/usr/lib64/ld-linux-x86-64.so.2"
	libraries = "/usr/lib/x86_64-linux-gnu"
)

// standAlone writes into programs where their loader and their libraries are
// once the tree is mounted at s.Home. RPATH and not RUNPATH: it holds for the
// libraries that libraries need, too.
func (t tree) standAlone(ctx context.Context, s Standalone) error {
	if len(s.Programs) == 0 {
		return nil
	}
	file, err := filepath.EvalSymlinks(t.path(loader)) // the link may be absolute, and so lead out of Home
	if err != nil {
		return fmt.Errorf("standalone: %w", err)
	}
	file, inside := strings.CutPrefix(file, t.root+"/")
	if !inside {
		return fmt.Errorf("standalone: %s leads out of the tree", loader)
	}
	for _, p := range s.Programs {
		cmd := exec.CommandContext(ctx, "patchelf", "--set-interpreter", filepath.Join(s.Home, file),
			"--force-rpath", "--set-rpath", filepath.Join(s.Home, libraries), t.path(p))
		if _, err := output(cmd); err != nil {
			return fmt.Errorf("standalone: %s: %w", p, err)
		}
	}
	return nil
}
