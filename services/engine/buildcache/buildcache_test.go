package buildcache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func nothing() error { return nil }

// start begins as dockerd does, in a boot.
func start(t *testing.T, dir, boot string, empty func(context.Context) error) *Cache {
	t.Helper()
	return begin(t.Context(), dir, boot, empty, func(err error) { t.Log(err) })
}

func holds(t *testing.T, dir, want string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, mark))
	if err != nil && !errors.Is(err, os.ErrNotExist) || string(text) != want {
		t.Errorf("the mark is %q, want %q; %v", text, want, err)
	}
}

func TestMark(t *testing.T) {
	dir := t.TempDir()
	var cache *Cache
	for _, s := range []struct {
		what, boot string
		ordered    bool // the dockerd before this one has closed the cache
		want       bool
	}{
		{"the first start", "1", false, false},
		{"after a kill", "1", false, false},
		{"after an ordered restart", "1", true, false},
		{"after a reboot", "2", true, false},
		{"after a power cut", "3", false, true},
		{"after a kill in the boot after the power cut", "3", false, false},
		{"after a second power cut", "4", false, true},
	} {
		if s.ordered {
			if err := cache.Close(nothing); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, "")
		}
		emptied := false
		cache = start(t, dir, s.boot, func(context.Context) error { emptied = true; return nil })
		if err := cache.Usable(t.Context()); err != nil {
			t.Fatal(err)
		}
		if emptied != s.want {
			t.Errorf("%s: emptied %t, want %t", s.what, emptied, s.want)
		}
		holds(t, dir, s.boot)
	}
}

// TestBuildsWait: dockerd goes on while the cache is emptied, and builds wait.
func TestBuildsWait(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, mark), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		emptied := make(chan struct{})
		cache := start(t, dir, "2", func(context.Context) error { <-emptied; return nil })
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := cache.Usable(impatient); !errors.Is(err, context.Canceled) {
			t.Errorf("a build that was cancelled: %v", err)
		}
		build := make(chan error, 1)
		go func() { build <- cache.Usable(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-build:
			t.Fatalf("a build uses the cache that is being emptied: %v", err)
		default:
		}
		holds(t, dir, "1")
		close(emptied)
		if err := <-build; err != nil {
			t.Error(err)
		}
		holds(t, dir, "2")
	})
}

// TestEndsWhileEmptying: a dockerd that ends before the cache is empty leaves
// the mark to the next one.
func TestEndsWhileEmptying(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, mark), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		emptying := false
		cache := start(t, dir, "2", func(ctx context.Context) error {
			emptying = true
			<-ctx.Done()
			emptying = false
			return ctx.Err()
		})
		synctest.Wait()
		if !emptying {
			t.Fatal("the cache is not emptied")
		}
		err := cache.Close(func() error {
			if emptying {
				t.Error("BuildKit is closed while its cache is emptied")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		holds(t, dir, "1")
	})
}

// TestEndsWhileBuildEmpties: the first attempt to empty the cache has failed, a
// build makes the second one, and another build waits for it. Close waits for
// neither.
func TestEndsWhileBuildEmpties(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, mark), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		cache := start(t, dir, "2", func(ctx context.Context) error {
			if attempts++; attempts == 1 {
				return errors.New("broken")
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Hour):
				return nil
			}
		})
		synctest.Wait()
		builds := make(chan error, 2)
		for range 2 {
			go func() { builds <- cache.Usable(t.Context()) }()
			synctest.Wait()
		}
		began := time.Now()
		if err := cache.Close(nothing); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("Close waits %s for a build", waited)
		}
		for range 2 {
			if err := <-builds; err == nil {
				t.Error("a build uses a cache that is not empty")
			}
		}
		if attempts != 2 {
			t.Errorf("%d attempts to empty the cache, want 2", attempts)
		}
		holds(t, dir, "1")
	})
}

// TestEmptyFails: a cache that could not be emptied is still one to be emptied,
// for the next build and for the next dockerd.
func TestEmptyFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, mark), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	failed := make(chan error)
	cache := begin(t.Context(), dir, "2", func(context.Context) error { return broken }, func(err error) { failed <- err })
	if err := <-failed; !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	if err := cache.Usable(t.Context()); !errors.Is(err, broken) {
		t.Errorf("a build gets %v", err)
	}
	if err := cache.Close(nothing); err != nil {
		t.Error(err)
	}
	holds(t, dir, "1")
	if err := cache.Usable(t.Context()); err == nil {
		t.Error("a closed cache is usable")
	}
	cache = start(t, dir, "2", func(context.Context) error { return nil })
	if err := cache.Usable(t.Context()); err != nil {
		t.Error(err)
	}
	holds(t, dir, "2")
	// A BuildKit that does not close may still write.
	if err := cache.Close(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	holds(t, dir, "2")
}

// TestNew takes the boot's ID from the kernel.
func TestNew(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		cache, err := New(t.Context(), dir, func(context.Context) error {
			t.Error("the cache of this boot was emptied")
			return nil
		}, func(err error) { t.Error(err) })
		if err == nil {
			err = cache.Usable(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
