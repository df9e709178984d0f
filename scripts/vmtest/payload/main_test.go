package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, slog.New(slog.DiscardHandler), ln, "payload 1\n") }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(page), "HTTP/1.0 200 OK\r\n") || !strings.Contains(string(page), "\r\n\r\npayload ") {
		t.Errorf("page %q, %v", page, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve ends with %v", err)
	}
	if err := run(t.Context(), slog.New(slog.DiscardHandler), []string{"dance"}); err == nil {
		t.Error("an unknown command is done")
	}
}
