// Package client owns the Go side of the control API's other end: one method
// per request. It refuses to interpret answers and to retry.
package client

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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

// maxError and maxAnswer bound what is read of an answer that is not a stream.
const (
	maxError  = 64 << 10
	maxAnswer = 64 << 20
)

// ErrAway is the class of errors that say that nobody answers at the socket.
var ErrAway = errors.New("the manager does not answer")

// Client talks to the manager. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// New is a client of the manager at socket, usually api.Socket. It connects
// at the first call.
func New(socket string) *Client {
	var d net.Dialer
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true,
	}}}
}

// Status asks how the machine is.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	var s api.Status
	return s, c.get(ctx, api.PathStatus, &s)
}

// Boot asks what the boot's stages cost.
func (c *Client) Boot(ctx context.Context) (api.Boot, error) {
	var b api.Boot
	return b, c.get(ctx, api.PathBoot, &b)
}

// Services lists the services.
func (c *Client) Services(ctx context.Context) ([]api.Service, error) {
	var s []api.Service
	return s, c.get(ctx, api.PathServices, &s)
}

// Processes lists the processes of service name.
func (c *Client) Processes(ctx context.Context, name string) ([]api.Process, error) {
	var ps []api.Process
	return ps, c.get(ctx, servicePath(name, "processes"), &ps)
}

// Start starts service name and returns when it runs.
func (c *Client) Start(ctx context.Context, name string) error {
	return c.post(ctx, servicePath(name, "start"), nil)
}

// Stop stops service name and returns when it has stopped.
func (c *Client) Stop(ctx context.Context, name string) error {
	return c.post(ctx, servicePath(name, "stop"), nil)
}

// Restart stops and starts service name and returns when it runs.
func (c *Client) Restart(ctx context.Context, name string) error {
	return c.post(ctx, servicePath(name, "restart"), nil)
}

// Shutdown asks for the machine's end and returns when that has begun.
func (c *Client) Shutdown(ctx context.Context, s api.Shutdown) error {
	return c.post(ctx, api.PathShutdown, s)
}

// Config is the configuration at key ("" is all), as YAML.
func (c *Client) Config(ctx context.Context, key string, full, private bool) (string, error) {
	v := url.Values{}
	if key != "" {
		v.Set("key", key)
	}
	setFlag(v, "full", full)
	setFlag(v, "private", private)
	body, err := c.do(ctx, http.MethodGet, api.PathConfig, v, nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return "", cut(err)
	}
	return string(text), nil
}

// Logs hands every line to fn, in order, until there are no more, or with
// q.Follow until ctx ends, which is no error, or fn fails.
func (c *Client) Logs(ctx context.Context, q api.LogQuery, fn func(api.LogLine) error) error {
	v := url.Values{"lines": {strconv.Itoa(q.Lines)}}
	if q.Unit != "" {
		v.Set("unit", q.Unit)
	}
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	setFlag(v, "follow", q.Follow)
	body, err := c.do(ctx, http.MethodGet, api.PathLogs, v, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; {
		var line api.LogLine
		switch err := d.Decode(&line); {
		case errors.Is(err, io.EOF), err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return cut(err)
		}
		if err := fn(line); err != nil {
			return err
		}
	}
}

func (c *Client) get(ctx context.Context, path string, v any) error {
	body, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	return answer(body, v)
}

func (c *Client) post(ctx context.Context, path string, v any) error {
	var body io.Reader
	if v != nil {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("request body: %w", err)
		}
		body = bytes.NewReader(text)
	}
	answer, err := c.do(ctx, http.MethodPost, path, nil, body)
	if err != nil {
		return err
	}
	return answer.Close()
}

// do sends one request; an answer of 400 or more becomes the error that it says.
func (c *Client) do(ctx context.Context, method, path string, v url.Values, body io.Reader) (io.ReadCloser, error) {
	u := url.URL{Scheme: "http", Host: "pharos", RawQuery: v.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.JoinPath(path).String(), body)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var e api.Error
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxError)).Decode(&e); err != nil || e.Error == "" {
		return nil, fmt.Errorf("the manager answers %s", strings.ToLower(resp.Status))
	}
	return nil, errors.New(e.Error)
}

// explain says what it means that no answer came.
func (c *Client) explain(err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w at %s: are you on Pharos? There is no such socket here", ErrAway, c.socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s: it is not running now; PID 1 restarts it, so try again in some seconds", ErrAway, c.socket)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission for %s: be root or in the group pharos", c.socket)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: it ended before it had answered", ErrAway)
	}
	// url.Error repeats method and URL, which say nothing to a user.
	if e := new(url.Error); errors.As(err, &e) {
		err = e.Err
	}
	return fmt.Errorf("manager at %s: %w", c.socket, err)
}

func servicePath(name, what string) string {
	return api.PathServices + "/" + url.PathEscape(name) + "/" + what
}

func setFlag(v url.Values, key string, on bool) {
	if on {
		v.Set(key, "1")
	}
}

// cut says what it means that an answer cannot be read to its end.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w any more: it ended in the middle of its answer", ErrAway)
	}
	return fmt.Errorf("manager's answer: %w", err)
}
