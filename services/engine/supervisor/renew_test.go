package supervisor

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pharos-os/pharos/system/keep"
)

// A renewal that comes while dockerd starts ends a dockerd that was made with
// the arguments before it.
func TestRenewalWhileDockerdStarts(t *testing.T) {
	dir := t.TempDir()
	reaper, err := keep.NewReaper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reaped := make(chan struct{})
	go func() { defer close(reaped); reaper.Run(ctx) }()
	defer func() { cancel(); <-reaped }()
	config := map[string]any{"live-restore": true}
	e := &engine{Options: Options{Config: config, Renewal: filepath.Join(dir, "renewal.json"), Run: dir}, config: config, log: slog.New(slog.DiscardHandler)}
	start := func() *keep.Process {
		p, err := reaper.Start(keep.Command{Args: []string{"/bin/sleep", "60"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Signal(9) })
		return p
	}

	e.daemonArgs()
	text, err := json.Marshal([]string{`--config={"live-restore":true,"debug":true}`, "--", "--dns=10.0.0.1"})
	if err == nil {
		err = os.WriteFile(e.Renewal, text, 0o600)
	}
	if err == nil {
		err = e.renew()
	}
	if err != nil {
		t.Fatal(err)
	}
	stale := start()
	e.started(stale)
	select {
	case <-stale.Done():
	case <-time.After(10 * time.Second):
		t.Error("dockerd goes on with the arguments before the renewal")
	}

	e.daemonArgs()
	fresh := start()
	e.started(fresh)
	select {
	case <-fresh.Done():
		t.Error("dockerd with the new arguments has ended")
	case <-time.After(100 * time.Millisecond):
	}
}
