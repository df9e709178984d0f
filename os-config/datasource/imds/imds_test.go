package imds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

// quick are options under which a failure costs a millisecond.
func quick() Options {
	return Options{Timeout: 200 * time.Millisecond, Backoff: func(int) time.Duration { return time.Millisecond }}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func deadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestGet(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.URL, " ", r.Header.Get("Metadata-Flavor"))
	})
	got, err := New(url+"/", quick()).Get(t.Context(), "/a/b?c=d", "Metadata-Flavor", "Google")
	if err != nil || string(got) != "GET /a/b?c=d Google" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestPutAndPost(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", r.Header.Get("Content-Type"), " ", r.Header.Get("X"), " ", string(body), err)
	})
	c := New(url, quick())
	if got, err := c.Put(t.Context(), "token", "X", "60"); err != nil || string(got) != "PUT  60 <nil>" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := c.Post(t.Context(), "ready", "text/xml", []byte("<a/>"), "X", "1"); err != nil || string(got) != "POST text/xml 1 <a/><nil>" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStatus(t *testing.T) {
	for code, tries := range map[int]int32{404: 1, 410: 1, 400: 1, 401: 1, 403: 1, 304: 1, 500: 4, 503: 4, 429: 4, 408: 4} {
		var n atomic.Int32
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) <= 3 {
				w.WriteHeader(code)
				return
			}
			fmt.Fprint(w, "well")
		})
		got, err := New(url, quick()).Get(t.Context(), "x")
		if n.Load() != tries {
			t.Errorf("%d: asked %d times, want %d", code, n.Load(), tries)
		}
		if (tries == 4) != (string(got) == "well" && err == nil) {
			t.Errorf("%d: %q, %v", code, got, err)
		}
		if missing := errors.Is(err, datasource.ErrNotFound); missing != (code == 404 || code == 410) {
			t.Errorf("%d: not found is %t", code, missing)
		}
		if tries == 1 && (Status(err) != code || !strings.Contains(err.Error(), fmt.Sprintf("GET %s/x: the service answers %d", url, code))) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// hijack answers with bytes of its own and closes the connection.
func hijack(w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, text) //nolint:errcheck // the client may have gone
}

func TestBrokenAnswersAreTriedAgain(t *testing.T) {
	for name, text := range map[string]string{
		"half":       "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
		"half chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhello",
		"garbage":    "\x00\x01\x02 what\r\n\r\n",
		"nothing":    "",
		"header":     "HTTP/1.1 200 OK\r\nContent-Le",
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) <= 2 {
					hijack(w, text)
					return
				}
				fmt.Fprint(w, "well")
			})
			got, err := New(url, quick()).Get(t.Context(), "x")
			if err != nil || string(got) != "well" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestHalfAnswerToTheEnd(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
	})
	got, err := New(url, quick()).Get(deadline(t, 100*time.Millisecond), "x")
	if got != nil || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "half an answer, 5 bytes") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRedirects(t *testing.T) {
	var reached atomic.Bool
	other := serve(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	var n atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		case "/there":
			fmt.Fprint(w, "there")
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			http.Redirect(w, r, other, http.StatusFound)
		}
	})
	c := New(url, quick())
	if got, err := c.Get(t.Context(), "here"); err != nil || string(got) != "there" {
		t.Errorf("%q, %v", got, err)
	}
	n.Store(0)
	if _, err := c.Get(t.Context(), "away"); !errors.Is(err, errRedirect) || n.Load() != 1 || reached.Load() {
		t.Errorf("%v after %d requests, the other host was asked: %t", err, n.Load(), reached.Load())
	}
	if _, err := c.Get(t.Context(), "round"); !errors.Is(err, errRedirect) {
		t.Errorf("%v", err)
	}
}

func TestSlowDrip(t *testing.T) {
	var n atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			fmt.Fprint(w, "well")
			return
		}
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-tick.C:
				w.Write([]byte("a")) //nolint:errcheck // the client goes away
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	o := quick()
	o.Timeout = 50 * time.Millisecond
	if got, err := New(url, o).Get(t.Context(), "x"); err != nil || string(got) != "well" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOversize(t *testing.T) {
	var n atomic.Int32
	size := osconfig.MaxSize
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n.Add(1)
		w.Write(bytes.Repeat([]byte("a"), size)) //nolint:errcheck // the client goes away
	})
	o := quick()
	o.Timeout = 0
	if got, err := New(url, o).Get(t.Context(), "x"); err != nil || len(got) != size {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	n.Store(0)
	size++
	if _, err := New(url, o).Get(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "more than") || n.Load() != 1 {
		t.Errorf("%v after %d requests", err, n.Load())
	}
}

func TestNeverAnswers(t *testing.T) {
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	o := quick()
	o.Timeout = 20 * time.Millisecond
	_, err := New(url, o).Get(deadline(t, 100*time.Millisecond), "x")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "tried ") {
		t.Errorf("%v", err)
	}
}

func TestRefusedThenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	o := quick()
	var s *http.Server
	o.Backoff = func(try int) time.Duration {
		if try == 3 {
			again, err := net.Listen("tcp", address)
			if err != nil {
				t.Error(err)
				return 0
			}
			s = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })}
			go s.Serve(again) //nolint:errcheck // Close ends it
		}
		return time.Millisecond
	}
	got, err := New("http://"+address, o).Get(deadline(t, 10*time.Second), "x")
	if err != nil || string(got) != "up" {
		t.Errorf("%q, %v", got, err)
	}
	if s != nil {
		s.Close()
	}
}

// TestPasswordIsNotShown: neither errors nor the log have a login or a query.
func TestPasswordIsNotShown(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "hunter2" {
			t.Error("no password")
		}
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://192.0.2.1/?sig=hunter2", http.StatusFound)
			return
		case "/round":
			http.Redirect(w, r, "/round?sig=hunter2", http.StatusFound)
			return
		case "/gone":
			hijack(w, "")
			return
		}
		w.WriteHeader(http.StatusForbidden)
	})
	var log strings.Builder
	o := quick()
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := New(strings.Replace(base, "http://", "http://user:hunter2@", 1), o)
	for _, path := range []string{"x", "away", "round", "gone"} {
		_, err := c.Get(deadline(t, 50*time.Millisecond), path+"?sig=hunter2")
		shown := c.URL(path + "?sig=hunter2")
		if err == nil || shown != base+"/"+path+"?…" || !strings.HasPrefix(err.Error(), "GET "+shown+": ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v, %s", err, shown)
		}
	}
	if text := log.String(); !strings.Contains(text, "/gone?") || strings.Contains(text, "hunter2") {
		t.Errorf("logged %q", text)
	}
}

// TestNoAddress: an address that no try can make better is refused at once,
// without what may be secret in it.
func TestNoAddress(t *testing.T) {
	for _, base := range []string{"192.0.2.1", "ftp://user:hunter2@192.0.2.1", "http://", "http://user:hunter2@192.0.2.1:x", "http://user:hun\x7fter2@a"} {
		_, err := New(base, quick()).Get(t.Context(), "x")
		if err == nil || !strings.Contains(err.Error(), "want http://") || strings.Contains(err.Error(), "hun") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestNoProxy(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	if p := New("http://x", Options{}).http.Transport.(*http.Transport).Proxy; p != nil {
		t.Error("a proxy is used")
	}
}

func TestDefaultBackoff(t *testing.T) {
	var total time.Duration
	for try := 1; try <= 7; try++ {
		d := DefaultBackoff(try)
		if d < 250*time.Millisecond || d > 4*time.Second {
			t.Errorf("try %d: %s", try, d)
		}
		total += d
	}
	if total > 20*time.Second {
		t.Errorf("seven tries pause %s", total)
	}
}
