// Command payload is what the virtual machine tests run in user containers: a
// web server, one that ignores SIGTERM, a killer of everything that it can
// see, a time server, a client of the Docker API, looks at files, names and
// other servers, and a container of a compose project that checks what it got.
// It is static and needs nothing beside itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(context.Background(), log, os.Args[1:]); err != nil {
		log.Error("payload ended", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) == 2 && args[0] == "exists" {
		if _, err := os.Stat(args[1]); err != nil {
			return err
		}
		fmt.Println(args[1], "exists")
		return nil
	}
	if len(args) == 2 {
		switch args[0] {
		case "ask":
			ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
			defer stop()
			return ask(ctx, args[1])
		case "fetch":
			return fetch(args[1])
		case "look-up":
			return lookUp(args[1])
		case "show":
			return show(args[1])
		}
	}
	switch strings.Join(args, " ") {
	case "serve":
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
		return listen(ctx, log)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		return listen(ctx, log)
	case "ntp":
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
		return ntp(ctx, log)
	case "stack":
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
		return stack(ctx, log, os.Stdout)
	case "healthy":
		return healthy(ctx)
	case "kill-all":
		// Everything but this process and its namespace's PID 1.
		return syscall.Kill(-1, syscall.SIGKILL)
	}
	return errors.New("usage: payload serve|stubborn|ntp|stack|healthy|kill-all|exists PATH|ask SOCKET|show PATH|fetch HOST:PORT|look-up NAME")
}

func listen(ctx context.Context, log *slog.Logger) error {
	ln, err := net.Listen("tcp", ":8080")
	if err != nil {
		return err
	}
	// The time at which this process started shows a restart to who asks.
	body := fmt.Sprintf("payload %d", time.Now().UnixNano())
	if says := os.Getenv("PAYLOAD_SAYS"); says != "" {
		body += " " + says
	}
	return serve(ctx, log, ln, body+"\n")
}

// serve answers with body. It owns ln and returns when ctx ends.
func serve(ctx context.Context, log *slog.Logger, ln net.Listener, body string) error {
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			log.Info("asked to stop")
			return nil
		}
		if err != nil {
			return err
		}
		go answer(log, conn, body)
	}
}

// answer speaks as much HTTP/1.0 as a test needs; net/http would triple the
// image.
func answer(log *slog.Logger, conn net.Conn, body string) {
	defer conn.Close()
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err != nil && err != io.EOF {
		log.Info("request", "error", err)
		return
	}
	if _, err := fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		log.Info("answer", "error", err)
	}
}
