package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/detect"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// answerFile holds the last good answer of a datasource. There is one machine
// here, so there is one answer: that of another instance replaces it.
const answerFile = ConfDir + "/datasource/answer.json"

// Answer is what a datasource said.
type Answer struct {
	Source   string
	Why      string        // the source was asked
	Took     time.Duration // to ask
	Identity string        // of the machine, by its firmware
	Time     time.Time
	Result   datasource.Result
}

// cached reads the answer of an earlier boot; nil when there is none that is
// any good.
func (l *Loader) cached() *Answer {
	data, err := os.ReadFile(filepath.Join(l.Root, answerFile))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.log().Warn("the last answer of the datasource", "error", err)
		}
		return nil
	}
	var a Answer
	if err := json.Unmarshal(data, &a); err != nil {
		l.log().Warn("the last answer of the datasource is damaged", "file", answerFile)
		return nil
	}
	return &a
}

// remember saves an answer, when there is a disk to save it to. The copies
// of another instance's layers go: they must not serve this one.
func (l *Loader) remember(a Answer, old *Answer) {
	if !l.KeepLastGood {
		return
	}
	a.Identity, a.Time = detect.Identity(l.Sys), time.Now()
	if old != nil && sameAnswer(a, *old) {
		return // spare the disk a write at every boot
	}
	if old == nil || old.Result.InstanceID != a.Result.InstanceID {
		l.forget() // without an answer nobody knows whose the copies are
	}
	if err := l.store(a); err != nil {
		l.log().Warn("the answer of the datasource is not kept", "error", err)
	}
}

// sameAnswer compares what matters; when and how fast it came does not.
func sameAnswer(a, b Answer) bool {
	a.Took, a.Time, a.Why = b.Took, b.Time, b.Why
	x, err := json.Marshal(a)
	y, again := json.Marshal(b)
	return err == nil && again == nil && reflect.DeepEqual(x, y)
}

// store writes the answer. It holds user-data: nobody but root may read it.
func (l *Loader) store(a Answer) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	path := filepath.Join(l.Root, answerFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return atomicfile.WriteFile(path, data, 0o600)
}

// forget removes the last good copies of what a datasource said.
func (l *Loader) forget() {
	entries, err := os.ReadDir(filepath.Join(l.Root, lastGood))
	if err != nil {
		return // there are none
	}
	for _, e := range entries {
		for _, layer := range []string{"user-data", "vendor-data", "metadata"} {
			if !strings.HasPrefix(e.Name(), layer) {
				continue
			}
			if err := os.Remove(filepath.Join(l.Root, lastGood, e.Name())); err != nil {
				l.log().Warn("copy of another instance's layer stays", "file", e.Name(), "error", err)
			}
		}
	}
}
