package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/system/control/api"
)

func (h *handler) status(http.ResponseWriter, *http.Request) (any, error) {
	s := h.backend.Status()
	s.Reasons, s.Notes, s.Waiting, s.Network = list(s.Reasons), list(s.Notes), list(s.Waiting), list(s.Network)
	s.Network = slices.Clone(s.Network)
	for i := range s.Network {
		s.Network[i].Addresses = list(s.Network[i].Addresses)
	}
	return s, nil
}

func (h *handler) boot(http.ResponseWriter, *http.Request) (any, error) {
	b := h.backend.Boot()
	b.Stages, b.Milestones = list(b.Stages), list(b.Milestones)
	return b, nil
}

func (h *handler) services(http.ResponseWriter, *http.Request) (any, error) {
	services := slices.Clone(list(h.backend.Services()))
	for i := range services {
		services[i].Capabilities = list(services[i].Capabilities)
	}
	return services, nil
}

func (h *handler) processes(_ http.ResponseWriter, r *http.Request) (any, error) {
	ps, err := h.backend.Processes(r.PathValue("name"))
	return list(ps), err
}

func (h *handler) start(_ http.ResponseWriter, r *http.Request) (any, error) {
	return h.verb(r, "start", h.backend.Start)
}

func (h *handler) stop(_ http.ResponseWriter, r *http.Request) (any, error) {
	return h.verb(r, "stop", h.backend.Stop)
}

func (h *handler) restart(_ http.ResponseWriter, r *http.Request) (any, error) {
	return h.verb(r, "restart", h.backend.Restart)
}

func (h *handler) verb(r *http.Request, verb string, do func(context.Context, string) error) (any, error) {
	name := r.PathValue("name")
	h.log.Info("service verb asked for", "verb", verb, "unit", name, "uid", peerFrom(r.Context()).UID)
	return nil, do(r.Context(), name)
}

// logs streams lines as they come; each is flushed when the next is not there
// yet, which is every one when following.
func (h *handler) logs(w http.ResponseWriter, r *http.Request) (any, error) {
	q, err := logQuery(r.URL.Query())
	if err != nil {
		return nil, err
	}
	out := &lineWriter{w: w, enc: json.NewEncoder(w), flush: q.Follow}
	if q.Follow { // the client learns at once that it is listened to
		if err := out.begin(); err != nil {
			return nil, err
		}
	}
	err = h.backend.Logs(r.Context(), q, out.line)
	switch {
	case err != nil && !out.begun:
		return nil, err
	case err != nil && r.Context().Err() == nil:
		h.log.Debug("log stream ended", "error", err)
	case !out.begun:
		return sent{}, out.begin()
	}
	return sent{}, nil
}

// lineWriter writes log lines as newline-delimited JSON.
type lineWriter struct {
	w     http.ResponseWriter
	enc   *json.Encoder
	flush bool
	begun bool
}

func (l *lineWriter) begin() error {
	l.begun = true
	l.w.Header().Set("Content-Type", "application/x-ndjson")
	l.w.WriteHeader(http.StatusOK)
	return http.NewResponseController(l.w).Flush()
}

func (l *lineWriter) line(line api.LogLine) error {
	if !l.begun {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if err := l.enc.Encode(line); err != nil {
		return err
	}
	if l.flush {
		return http.NewResponseController(l.w).Flush()
	}
	return nil
}

func logQuery(v url.Values) (api.LogQuery, error) {
	q := api.LogQuery{Unit: v.Get("unit"), Lines: -1}
	var err error
	if s := v.Get("lines"); s != "" {
		if q.Lines, err = strconv.Atoi(s); err != nil {
			return q, fmt.Errorf("lines=%q is not a number: %w", s, errdefs.ErrInvalidArgument)
		}
	}
	if s := v.Get("since"); s != "" {
		if q.Since, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return q, fmt.Errorf("since=%q is not an RFC 3339 time: %w", s, errdefs.ErrInvalidArgument)
		}
	}
	q.Follow, err = flag(v, "follow")
	return q, err
}

func (h *handler) config(w http.ResponseWriter, r *http.Request) (any, error) {
	v := r.URL.Query()
	full, err := flag(v, "full")
	if err != nil {
		return nil, err
	}
	private, err := flag(v, "private")
	if err != nil {
		return nil, err
	}
	if private && !peerFrom(r.Context()).root() {
		return nil, fmt.Errorf("private configuration is shown to root only: use sudo: %w", errdefs.ErrPermissionDenied)
	}
	text, err := h.backend.Config(v.Get("key"), full, private)
	if err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "application/yaml")
	if _, err := io.WriteString(w, text); err != nil {
		h.log.Debug("answer not delivered", "path", r.URL.Path, "error", err)
	}
	return sent{}, nil
}

func (h *handler) shutdown(_ http.ResponseWriter, r *http.Request) (any, error) {
	var s api.Shutdown
	if err := decode(r, &s); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"poweroff", "reboot", "halt"}, s.Action) {
		return nil, fmt.Errorf("%q is not poweroff, reboot or halt: %w", s.Action, errdefs.ErrInvalidArgument)
	}
	h.log.Warn("shutdown asked for", "action", s.Action, "force", s.Force, "uid", peerFrom(r.Context()).UID)
	return nil, h.backend.Shutdown(s.Action, s.Force)
}

// flag reads a boolean query parameter; absent is false.
func flag(v url.Values, key string) (bool, error) {
	s := v.Get(key)
	if s == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%s=%q is not 0 or 1: %w", key, s, errdefs.ErrInvalidArgument)
	}
	return b, nil
}

// list makes a nil slice an empty one: the API never answers null for a list.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// sentence is err's text without the errdefs class that errors of this
// package end with; a user has nothing of ": not found".
func sentence(err error) string {
	text := err.Error()
	for _, class := range []error{errdefs.ErrNotFound, errdefs.ErrInvalidArgument, errdefs.ErrPermissionDenied,
		errdefs.ErrConflict, errdefs.ErrAlreadyExists, errdefs.ErrFailedPrecondition, errdefs.ErrUnavailable} {
		text = strings.TrimSuffix(text, ": "+class.Error())
	}
	return text
}
