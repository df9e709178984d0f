package setup

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const (
	bundleFile = "/etc/ssl/certs/ca-certificates.crt"
	// bundleImage is what the image brought, kept aside once the bundle is
	// another one.
	bundleImage = "/etc/ssl/certs/.ca-certificates.image"
)

// caCerts makes the bundle that curl and others trust.
func (s *setup) caCerts(c osconfig.CACerts) error {
	own, err := os.ReadFile(s.path(bundleImage))
	if errors.Is(err, os.ErrNotExist) {
		if len(c.Trusted) == 0 && !c.RemoveDefaults {
			return nil
		}
		if own, err = os.ReadFile(s.path(bundleFile)); err == nil {
			err = writeState(s.path(bundleImage), own, 0o644)
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("ca_certs: %w", err)
	}
	bundle, problem := Bundle(c, own)
	return errors.Join(problem, s.writeChanged(bundleFile, bundle, 0o644))
}

// Bundle is a bundle of certificates in PEM form: the defaults and the
// configured ones. One that does not parse is left out and said.
func Bundle(c osconfig.CACerts, defaults []byte) ([]byte, error) {
	var out bytes.Buffer
	if !c.RemoveDefaults {
		out.Write(bytes.TrimRight(defaults, "\n"))
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
	}
	var errs []error
	for i, text := range c.Trusted {
		found := 0
		for rest := []byte(text); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if _, err := x509.ParseCertificate(block.Bytes); block.Type != "CERTIFICATE" || err != nil {
				continue
			}
			found++
			// Without headers and comments, which some readers trip over.
			out.Write(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))
		}
		if found == 0 {
			errs = append(errs, fmt.Errorf("ca_certs: trusted[%d] is no certificate in PEM form", i))
		}
	}
	return out.Bytes(), errors.Join(errs...)
}
