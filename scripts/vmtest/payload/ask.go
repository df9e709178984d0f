package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// ask asks the engine behind a socket for its ping, again and again, and
// prints a line for each answer and each error.
func ask(ctx context.Context, socket string) error {
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		fmt.Println(time.Now().UnixMilli(), string(text), err)
	}
}
