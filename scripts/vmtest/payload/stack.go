package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/pharos-os/pharos/scripts/vmtest/inside"
)

// stack is a container of a compose project: it serves its ports, prints what
// it finds of what its compose file asks for, and stays.
func stack(ctx context.Context, log *slog.Logger, out io.Writer) error {
	task, err := inside.ParseTask(os.Getenv(inside.Variable))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var servers sync.WaitGroup
	defer servers.Wait()
	defer cancel()
	for _, port := range task.Serve {
		serve, err := open(ctx, log, port, inside.Greeting(task.Service))
		if err != nil {
			return err
		}
		servers.Go(serve)
	}
	fmt.Fprintln(out, inside.LogMark(task.Service))
	verdict, err := json.Marshal(inside.Run(ctx, task))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, string(verdict))
	if !task.Once {
		<-ctx.Done()
	}
	return nil
}

// open listens on a port, "tcp/80", and returns what serves it until ctx ends.
func open(ctx context.Context, log *slog.Logger, port, greeting string) (func(), error) {
	network, number, _ := strings.Cut(port, "/")
	switch network {
	case "tcp":
		ln, err := net.Listen("tcp", ":"+number)
		if err != nil {
			return nil, err
		}
		return func() {
			if err := serve(ctx, log, ln, greeting); err != nil {
				log.Error("server ended", "port", port, "error", err)
			}
		}, nil
	case "udp":
		conn, err := net.ListenPacket("udp", ":"+number)
		if err != nil {
			return nil, err
		}
		return func() { echo(ctx, log, conn, greeting) }, nil
	}
	return nil, fmt.Errorf("port %q: want tcp/NUMBER or udp/NUMBER", port)
}

// echo answers each packet with the greeting. It owns conn and returns when ctx ends.
func echo(ctx context.Context, log *slog.Logger, conn net.PacketConn, greeting string) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	buf := make([]byte, 1500)
	for {
		_, from, err := conn.ReadFrom(buf)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			_, err = conn.WriteTo([]byte(greeting), from)
		}
		if err != nil {
			log.Info("packet", "error", err)
		}
	}
}

// healthy is the health check of such a container: its first TCP port answers.
func healthy(ctx context.Context) error {
	task, err := inside.ParseTask(os.Getenv(inside.Variable))
	if err != nil {
		return err
	}
	for _, port := range task.Serve {
		if number, ok := strings.CutPrefix(port, "tcp/"); ok {
			_, err := inside.Ask(ctx, "tcp", "127.0.0.1:"+number, "GET / HTTP/1.0\r\n\r\n")
			return err
		}
	}
	return errors.New("no TCP port is served")
}
