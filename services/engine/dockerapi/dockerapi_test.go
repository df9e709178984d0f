package dockerapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake is a daemon on a socket of its own.
func fake(t *testing.T, handle http.HandlerFunc) Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handle}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return Client{Socket: socket}
}

func TestCall(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Name string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"Said":"%s %s?%s %s %s"}`, r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), in.Name)
	})
	var out struct{ Said string }
	err := c.Call(t.Context(), http.MethodPost, "/swarm/update?version=7", map[string]string{"Name": "lake"}, &out)
	if err != nil || out.Said != "POST /swarm/update?version=7 application/json lake" {
		t.Errorf("%q, %v", out.Said, err)
	}
}

func TestCallWithoutBodies(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("a body of %d bytes, %q", r.ContentLength, r.Header.Get("Content-Type"))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if err := c.Call(t.Context(), http.MethodDelete, "/containers/x", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"the daemon's message": {503, `{"message":"This node is not a swarm manager."}`, "docker GET /nodes: This node is not a swarm manager."},
		"no JSON":              {500, `oops`, "docker GET /nodes: the engine answers 500 internal server error"},
		"no message":           {404, `{}`, "docker GET /nodes: the engine answers 404 not found"},
	} {
		t.Run(name, func(t *testing.T) {
			c := fake(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			})
			err := c.Call(t.Context(), http.MethodGet, "/nodes?filters=x", nil, nil)
			if err == nil || err.Error() != tc.want || !IsStatus(err, tc.status) || IsStatus(err, 418) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

func TestAnswerThatIsNoJSON(t *testing.T) {
	c := fake(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") })
	var out struct{}
	if err := c.Call(t.Context(), http.MethodGet, "/info", nil, &out); err == nil || !strings.Contains(err.Error(), "docker GET /info: answer: ") {
		t.Error(err)
	}
}

func TestAway(t *testing.T) {
	c := Client{Socket: filepath.Join(t.TempDir(), "none.sock")}
	err := c.Call(t.Context(), http.MethodGet, "/info", nil, nil)
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), c.Socket) {
		t.Error(err)
	}
}

func TestDeadline(t *testing.T) {
	gone := make(chan struct{})
	c := fake(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Call(ctx, http.MethodGet, "/info", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the connection stays open")
	}
}
