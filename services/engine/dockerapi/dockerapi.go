// Package dockerapi owns calls to the Docker API on a unix socket: JSON out,
// JSON in, and the daemon's own message when it refuses. It refuses to know
// what the calls mean, to retry, and to handle streams.
package dockerapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// ErrAway is the class of errors that say that no daemon answers at the socket.
var ErrAway = errors.New("the engine does not answer")

// Client talks to the daemon that listens on Socket, the path of a unix
// socket. It opens a connection for each call and is safe for concurrent use.
type Client struct {
	Socket string
}

// Error is an answer with a status of 400 or more.
type Error struct {
	Status  int    // of HTTP
	Message string // the daemon's own
}

func (e *Error) Error() string { return e.Message }

// IsStatus reports whether err is the daemon's answer with that status.
func IsStatus(err error, status int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == status
}

// Call sends one request and waits for its answer until ctx ends. The path is
// that of the API without a version, with its query ("/nodes/ID/update?version=7"):
// the daemon then uses its newest. A non-nil in is the request's body, as
// JSON. The answer's body is decoded into out unless that is nil.
func (c Client) Call(ctx context.Context, method, path string, in, out any) error {
	if err := c.call(ctx, method, path, in, out); err != nil {
		name, _, _ := strings.Cut(path, "?")
		return fmt.Errorf("docker %s %s: %w", method, name, err)
	}
	return nil
}

func (c Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("request body: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http().Do(request)
	if err != nil {
		return c.explain(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("answer: %w", err)
	case answer.StatusCode >= http.StatusBadRequest:
		return &Error{Status: answer.StatusCode, Message: message(answer.Status, text)}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}

func (c Client) http() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives:  true, // a client is a value: nobody could close what idles
		DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.Socket)
		},
	}}
}

// message is what the daemon says; its errors are {"message": "…"}.
func message(status string, body []byte) string {
	var said struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &said); err == nil && said.Message != "" {
		return said.Message
	}
	return "the engine answers " + strings.ToLower(status)
}

// explain says what it means that no answer came.
func (c Client) explain(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w at %s: see ros service list", ErrAway, c.Socket)
	}
	// url.Error repeats the method and an address that does not exist.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err
}
