package datasourcetest

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// list is the file of a tree that answers for a folder.
const list = "_list"

// tree is a metadata service made of files, with faults.
type tree struct {
	root  *os.Root
	guard func(http.ResponseWriter, *http.Request) bool

	mu    sync.Mutex
	asked map[string]int // how often, by path
	// fault may answer instead; n counts the requests of this path from 1.
	fault func(w http.ResponseWriter, r *http.Request, n int) bool
}

func (s *tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	key := r.URL.Path
	s.asked[key]++
	n, fault := s.asked[key], s.fault
	s.mu.Unlock()
	switch {
	case fault != nil && fault(w, r, n):
	case s.guard != nil && s.guard(w, r):
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		s.file(w, r)
	}
}

func (s *tree) file(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(path.Clean(r.URL.Path), "/moved"), "/")
	if info, err := s.root.Stat(name); err == nil && info.IsDir() {
		name = path.Join(name, list)
	}
	data, err := fs.ReadFile(s.root.FS(), name)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<html>not found</html>")
		return
	}
	w.Write(data) //nolint:errcheck // the client may have gone
}

// paths are those that were asked for, in order.
func (s *tree) paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for p := range s.asked {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func (c Case) serve(t *testing.T, fault func(http.ResponseWriter, *http.Request, int) bool) (*tree, string) {
	t.Helper()
	root, err := os.OpenRoot(filepath.Join("testdata", c.name))
	if err != nil {
		t.Fatal(err)
	}
	s := &tree{root: root, guard: c.Guard, asked: map[string]int{}, fault: fault}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		root.Close()
	})
	return s, server.URL
}

// Token is a guard that gives a token to a PUT of path with the header ttl,
// and refuses other requests that do not have the token in header.
func Token(path, ttl, header string) func(http.ResponseWriter, *http.Request) bool {
	const token = "AQAEAHxkcGFzc2luZyB0b2tlbg=="
	return func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == path && r.Method == http.MethodPut && r.Header.Get(ttl) != "":
			fmt.Fprint(w, token)
		case r.Header.Get(header) != token:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			return false
		}
		return true
	}
}

// broken writes bytes of its own to the connection and closes it.
func broken(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(text)) //nolint:errcheck // the client may have gone
}

// Serve is a service made of one function.
func Serve(t *testing.T, handler http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// Volume is a volume with files, given as name, content.
func Volume(files ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		out[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return out
}
