package manager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pharos-os/pharos/services"
)

const cgroupRoot = "/sys/fs/cgroup"

// makeCgroups lays out the two halves of the machine: what keeps it alive
// gets memory that nobody can take, what users run gets a ceiling.
func makeCgroups(ram int64) error {
	b := services.Reserve(ram)
	var errs []error
	for _, g := range []struct {
		dir    string
		values map[string]string
	}{
		{"system", map[string]string{"memory.min": strconv.FormatInt(b.SystemMemoryMin, 10)}},
		{"system/containerd", nil},
		{"user", map[string]string{
			"memory.max": strconv.FormatInt(b.UserMemoryMax, 10),
			"pids.max":   strconv.FormatInt(b.UserPidsMax, 10),
			"cpu.weight": bootCPUWeight,
			"io.weight":  strconv.FormatUint(b.UserIOWeight, 10),
		}},
	} {
		dir := filepath.Join(cgroupRoot, g.dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			errs = append(errs, fmt.Errorf("cgroup %s: %w", g.dir, err))
			continue
		}
		for file, value := range g.values {
			if err := writeFile(filepath.Join(dir, file), value); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, fmt.Errorf("cgroup %s: %w", g.dir, err))
			}
		}
		if g.dir == "system" || g.dir == "user" {
			if err := delegate(dir); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// bootCPUWeight is the user half's share of the CPU until the machine is
// ready: the engine is what everybody waits for. The system's own start is
// what is left over (its weight is the kernel's default of 100).
const bootCPUWeight = "200"

// settleCgroups gives the halves the shares that they keep.
func settleCgroups(ram int64) error {
	weight := strconv.FormatUint(services.Reserve(ram).UserCPUWeight, 10)
	if err := writeFile(filepath.Join(cgroupRoot, "user/cpu.weight"), weight); err != nil {
		return fmt.Errorf("cgroup user: %w", err)
	}
	return nil
}

// delegate turns on the controllers that children of a cgroup use. One that
// the kernel lacks must not cost the others: each is written alone.
func delegate(dir string) error {
	var errs []error
	for _, c := range []string{"cpu", "cpuset", "io", "memory", "pids", "hugetlb"} {
		err := writeFile(filepath.Join(dir, "cgroup.subtree_control"), "+"+c)
		if err != nil && (c == "memory" || c == "pids") {
			errs = append(errs, fmt.Errorf("cgroup controller %s in %s: %w", c, dir, err))
		}
	}
	return errors.Join(errs...)
}

// writeFile writes to a file of the kernel, which exists already.
func writeFile(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func setOOMScore(pid, score int) error {
	return writeFile(filepath.Join("/proc", strconv.Itoa(pid), "oom_score_adj"), strconv.Itoa(score))
}
