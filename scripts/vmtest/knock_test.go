package vmtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What the lab gets when it connects to a port of the guest's.
const (
	open    = "open"    // somebody answers
	refused = "refused" // the guest says that nobody listens
	silent  = "silent"  // nothing comes back
)

// patience is how long the lab waits for an answer before it calls a port
// silent. The packet is sent again once meanwhile.
const patience = 3 * time.Second

// knock connects once and says what came of it. An open port says so by its
// answer to an HTTP request, or by a banner: the engine's proxy accepts
// connections before it knows whether it can forward them.
func knock(ctx context.Context, address string, patience time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		if err = conn.SetDeadline(deadline); err == nil {
			if _, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err == nil {
				_, err = conn.Read(make([]byte, 1))
			}
		}
	}
	var timeout net.Error
	switch {
	case err == nil:
		return open
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.As(err, &timeout) && timeout.Timeout():
		return silent
	}
	return err.Error()
}

// doors holds ports of the guest's to being open or silent as seen from the
// lab, all at the same time. What is to be open may take its time: an
// emulated machine does.
func doors(t *testing.T, want map[string]string) {
	t.Helper()
	var all sync.WaitGroup
	for address, expected := range want {
		all.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond) // a refusal comes at once
			defer tick.Stop()
			got := knock(t.Context(), address, patience)
			for end := time.Now().Add(stepDeadline); got != expected && expected == open && time.Now().Before(end); <-tick.C {
				got = knock(t.Context(), address, patience)
			}
			if got != expected {
				t.Errorf("%s is %s, want %s", address, got, expected)
			}
		})
	}
	all.Wait()
}

// pings holds addresses of the guest's to answering the lab's echo requests,
// or not.
func pings(t *testing.T, want map[string]bool) {
	t.Helper()
	var all sync.WaitGroup
	for address, expected := range want {
		all.Go(func() {
			program := "ping"
			if strings.Contains(address, ":") {
				program = "ping6"
			}
			out, err := exec.CommandContext(t.Context(), "busybox", program, "-c", "2", "-W", fmt.Sprint(int(patience.Seconds())), address).CombinedOutput()
			if answered := !strings.Contains(string(out), " 100% packet loss"); answered != expected || !strings.Contains(string(out), "2 packets transmitted") {
				t.Errorf("%s answers: %t, want %t: %v\n%s", address, answered, expected, err, out)
			}
		})
	}
	all.Wait()
}

// knocker connects to a port again and again, and keeps count of what came.
type knocker struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	got    map[string]int
}

// keepKnocking connects twenty times a second until it is stopped.
func keepKnocking(t *testing.T, address string) *knocker {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	k := &knocker{cancel: cancel, got: map[string]int{}}
	k.done.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			k.done.Go(func() { // those that wait for an answer hold up nobody
				got := knock(ctx, address, time.Second)
				if ctx.Err() != nil {
					return
				}
				k.mu.Lock()
				defer k.mu.Unlock()
				k.got[got]++
			})
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { k.stop() })
	return k
}

// stop ends the knocking and returns how often each thing came.
func (k *knocker) stop() map[string]int {
	k.cancel()
	k.done.Wait()
	return maps.Clone(k.got)
}

// onlySilence holds what a knocker got to nobody having answered, ever.
func onlySilence(t *testing.T, when string, got map[string]int) {
	t.Helper()
	t.Logf("%s: %v", when, got)
	if got[silent] == 0 || len(got) > 1 {
		t.Errorf("%s a port that no rule allows was %v, want silence alone", when, got)
	}
}

// echo answers datagrams with themselves until the test ends.
func echo(t *testing.T, address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			_, _ = conn.WriteTo(buffer[:n], from) // who asked asks again
		}
	}()
}

func TestKnock(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if got := knock(t.Context(), address, 100*time.Millisecond); got != silent {
		t.Errorf("a server that says nothing is %s", got)
	}
	go func() {
		for conn, err := ln.Accept(); err == nil; conn, err = ln.Accept() {
			fmt.Fprint(conn, "hello")
			conn.Close()
		}
	}()
	if got := knock(t.Context(), address, patience); got != open {
		t.Errorf("a server that answers is %s", got)
	}
	ln.Close()
	if got := knock(t.Context(), address, patience); got != refused {
		t.Errorf("a port without a server is %s", got)
	}
}
