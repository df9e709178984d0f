package manager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pharos-os/pharos/console/setup"
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/services"
	"github.com/pharos-os/pharos/services/engine"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// imageBundle is where Debian keeps the bundle of certificates, in images.
const imageBundle = "/etc/ssl/certs/ca-certificates.crt"

// writeSettings writes the files that units find at their start and that are
// made from the configuration alone. What is wrong with them is a reason to
// be degraded until it is right.
func (m *Manager) writeSettings(c osconfig.Config) error {
	errs := []error{writeBundle(c.CACerts, filepath.Join(consoleTree(), imageBundle), engine.CertFile)}
	files, err := engine.TLSFiles(c.Rancher.Docker)
	errs = append(errs, err)
	for name, text := range files {
		perm := os.FileMode(0o644)
		if strings.HasSuffix(name, "key.pem") {
			perm = 0o600
		}
		errs = append(errs, os.MkdirAll(filepath.Dir(name), 0o700), atomicfile.WriteFile(name, []byte(text), perm))
	}
	if _, err := m.zone(c); err != nil {
		errs = append(errs, err)
	}
	m.setTimeServers()
	err = errors.Join(errs...)
	if err == nil {
		m.note("settings")
	} else {
		m.note("settings", strings.Split(err.Error(), "\n")...)
	}
	return err
}

// writeBundle writes what the engine and containerd trust. Where nothing is
// configured it is a link to each image's own bundle.
func writeBundle(c osconfig.CACerts, defaults, target string) error {
	if len(c.Trusted) == 0 && !c.RemoveDefaults {
		if old, err := os.Readlink(target); err == nil && old == imageBundle {
			return nil
		}
		next := target + ".new"
		os.Remove(next) // of an earlier try
		if err := errors.Join(os.Symlink(imageBundle, next), os.Rename(next, target)); err != nil {
			return fmt.Errorf("ca_certs: %w", err)
		}
		return nil
	}
	own, err := os.ReadFile(defaults)
	if err != nil {
		return fmt.Errorf("ca_certs: %w", err)
	}
	// The console says what does not parse.
	bundle, _ := setup.Bundle(c, own)
	if err := atomicfile.WriteFile(target, bundle, 0o644); err != nil {
		return fmt.Errorf("ca_certs: %w", err)
	}
	return nil
}

func (m *Manager) zone(c osconfig.Config) (string, error) {
	return services.PosixTZ(os.DirFS(filepath.Join(consoleTree(), "usr/share/zoneinfo")), c.Timezone)
}
