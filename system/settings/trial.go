package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/pharos-os/pharos/os-config/load"
	"github.com/pharos-os/pharos/system/atomicfile"
	"github.com/pharos-os/pharos/system/control/api"
)

// pendingFile holds, while a configuration is on trial, the files to go back
// to. Who finds it at boot goes back.
const pendingFile = load.ConfDir + "/pending.json"

// trial is a configuration that nobody has confirmed yet.
type trial struct {
	until  time.Time
	before load.Result
	timer  *time.Timer
	stop   context.CancelFunc // ends carrying it out
	over   chan struct{}      // closed when it is confirmed or has gone back
}

func (t *trial) api() *api.ConfigTry {
	return &api.ConfigTry{Until: t.until.UTC().Truncate(time.Second), Seconds: max(0, time.Until(t.until).Seconds())}
}

func left(until time.Time) string {
	return max(0, time.Until(until)).Round(time.Second).String()
}

// pending is what pendingFile says.
type pending struct {
	Until time.Time         `json:"until"`
	Files map[string]string `json:"files"` // below ConfDir; files that are not listed are to go
}

// begin starts a trial. s.mu is held.
func (s *Settings) begin(try time.Duration, before load.Result, stop context.CancelFunc) error {
	t := &trial{until: time.Now().Add(try), before: before, stop: stop, over: make(chan struct{})}
	if s.applied == nil {
		return fmt.Errorf("it is not known which files the machine was configured from: apply without a trial: %w", errdefs.ErrFailedPrecondition)
	}
	data, err := json.Marshal(pending{Until: t.until.UTC(), Files: s.applied})
	if err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	if err := os.MkdirAll(s.path(load.ConfDir), 0o755); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(s.path(pendingFile), data, 0o600); err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	t.timer = time.AfterFunc(try, func() { s.revert(t, "nobody confirmed it") })
	s.trial = t
	return nil
}

// Confirm keeps the configuration that is on trial.
func (s *Settings) Confirm(who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trial == nil {
		return fmt.Errorf("no configuration is on trial; if one was, the machine has gone back already (ros config diff): %w", errdefs.ErrFailedPrecondition)
	}
	files, err := s.files()
	if err != nil {
		return err
	}
	if err := atomicfile.Remove(s.path(pendingFile)); err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	s.trial.timer.Stop()
	close(s.trial.over)
	s.trial, s.applied = nil, files
	s.o.Log.Info("configuration confirmed", "who", who)
	return nil
}

// revert ends a trial: the files and the machine go back to what they were.
// It does nothing when the trial has been confirmed or ended.
func (s *Settings) revert(t *trial, why string) {
	s.mu.Lock()
	if s.trial != t {
		s.mu.Unlock()
		return
	}
	s.trial = nil
	t.timer.Stop()
	s.o.Log.Warn("configuration on trial goes back", "why", why)
	if err := s.restore(s.applied, why); err != nil {
		s.o.Log.Error("files of the configuration do not go back", "error", err)
	}
	s.mu.Unlock()

	t.stop() // it may still be carried out
	s.work <- struct{}{}
	defer func() { <-s.work }()
	defer close(t.over)
	ctx, cancel := context.WithTimeout(context.Background(), applyDeadline)
	defer cancel()
	// Nobody has said yes to what that may cost.
	if err := s.o.Apply(ctx, s.o.Running(), t.before, false); err != nil {
		s.o.Log.Error("configuration goes back, but not all of it", "error", err)
	}
}

// restore writes the files below conf as they were and ends the trial on
// disk. s.mu is held.
func (s *Settings) restore(files map[string]string, why string) error {
	now, err := s.files()
	if err != nil {
		return err
	}
	var errs []error
	user := filepath.Base(load.UserFile)
	if now[user] != files[user] {
		if err := s.catchUp([]byte(now[user])); err != nil {
			s.o.Log.Warn("history of the configuration", "error", err)
		}
	}
	for name, text := range files {
		if old, ok := now[name]; !ok || old != text {
			errs = append(errs, s.putBack(name, &text, ok && name != user))
		}
	}
	for name := range now {
		if _, ok := files[name]; !ok {
			errs = append(errs, s.putBack(name, nil, name != user))
		}
	}
	if now[user] != files[user] {
		if _, err := s.record("-", "back: "+why, []byte(now[user]), []byte(files[user])); err != nil {
			s.o.Log.Warn("history of the configuration", "error", err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err // a reboot tries again
	}
	return atomicfile.Remove(s.path(pendingFile))
}

// tried is the end of the name that a file gets when a trial of it is over:
// nobody's work is thrown away.
const tried = ".tried"

// putBack gives a file its text before the trial, nil for none. keep puts the
// present one aside.
func (s *Settings) putBack(name string, text *string, keep bool) error {
	path, err := s.confPath(name)
	switch {
	case err != nil:
		return err
	case keep:
		err = os.Rename(path, path+tried)
	case text == nil:
		err = os.Remove(path)
	}
	if err != nil || text == nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, []byte(*text), 0o600)
}

// confPath is where a file of a trial stands; names come from a file.
func (s *Settings) confPath(name string) (string, error) {
	if !filepath.IsLocal(name) || !slices.Contains([]string{".", filepath.Base(load.DropInDir)}, filepath.Dir(name)) {
		return "", fmt.Errorf("trial: %q is no file of the configuration", name)
	}
	return filepath.Join(s.path(load.ConfDir), name), nil
}

// Recover goes back to the files before a trial that a reboot has ended. The
// manager calls it before it loads the configuration; the text says what was
// done, "" for nothing.
func (s *Settings) Recover() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := os.ReadFile(s.path(pendingFile))
	switch {
	case errors.Is(err, fs.ErrNotExist), s.trial != nil:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("trial of a configuration: %w", err)
	}
	var p pending
	if err := json.Unmarshal(data, &p); err != nil {
		return "", errors.Join(fmt.Errorf("trial of a configuration: %s: %w", pendingFile, err), os.Remove(s.path(pendingFile)))
	}
	const why = "the machine was started anew before anybody confirmed it"
	if err := s.restore(p.Files, why); err != nil {
		return "", fmt.Errorf("trial of a configuration: %w", err)
	}
	return "the configuration that was on trial is not used: " + why, nil
}

// lines splits joined errors into sentences.
func lines(err error) []string {
	var out []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
