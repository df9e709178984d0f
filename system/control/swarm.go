package control

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

func (h *handler) swarm(_ http.ResponseWriter, r *http.Request) (any, error) {
	s, err := h.backend.Swarm(r.Context())
	s.Managers, s.Reasons, s.Notes, s.Nodes = list(s.Managers), list(s.Reasons), list(s.Notes), list(s.Nodes)
	return s, err
}

func (h *handler) binds(_ http.ResponseWriter, r *http.Request) (any, error) {
	b, err := h.backend.Binds(r.Context())
	b.Binds = list(b.Binds)
	return b, err
}

// onlyRoot guards tokens and keys of the swarm: a manager's token gives root on
// every machine of it.
func onlyRoot(r *http.Request, what string) error {
	if !peerFrom(r.Context()).root() {
		return fmt.Errorf("%s: shown to root only, use sudo: %w", what, errdefs.ErrPermissionDenied)
	}
	return nil
}

func (h *handler) swarmToken(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyRoot(r, "join tokens of the swarm"); err != nil {
		return nil, err
	}
	var q api.SwarmTokenQuestion
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if q.Role != api.RoleWorker && q.Role != api.RoleManager {
		return nil, fmt.Errorf("role %q is not worker or manager: %w", q.Role, errdefs.ErrInvalidArgument)
	}
	if q.Rotate {
		h.log.Info("a new join token is asked for", "role", q.Role)
	}
	return answered(h.backend.SwarmToken(r.Context(), q.Role, q.Rotate))
}

func (h *handler) swarmKey(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := onlyRoot(r, "unlock key of the swarm"); err != nil {
		return nil, err
	}
	return answered(h.backend.SwarmUnlockKey(r.Context()))
}

func (h *handler) swarmUnlock(_ http.ResponseWriter, r *http.Request) (any, error) {
	var q api.SwarmKey
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if q.Key = strings.TrimSpace(q.Key); q.Key == "" {
		return nil, fmt.Errorf("the unlock key is missing: %w", errdefs.ErrInvalidArgument)
	}
	return nil, h.backend.SwarmUnlock(r.Context(), q.Key)
}

func answered[T any](out T, err error) (any, error) { return out, err }
