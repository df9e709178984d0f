package pid1

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/pharos-os/pharos/system/linux"
)

// watchdogTimeout is after how long without Feed the hardware resets the
// machine. A silent manager is thus ended after heartbeatLife and this.
const watchdogTimeout = 30 * time.Second

// Watchdog is the hardware's, if there is one.
type Watchdog struct {
	Path string // /dev/watchdog
	Log  *slog.Logger

	mu  sync.Mutex
	dev *os.File
}

// Feed gives the machine another watchdogTimeout. The first one arms the
// device, if it is there.
func (w *Watchdog) Feed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dev == nil && !w.open() {
		return
	}
	if _, err := w.dev.Write([]byte{0}); err != nil {
		w.Log.Error("watchdog not fed", "err", err)
	}
}

func (w *Watchdog) open() bool {
	dev, err := os.OpenFile(w.Path, os.O_WRONLY, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.Log.Warn("watchdog not opened", "err", err)
		}
		return false
	}
	timeout, err := linux.SetWatchdogTimeout(dev, watchdogTimeout)
	if err != nil {
		w.Log.Warn("watchdog keeps its own timeout", "err", err)
	}
	w.Log.Info("watchdog armed", "timeout", timeout)
	w.dev = dev
	return true
}

// Disarm stops the device, for a halt that is to last.
func (w *Watchdog) Disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dev != nil {
		w.dev.Write([]byte{'V'}) // the magic close of watchdog-api.rst
		w.dev.Close()
		w.dev = nil
	}
}
