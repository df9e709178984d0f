package ctrd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxLog is the size at which a unit's log is rotated, in bytes.
	maxLog = 1 << 20
	// rotateEvery is how often the sizes are looked at.
	rotateEvery = 2 * time.Second
)

// LogPath is the file that a unit's output is appended to. Its shim writes it,
// so that the lines of a time without manager or containerd are there too.
func (c *Client) LogPath(name string) string {
	return filepath.Join(c.opts.Paths.Logs, name+".log")
}

// RotateLogs keeps every unit's log bounded until ctx ends: one that has grown
// to 1 MiB is copied to NAME.log.1 (its last MiB) and emptied. The shim holds
// the file open for appending and cannot be asked to open another; a line
// written between the copy and the cut is lost.
func (c *Client) RotateLogs(ctx context.Context) error {
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := rotateAll(c.opts.Paths.Logs); err != nil {
				c.opts.Log.Warn("logs not rotated", "error", err)
			}
		}
	}
}

func rotateAll(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.Size() >= maxLog {
			err = rotate(path)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func rotate(path string) error {
	src, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	defer src.Close()
	end, err := src.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	if _, err := src.Seek(max(0, end-maxLog), io.SeekStart); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	dst, err := os.OpenFile(path+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	_, err = io.Copy(dst, src)
	// Emptied whatever became of the copy: on a full /run the old lines are
	// the ones to give up.
	return errors.Join(err, src.Truncate(0), dst.Close())
}
