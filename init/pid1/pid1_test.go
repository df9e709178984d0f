package pid1

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/kmsg"
	"github.com/pharos-os/pharos/system/linux"
)

// newPipe returns a file from which text can be read.
func newPipe(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.WriteString(w, text)
		w.Close()
	}()
	return r
}

// world is everything that PID1 works with, without processes.
type world struct {
	*PID1
	signals chan os.Signal
	button  chan struct{}
	starts  []time.Time
	fail    error // of Start
	exit    chan syscall.WaitStatus
	msgs    chan Message
	sent    []string
	feeds   atomic.Int64
	crashes []bool
}

func (w *world) Feed() { w.feeds.Add(1) }

func (w *world) start() (*Process, error) {
	w.starts = append(w.starts, time.Now())
	if w.fail != nil {
		return nil, w.fail
	}
	w.exit, w.msgs = make(chan syscall.WaitStatus, 1), make(chan Message, 4)
	return &Process{PID: 100, Exit: w.exit, Messages: w.msgs, Tail: func() []string { return nil },
		Send: func(line string) error { w.sent = append(w.sent, line); return nil }}, nil
}

// die ends the process after its last words.
func (w *world) die(status syscall.WaitStatus, words ...Message) {
	msgs := w.msgs
	w.exit <- status
	for _, m := range words {
		msgs <- m
	}
	close(msgs)
}

// newWorld starts the loop in a bubble; what it returns arrives on the channel.
func newWorld(t *testing.T) (*world, chan linux.Action) {
	w := &world{signals: make(chan os.Signal, 1), button: make(chan struct{}, 1)}
	w.PID1 = &PID1{Log: kmsg.NewLogger(io.Discard, "init"), Start: w.start, Signals: w.signals, Button: w.button,
		Watchdog: w, Appeared: make(chan struct{}),
		Crashed: func(_ string, _ []string, loop bool) { w.crashes = append(w.crashes, loop) }}
	result := make(chan linux.Action, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { result <- w.Run(ctx) }()
	t.Cleanup(cancel)
	synctest.Wait()
	return w, result
}

func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestManagerIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWorld(t)
		w.die(9)
		after(firstDelay - time.Millisecond)
		if len(w.starts) != 1 {
			t.Fatalf("%d starts before the delay is over", len(w.starts))
		}
		after(time.Millisecond)
		if len(w.starts) != 2 || len(w.crashes) != 1 {
			t.Fatalf("%d starts, %d crashes", len(w.starts), len(w.crashes))
		}
	})
}

func TestManagerThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, result := newWorld(t)
		w.fail = errors.New("no such file")
		w.die(256)
		after(10 * time.Second)
		loops := 0
		for _, loop := range w.crashes {
			if loop {
				loops++
			}
		}
		if loops != 1 || len(w.starts) != 7 {
			t.Errorf("%d crash loops in %d starts", loops, len(w.starts))
		}
		w.signals <- unix.SIGTERM // nobody there to do it in order
		if got := <-result; got != linux.Poweroff {
			t.Errorf("ended with %s", got)
		}
	})
}

func TestOrderedShutdown(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func(w *world)
		sent string
		want linux.Action
	}{
		{"ctrl-alt-del", func(w *world) { w.signals <- unix.SIGINT }, "shutdown reboot", linux.Reboot},
		{"power failure", func(w *world) { w.signals <- unix.SIGPWR }, "shutdown poweroff", linux.Poweroff},
		{"button", func(w *world) { w.button <- struct{}{} }, "shutdown poweroff", linux.Poweroff},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, result := newWorld(t)
				c.ask(w)
				synctest.Wait()
				w.signals <- unix.SIGPWR // a second wish changes nothing
				synctest.Wait()
				if len(w.sent) != 1 || w.sent[0] != c.sent {
					t.Fatalf("sent %q", w.sent)
				}
				w.msgs <- Message{Done: c.want}
				if got := <-result; got != c.want {
					t.Errorf("ended with %s", got)
				}
			})
		})
	}
}

func TestShutdownDeadlines(t *testing.T) {
	for _, c := range []struct {
		name  string
		extra Message
		want  time.Duration
	}{
		{"silent manager", Message{}, orderedShutdown},
		{"manager that asks for less", Message{Deadline: 10 * time.Second}, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, result := newWorld(t)
				begin := time.Now()
				w.signals <- unix.SIGINT
				synctest.Wait()
				if c.extra != (Message{}) {
					w.msgs <- c.extra
				}
				if got := <-result; got != linux.Reboot || time.Since(begin) != c.want {
					t.Errorf("%s after %v", got, time.Since(begin))
				}
			})
		})
	}
}

func TestManagerDiesWhileEnding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, result := newWorld(t)
		w.signals <- unix.SIGINT
		synctest.Wait()
		w.die(9)
		if got := <-result; got != linux.Reboot || len(w.crashes) != 0 {
			t.Errorf("%s, %d crashes", got, len(w.crashes))
		}
	})
}

func TestManagerExitsAfterDone(t *testing.T) {
	for range 20 { // whichever of the two is seen first
		synctest.Test(t, func(t *testing.T) {
			w, result := newWorld(t)
			w.die(0, Message{Alive: true}, Message{Done: linux.Poweroff})
			if got := <-result; got != linux.Poweroff || len(w.starts) != 1 {
				t.Errorf("%s after %d starts", got, len(w.starts))
			}
		})
	}
}

func TestManagerHangsInItsOwnShutdown(t *testing.T) {
	for action, want := range map[linux.Action]linux.Action{"": linux.Reboot, linux.Poweroff: linux.Poweroff} {
		synctest.Test(t, func(t *testing.T) {
			w, result := newWorld(t)
			begin := time.Now()
			w.msgs <- Message{Deadline: 70 * time.Second, Action: action}
			if got := <-result; got != want || time.Since(begin) != 70*time.Second || len(w.sent) != 0 {
				t.Errorf("%s after %v, sent %q", got, time.Since(begin), w.sent)
			}
		})
	}
}

func TestManagerEndsTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, result := newWorld(t)
		w.msgs <- Message{Done: linux.Halt}
		if got := <-result; got != linux.Halt {
			t.Errorf("ended with %s", got)
		}
	})
}

func TestWatchdogFollowsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWorld(t)
		for range 60 {
			w.msgs <- Message{Alive: true}
			after(5 * time.Second)
		}
		fed := w.feeds.Load()
		if fed < 60 {
			t.Errorf("%d feeds in 300 s", fed)
		}
		after(5 * time.Minute) // silence
		if more := w.feeds.Load() - fed; more > int64(heartbeatLife/feedInterval) {
			t.Errorf("fed %d times after the last heartbeat", more)
		}
		silent := w.feeds.Load()
		w.msgs <- Message{Alive: true}
		after(feedInterval)
		if w.feeds.Load() == silent {
			t.Error("not fed although the manager is back")
		}
	})
}

func TestPanicDoesNotEndPID1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, result := newWorld(t)
		w.Crashed = func(string, []string, bool) { panic("test") }
		w.die(9)
		after(10 * time.Second)
		if len(w.starts) < 2 {
			t.Fatal("manager not restarted after a panic of PID 1")
		}
		w.msgs <- Message{Done: linux.Poweroff}
		if got := <-result; got != linux.Poweroff {
			t.Errorf("ended with %s", got)
		}
	})
}
