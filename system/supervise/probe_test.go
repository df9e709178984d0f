package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pharos-os/pharos/system/unit"
)

// TestReadyClock: the time that a unit waits for a file without which it does
// nothing is not part of its time to become ready.
func TestReadyClock(t *testing.T) {
	for name, tt := range map[string]struct {
		goes, ready time.Duration // after the start
		ends        time.Duration
		wrong       string
	}{
		"goes at once":             {0, 25 * time.Second, 25 * time.Second, ""},
		"goes late, but is quick":  {100 * time.Second, 125 * time.Second, 125 * time.Second, ""},
		"does not get ready":       {100 * time.Second, time.Hour, 220 * time.Second, "not ready in time (2m0s): refused"},
		"is ready before it could": {time.Hour, time.Minute, time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				file := filepath.Join(t.TempDir(), "go")
				check := func(context.Context, unit.Probe) error {
					if time.Since(start) < tt.ready {
						return errors.New("refused")
					}
					return nil
				}
				time.AfterFunc(tt.goes, func() {
					if err := os.WriteFile(file, nil, 0o600); err != nil {
						t.Error(err)
					}
				})
				err := awaitReady(t.Context(), unit.Probe{Socket: "/x", Since: file, Timeout: 2 * time.Minute}, check)
				if (err == nil) != (tt.wrong == "") || err != nil && !strings.HasPrefix(err.Error(), tt.wrong) {
					t.Errorf("%v, want %q", err, tt.wrong)
				}
				if took := time.Since(start).Round(time.Second); took != tt.ends {
					t.Errorf("took %s, want %s", took, tt.ends)
				}
				time.Sleep(time.Hour) // for the file
			})
		})
	}
}
