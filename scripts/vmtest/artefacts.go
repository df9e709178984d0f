// Package vmtest boots real machines in QEMU and drives them: serial console,
// SSH, QMP, disks and NoCloud seeds. It owns how a virtual machine is described,
// started, watched and ended, and the judgement that a console log shows no
// accident. It refuses to know what Pharos should do (the tests in this folder
// say that) and to reach any network: guests see their host's forwards only.
package vmtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Artefacts are the files that `make` leaves in build/, absolute paths.
type Artefacts struct {
	Root      string // the repository
	ISO       string
	Vmlinuz   string
	Initrd    string
	SystemImg string
	// Cmdline is the kernel command line that names the root hash of SystemImg.
	Cmdline string
	// PXEInitrd is the initrd that holds the system image (INITRD_WITH_SYSTEM=1);
	// the file may be missing.
	PXEInitrd string
	// Flavor is FLAVOR of the last make.
	Flavor string
}

// FindRoot returns the repository's root: the nearest folder at or above dir
// that holds go.mod.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("repository root: %w", err)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.mod at or above %s", dir)
		}
	}
}

// LoadArtefacts describes the artefacts of the repository at root and reports
// every one that is missing.
func LoadArtefacts(root string) (Artefacts, error) {
	b := filepath.Join(root, "build")
	a := Artefacts{
		Root:      root,
		ISO:       filepath.Join(b, "pharos.iso"),
		Vmlinuz:   filepath.Join(b, "vmlinuz"),
		Initrd:    filepath.Join(b, "initrd"),
		SystemImg: filepath.Join(b, "system.img"),
		PXEInitrd: filepath.Join(b, "initrd-pxe"),
	}
	var errs []error
	for _, p := range []string{a.ISO, a.Vmlinuz, a.Initrd, a.SystemImg} {
		if _, err := os.Stat(p); err != nil {
			errs = append(errs, fmt.Errorf("artefact: %w", err))
		}
	}
	text, err := os.ReadFile(filepath.Join(b, "cmdline"))
	if err != nil {
		errs = append(errs, fmt.Errorf("artefact: %w", err))
	}
	a.Cmdline = strings.TrimSpace(string(text))
	if text, err = os.ReadFile(filepath.Join(b, ".flavor")); err != nil {
		errs = append(errs, fmt.Errorf("artefact: %w", err))
	}
	a.Flavor = strings.TrimSpace(string(text))
	return a, errors.Join(errs...)
}

// Toolbox says how a command is run with the toolbox's tools. It is the path of
// a program that takes the command as its arguments and sees the repository
// and the cache under the same paths as we do.
type Toolbox string

// FindToolbox returns scripts/toolbox of the repository at root, or what the
// variable PHAROS_TOOLBOX names instead.
func FindToolbox(root string) Toolbox {
	if p := os.Getenv("PHAROS_TOOLBOX"); p != "" {
		return Toolbox(p)
	}
	return Toolbox(filepath.Join(root, "scripts", "toolbox"))
}

// Command prepares name with args to run in the toolbox.
func (t Toolbox) Command(name string, args ...string) *exec.Cmd {
	return exec.Command(string(t), append([]string{name}, args...)...)
}

// Run runs a command in the toolbox to its end and returns what it wrote to
// standard output. An error holds what it wrote to standard error.
func (t Toolbox) Run(name string, args ...string) ([]byte, error) {
	cmd := t.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("toolbox %s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
