package swarm

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// managerName is the name of every manager in its certificate;
// github.com/moby/swarmkit/v2, ca.ManagerRole.
const managerName = "swarm-manager"

// errNoManager is the error when nothing answers that could be another manager.
var errNoManager = errors.New("no manager of rancher.docker.swarm.join answers")

// back finds a manager of rancher.docker.swarm.join through which a worker that
// leaves can join again, and returns its index. It does not try managers for
// which skip is true. The error says why there is none: what answers there may
// belong to another swarm or to none, or the token may have been rotated, and a
// worker that has left for it would be in no swarm.
func (r *Reconciler) back(ctx context.Context, want osconfig.Swarm, skip func(remote string) bool) (int, error) {
	const damaged = "the certificate of this machine's swarm cannot be read"
	roots, err := r.Dir.ReadFile("certificates/swarm-root-ca.crt", maxFile)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", damaged, err)
	}
	if !tokenOf(want.Join.Token, roots) {
		return 0, errors.New("rancher.docker.swarm.join.token is of another swarm, or from before a change of this swarm's certificate: " + tokenHint)
	}
	why := errNoManager
	for at, remote := range want.Join.Remote {
		remote = hostPort(remote)
		if skip(remote) || r.Dial(ctx, remote) != nil {
			continue
		}
		if err := r.Belongs(ctx, remote, roots); err != nil {
			why = fmt.Errorf("%s is not a manager of this machine's swarm: %w", remote, err)
			continue
		}
		if err := r.Admits(ctx, remote, roots, want.Join.Token); err != nil {
			why = fmt.Errorf("%s: %w", remote, err)
			continue
		}
		return at, nil
	}
	return 0, why
}

// belongs checks that a manager of the swarm with these root certificates, in
// PEM, listens at an address. It proves that with its key, as to every node.
func belongs(ctx context.Context, address string, roots []byte) error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return errors.New("the certificate of this machine's swarm is damaged")
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: managerName, NextProtos: []string{"h2"}}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// tokenOf reports whether a join token is of the swarm with these root
// certificates: it holds their digest, SWMTKN-1-DIGEST-SECRET or
// SWMTKN-2-FIPS-DIGEST-SECRET; github.com/moby/swarmkit/v2, ca.ParseJoinToken.
func tokenOf(token string, roots []byte) bool {
	const base = 36
	parts := strings.Split(token, "-")
	if len(parts) < 4 {
		return false
	}
	digest, ok := new(big.Int).SetString(parts[len(parts)-2], base)
	sum := sha256.Sum256(roots)
	return ok && digest.Cmp(new(big.Int).SetBytes(sum[:])) == 0
}
