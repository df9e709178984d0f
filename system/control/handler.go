package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

// maxBody bounds what a request may carry: the largest body is a whole
// configuration, of which JSON can double every byte.
const maxBody = 4 << 20

// route is one row of the API: which request, and what answers it. The
// answer is sent as JSON, nil as 204; a handler that writes by itself
// returns sent.
type route struct {
	Pattern string // of http.ServeMux
	Answer  func(h *handler, w http.ResponseWriter, r *http.Request) (any, error)
}

// routes is the whole API.
func routes() []route {
	return []route{
		{"GET " + api.PathStatus, (*handler).status},
		{"GET " + api.PathBoot, (*handler).boot},
		{"GET " + api.PathServices, (*handler).services},
		{"GET " + api.PathServices + "/{name}/processes", (*handler).processes},
		{"POST " + api.PathServices + "/{name}/start", (*handler).start},
		{"POST " + api.PathServices + "/{name}/stop", (*handler).stop},
		{"POST " + api.PathServices + "/{name}/restart", (*handler).restart},
		{"GET " + api.PathLogs, (*handler).logs},
		{"GET " + api.PathConfig, (*handler).config},
		{"POST " + api.PathConfigEdit, (*handler).configEdit},
		{"GET " + api.PathConfigFile, (*handler).configFile},
		{"GET " + api.PathConfigOrigin, (*handler).configOrigin},
		{"GET " + api.PathConfigDiff, (*handler).configDiff},
		{"POST " + api.PathConfigApply, (*handler).configApply},
		{"POST " + api.PathConfigConfirm, (*handler).configConfirm},
		{"GET " + api.PathConfigHistory, (*handler).configHistory},
		{"POST " + api.PathConfigRollback, (*handler).configRollback},
		{"GET " + api.PathConfigSources, (*handler).configSources},
		{"GET " + api.PathNetwork, (*handler).network},
		{"POST " + api.PathNetworkPlan, (*handler).networkPlan},
		{"POST " + api.PathNetworkApply, (*handler).networkApply},
		{"POST " + api.PathNetworkLinks + "/{name}/renew", (*handler).networkRenew},
		{"GET " + api.PathBinds, (*handler).binds},
		{"GET " + api.PathSwarm, (*handler).swarm},
		{"POST " + api.PathSwarmToken, (*handler).swarmToken},
		{"GET " + api.PathSwarmKey, (*handler).swarmKey},
		{"POST " + api.PathSwarmUnlock, (*handler).swarmUnlock},
		{"POST " + api.PathShutdown, (*handler).shutdown},
		{"/", (*handler).nothing},
	}
}

// sent is the answer of a handler that has written its answer itself.
type sent struct{}

type handler struct {
	backend Backend
	gid     int
	log     *slog.Logger
}

func newHandler(b Backend, gid int, log *slog.Logger) http.Handler {
	h := &handler{backend: b, gid: gid, log: log}
	mux := http.NewServeMux()
	for _, rt := range routes() {
		mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, rt) })
	}
	return mux
}

// serve is what every request has in common.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, rt route) {
	if p := peerFrom(r.Context()); !p.root() && !p.member(h.gid) {
		h.fail(w, r, fmt.Errorf("user %d may not control this machine: be root or in the group pharos: %w", p.UID, errdefs.ErrPermissionDenied))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	answer, err := rt.Answer(h, w, r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	switch answer.(type) {
	case sent:
	case nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		h.send(w, r, http.StatusOK, answer)
	}
}

func (h *handler) send(w http.ResponseWriter, r *http.Request, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.log.Debug("answer not delivered", "path", r.URL.Path, "error", err)
	}
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := statusOf(err)
	h.log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "status", code, "error", err)
	h.send(w, r, code, api.Error{Error: sentence(err)})
}

// nothing answers what is not in the table.
func (h *handler) nothing(_ http.ResponseWriter, r *http.Request) (any, error) {
	return nil, fmt.Errorf("this manager has no %s %s: %w", r.Method, r.URL.Path, errdefs.ErrNotFound)
}

// statusOf is the HTTP status of an error, by its errdefs class.
func statusOf(err error) int {
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return http.StatusRequestEntityTooLarge
	case errdefs.IsNotFound(err):
		return http.StatusNotFound
	case errdefs.IsInvalidArgument(err):
		return http.StatusBadRequest
	case errdefs.IsPermissionDenied(err):
		return http.StatusForbidden
	case errdefs.IsAlreadyExists(err), errdefs.IsConflict(err), errdefs.IsFailedPrecondition(err):
		return http.StatusConflict
	case errdefs.IsUnavailable(err):
		return http.StatusServiceUnavailable
	case errdefs.IsDeadlineExceeded(err):
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// decode reads a request's JSON body into v; anything that v does not have is
// an error, so that a misspelt field is not taken for its default.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return err
		}
		return fmt.Errorf("request body: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("request body: more than one value: %w", errdefs.ErrInvalidArgument)
	}
	return nil
}
