package manager

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// initFD is the manager's end of the socket pair that PID 1 made.
	initFD = 3
	// aliveEvery is the pace of the heartbeat; PID 1 stops feeding the
	// watchdog when four in a row are missing.
	aliveEvery = 5 * time.Second
)

// initLink is the line to PID 1: newline-separated words (see init/pid1).
type initLink struct {
	conn net.Conn
	log  *slog.Logger
	mu   sync.Mutex
}

func openInitLink(log *slog.Logger) (*initLink, error) {
	f := os.NewFile(initFD, "init")
	if f == nil {
		return nil, fmt.Errorf("descriptor %d is not open: rosd is started by PID 1", initFD)
	}
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("line to PID 1: %w", err)
	}
	return &initLink{conn: conn, log: log}, nil
}

// say sends one line; a PID 1 that does not read must not block the manager.
func (l *initLink) say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		l.log.Warn("line to PID 1", "error", err)
		return
	}
	if _, err := fmt.Fprintln(l.conn, line); err != nil {
		l.log.Warn("line to PID 1", "sent", line, "error", err)
	}
}

// run sends heartbeats, each only after probe has returned, and hands on what
// PID 1 asks for.
func (l *initLink) run(ctx context.Context, probe func(), shutdown func(action string)) {
	go func() {
		in := bufio.NewScanner(l.conn)
		for in.Scan() {
			if action, ok := strings.CutPrefix(in.Text(), "shutdown "); ok {
				shutdown(action)
			}
		}
	}()
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		probe()
		l.say("alive")
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
