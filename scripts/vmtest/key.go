package vmtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Key is a key pair that a guest is given for its user.
type Key struct{ signer ssh.Signer }

// NewKey makes a key pair.
func NewKey() (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("SSH key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Key{}, fmt.Errorf("SSH key: %w", err)
	}
	return Key{signer}, nil
}

// Authorized returns the public half as a line of authorized_keys.
func (k Key) Authorized() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey()))) + " vmtest"
}

// LoadKey reads a key pair from path, or makes one and keeps it there.
func LoadKey(path string) (Key, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		signer, err := ssh.ParsePrivateKey(text)
		if err != nil {
			return Key{}, fmt.Errorf("SSH key %s: %w", path, err)
		}
		return Key{signer}, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return Key{}, fmt.Errorf("SSH key: %w", err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "vmtest")
	if err != nil {
		return Key{}, fmt.Errorf("SSH key: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return Key{}, fmt.Errorf("SSH key: %w", err)
	}
	return LoadKey(path)
}
