package control

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

// rancherUID is the user that most people are.
const rancherUID = 1100

// who names the user at the other end, for the history.
func who(r *http.Request) string {
	switch uid := peerFrom(r.Context()).UID; uid {
	case 0:
		return "root"
	case rancherUID:
		return "rancher"
	default:
		return "uid " + strconv.FormatUint(uint64(uid), 10)
	}
}

func (h *handler) configEdit(_ http.ResponseWriter, r *http.Request) (any, error) {
	var e api.ConfigEdit
	if err := decode(r, &e); err != nil {
		return nil, err
	}
	keyed := []string{api.VerbSet, api.VerbUnset, api.VerbAppend, api.VerbRemove}
	switch {
	case !slices.Contains(append(keyed, api.VerbMerge, api.VerbReplace), e.Verb):
		return nil, fmt.Errorf("%q is no change of a configuration: %w", e.Verb, errdefs.ErrInvalidArgument)
	case slices.Contains(keyed, e.Verb) && e.Key == "":
		return nil, fmt.Errorf("%s needs a key: %w", e.Verb, errdefs.ErrInvalidArgument)
	}
	return written(h.backend.ConfigEdit(e, who(r)))
}

func (h *handler) configRollback(_ http.ResponseWriter, r *http.Request) (any, error) {
	var q api.ConfigRollback
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	return written(h.backend.ConfigRollback(q.Number, who(r)))
}

func written(out api.ConfigWritten, err error) (any, error) {
	out.Notes = list(out.Notes)
	return out, err
}

func (h *handler) configFile(_ http.ResponseWriter, r *http.Request) (any, error) {
	if !peerFrom(r.Context()).root() {
		return nil, fmt.Errorf("the file may hold secrets and is shown to root only: use sudo: %w", errdefs.ErrPermissionDenied)
	}
	return h.backend.ConfigFile()
}

func (h *handler) configOrigin(_ http.ResponseWriter, r *http.Request) (any, error) {
	return h.backend.ConfigOrigin(r.URL.Query().Get("key"))
}

func (h *handler) configDiff(http.ResponseWriter, *http.Request) (any, error) {
	return difference(h.backend.ConfigDiff())
}

func (h *handler) configApply(_ http.ResponseWriter, r *http.Request) (any, error) {
	var q api.ConfigApply
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if math.Abs(q.Try) > 1e9 {
		return nil, fmt.Errorf("%g seconds is no time for a trial: %w", q.Try, errdefs.ErrInvalidArgument)
	}
	h.log.Info("configuration to be applied", "try", q.Try, "yes", q.Yes, "uid", peerFrom(r.Context()).UID)
	return difference(h.backend.ConfigApply(r.Context(), time.Duration(q.Try*float64(time.Second)), q.Yes, who(r)))
}

func difference(out api.ConfigDiff, err error) (any, error) {
	out.Changes, out.Problems = list(out.Changes), list(out.Problems)
	return out, err
}

func (h *handler) configConfirm(_ http.ResponseWriter, r *http.Request) (any, error) {
	return nil, h.backend.ConfigConfirm(who(r))
}

func (h *handler) configHistory(http.ResponseWriter, *http.Request) (any, error) {
	all, err := h.backend.ConfigHistory()
	return list(all), err
}

func (h *handler) configSources(http.ResponseWriter, *http.Request) (any, error) {
	out, err := h.backend.ConfigSources()
	out.Layers, out.Probes = list(out.Layers), list(out.Probes)
	return out, err
}
