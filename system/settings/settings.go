// Package settings owns the machine's own configuration file while the machine
// runs: changes of it, which are validated before they are written, its
// history, and bringing the machine to what it says, also on trial. It refuses
// to know how a configuration is carried out: the manager does.
package settings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/edit"
	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/control/api"
)

// Options is what Settings needs of the manager.
type Options struct {
	Root string // put before every path; for tests
	Log  *slog.Logger
	// Loader reads layers as at boot; nil is one that knows files alone.
	Loader func() *load.Loader
	// Running is the configuration that the machine has now. Its document is
	// empty as long as none has been loaded.
	Running func() load.Result
	// Apply makes after the running configuration and carries out what
	// differs. It goes on past failures and returns them. Without yes it leaves
	// out what Costs tells of.
	Apply func(ctx context.Context, before, after load.Result, yes bool) error
	// Units says which units Apply starts, stops or restarts: by name, what
	// happens ("restarts"). containersEnd says whether the engine's containers
	// end with that. It may be nil: then they do.
	Units func(before, after osconfig.Config) (texts map[string]string, containersEnd bool)
	// Costs says what of Apply cannot be undone, sentences; it may be nil.
	Costs func(ctx context.Context, before, after osconfig.Config) []string
	// Note is what to tell whoever changes the file, "" for nothing; may be nil.
	Note func() string
}

// Settings changes the configuration file and applies it. Its methods may be
// called at any time and by several callers.
type Settings struct {
	o Options

	mu      sync.Mutex
	applied map[string]string // the files below conf, by name, that made the running configuration
	booted  *load.Result      // what ran before the first Apply: what a reboot would change is told against it
	trial   *trial

	work chan struct{} // held while the machine is being changed
}

// New is the owner of the files below load.ConfDir.
func New(o Options) *Settings {
	return &Settings{o: o, work: make(chan struct{}, 1)}
}

func (s *Settings) path(p string) string { return filepath.Join(s.o.Root, p) }

// again is the configuration that the files make now.
func (s *Settings) again(running load.Result) load.Result { return s.reread(running, nil) }

// reread is again with texts, by path, that take the place of files.
func (s *Settings) reread(running load.Result, changed map[string][]byte) load.Result {
	l := &load.Loader{Root: s.o.Root, Log: s.o.Log}
	if s.o.Loader != nil {
		l = s.o.Loader()
	}
	l.KeepLastGood = false // nobody has booted with it
	return l.Again(running, changed)
}

// Remember notes that the files below conf are those of the configuration
// that runs from now on. The manager calls it after each load at boot. While
// a configuration is on trial they are those to go back to, and stay.
func (s *Settings) Remember() {
	files, err := s.files()
	if err != nil {
		s.o.Log.Warn("files of the configuration", "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trial == nil {
		s.applied = files
	}
}

// files reads the configuration files, by their paths below ConfDir.
func (s *Settings) files() (map[string]string, error) {
	paths, err := filepath.Glob(s.path(load.DropInDir) + "/*.yml")
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, path := range append(paths, s.path(load.UserFile)) {
		text, err := readBounded(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(s.path(load.ConfDir), path)
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
	return files, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, osconfig.MaxSize+1))
	return data, errors.Join(err, f.Close())
}

// userText is the user's file; none is empty.
func (s *Settings) userText() ([]byte, error) {
	text, err := readBounded(s.path(load.UserFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

func (s *Settings) writeUser(text []byte) error {
	path := s.path(load.UserFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, text, 0o600)
}

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// File is the user's file as it is, secrets and all.
func (s *Settings) File() (api.ConfigFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := s.userText()
	return api.ConfigFile{Path: load.UserFile, Text: string(text), Sum: sum(text)}, err
}

// Get is the value at key ("" is all) as YAML. Without private a value that
// is secret is not there, and the error says so.
func (s *Settings) Get(key string, full, private bool) (string, error) {
	doc := s.o.Running().Document
	if doc.Root == nil {
		return "", errNotLoaded()
	}
	if key == "" {
		return doc.Export(full, private), nil
	}
	text, ok := doc.Get(key)
	if !ok {
		return "", fmt.Errorf("%s is not set: %w", key, errdefs.ErrNotFound)
	}
	if private {
		return text, nil
	}
	layer, _ := osconfig.Parse("", "", []byte(doc.Export(true, false)))
	shown, ok := osconfig.Document{Root: layer.Doc}.Get(key)
	if !ok {
		return "", fmt.Errorf("%s is set, but secret: `sudo ros config get --private %s` shows it: %w", key, key, errdefs.ErrPermissionDenied)
	}
	return shown, nil
}

func errNotLoaded() error {
	return fmt.Errorf("the configuration is not loaded yet; try again in some seconds: %w", errdefs.ErrUnavailable)
}

// Origin says where the running value at key was set.
func (s *Settings) Origin(key string) (api.ConfigOrigin, error) {
	doc := s.o.Running().Document
	if doc.Root == nil {
		return api.ConfigOrigin{}, errNotLoaded()
	}
	pos, ok := doc.Source(key)
	if !ok {
		return api.ConfigOrigin{}, fmt.Errorf("%s is not set: %w", key, errdefs.ErrNotFound)
	}
	return api.ConfigOrigin{Layer: pos.Layer, File: pos.File, Line: pos.Line, Column: pos.Col}, nil
}

// origin is a position in words: "user-data (/dev/sr0:user-data:4)".
func origin(n *osconfig.Node) string {
	if n.Pos.Line == 0 {
		return n.Pos.Layer
	}
	return fmt.Sprintf("%s (%s:%d)", n.Pos.Layer, n.Pos.File, n.Pos.Line)
}

// now is the time in the form that history shows.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// parsed is a file's document; one that does not parse is empty.
func parsed(text []byte) *osconfig.Node {
	doc, err := edit.Parse(text, load.UserFile)
	if err != nil {
		return &osconfig.Node{Kind: osconfig.Map}
	}
	return doc
}

// invalid is an error of a change that is refused.
func invalid(lines []string) error {
	return fmt.Errorf("refused, nothing is changed:\n  %s: %w", strings.Join(lines, "\n  "), errdefs.ErrInvalidArgument)
}
