package ctrd

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func write(t *testing.T, path string, n int) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), n), 0o644); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string, want int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != want {
		t.Errorf("%s has %d bytes, want %d", filepath.Base(path), info.Size(), want)
	}
}

// The writer keeps its file open for appending, as a shim does.
func TestRotateKeepsTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	w, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.Write(bytes.Repeat([]byte("old\n"), maxLog/4))
	if err := rotateAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	w.WriteString("new\n")
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "new\n" {
		t.Errorf("log: %q, %v", data, err)
	}
	size(t, path+".1", maxLog)
}

func TestDetectHost(t *testing.T) {
	if h := detectHost(t.TempDir()); h.Controllers != nil || h.IOWeight {
		t.Errorf("no unified hierarchy: %+v", h)
	}
	root := t.TempDir()
	for name, text := range map[string]string{"cgroup.controllers": "cpu io memory pids\n", "io.cost.qos": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if h := detectHost(root); len(h.Controllers) != 4 || !h.IOWeight {
		t.Errorf("%+v", h)
	}
}

func TestRotateLogsFollowsTheClock(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := &Client{opts: Options{Paths: Paths{Logs: dir}}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.RotateLogs(ctx) }()
		write(t, c.LogPath("a"), maxLog+10)
		write(t, c.LogPath("b"), maxLog-1)
		<-time.After(rotateEvery + time.Millisecond)
		synctest.Wait()
		size(t, c.LogPath("a"), 0)
		size(t, c.LogPath("a")+".1", maxLog)
		size(t, c.LogPath("b"), maxLog-1)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
