package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Delegate makes the cgroup at path and hands every controller that there is
// on to its children.
func Delegate(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("cgroup controllers: %w", err)
	}
	// One by one: a controller that cannot be had must not cost the others.
	var errs []error
	for _, name := range strings.Fields(string(data)) {
		if err := os.WriteFile(filepath.Join(path, "cgroup.subtree_control"), []byte("+"+name), 0o644); err != nil {
			errs = append(errs, fmt.Errorf("cgroup controller %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
