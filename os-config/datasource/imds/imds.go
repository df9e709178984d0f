// Package imds owns how a metadata service is asked over HTTP: what is tried
// again, what is final, and every bound. It refuses to know any cloud, to look
// for a proxy itself, and to follow a redirect to another host.
package imds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/datasource"
)

// Bounds of one request.
const (
	DefaultTimeout = 5 * time.Second // for all of it, so that a slow drip ends
	maxRedirects   = 5
	maxHeader      = 64 << 10
)

// Options of a client. The zero value is what a machine uses.
type Options struct {
	HTTP    *http.Client // how to connect; redirects are this package's in any case
	AnyPort bool         // for tests without root: no source port below 1024 where a service wants one
	Log     *slog.Logger
	Timeout time.Duration               // of one request; 0: DefaultTimeout
	Backoff func(try int) time.Duration // pause after the try-th failure, from 1; nil: DefaultBackoff
}

// DefaultBackoff is a quarter of a second, doubled each time, at most four
// seconds: a network that comes up is used soon, a service that is ill is
// not made worse.
func DefaultBackoff(try int) time.Duration {
	return min(250*time.Millisecond<<min(try-1, 4), 4*time.Second)
}

// Client asks one service.
type Client struct {
	base    string
	http    *http.Client
	log     *slog.Logger
	timeout time.Duration
	backoff func(int) time.Duration
}

// New makes a client of the service at base, such as LinkLocal.
func New(base string, o Options) *Client {
	c := &Client{base: strings.TrimRight(base, "/"), log: o.Log, timeout: o.Timeout, backoff: o.Backoff}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.backoff == nil {
		c.backoff = DefaultBackoff
	}
	c.http = &http.Client{CheckRedirect: checkRedirect}
	if o.HTTP != nil {
		c.http.Transport = o.HTTP.Transport
	} else {
		c.http.Transport = transport()
	}
	return c
}

// transport has no Proxy: a metadata service is link-local, and its answers
// are nobody else's business. No compression: what is gzip is user-data.
func transport() *http.Transport {
	return &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: maxHeader, IdleConnTimeout: 10 * time.Second}
}

// WithProxy is for addresses that somebody wrote, never for a cloud's own
// service. A way to connect that is no *http.Transport is left as it is.
func (o Options) WithProxy(proxy func(*http.Request) (*url.URL, error)) Options {
	t := transport()
	if o.HTTP != nil && o.HTTP.Transport != nil {
		given, ok := o.HTTP.Transport.(*http.Transport)
		if !ok {
			return o
		}
		t = given.Clone()
	}
	t.Proxy = proxy
	o.HTTP = &http.Client{Transport: t}
	return o
}

// errAddress is final: no other try makes an address better.
var errAddress = errors.New("want http:// or https:// and a host")

// errRedirect is final: the service that was asked is the one that answers.
var errRedirect = errors.New("redirect refused")

func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme:
		return fmt.Errorf("%w: it leads to another host, %s", errRedirect, req.URL.Host)
	case len(via) >= maxRedirects:
		return fmt.Errorf("%w: more than %d", errRedirect, maxRedirects)
	}
	return nil
}

// URL is the address of a path of the service as people may see it, without
// what may be secret in it.
func (c *Client) URL(path string) string { return osconfig.ShownURL(c.address(path)) }

func (c *Client) address(path string) string {
	if path == "" || strings.HasPrefix(path, "?") {
		return c.base + path
	}
	return c.base + "/" + strings.TrimLeft(path, "/")
}

// StatusError is an answer that is no success.
type StatusError struct {
	Method, URL string
	Code        int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: the service answers %d %s", e.Method, e.URL, e.Code, http.StatusText(e.Code))
}

// Unwrap makes 404 and 410 datasource.ErrNotFound.
func (e *StatusError) Unwrap() error {
	if e.Code == http.StatusNotFound || e.Code == http.StatusGone {
		return datasource.ErrNotFound
	}
	return nil
}

// Status is the HTTP status in an error's chain, 0 when there is none.
func Status(err error) int {
	if e, ok := errors.AsType[*StatusError](err); ok {
		return e.Code
	}
	return 0
}

// Get fetches a path, with headers given as name, value, name, value. 404 and
// 410 are datasource.ErrNotFound, other 4xx are final; 5xx, 408, 429, half
// answers, refused connections and silence are tried again until ctx ends.
func (c *Client) Get(ctx context.Context, path string, header ...string) ([]byte, error) {
	return c.retry(ctx, http.MethodGet, path, nil, header)
}

// Put is Get with another method and no body, as tokens are asked for.
func (c *Client) Put(ctx context.Context, path string, header ...string) ([]byte, error) {
	return c.retry(ctx, http.MethodPut, path, nil, header)
}

// Post sends a body. The service may get it more than once.
func (c *Client) Post(ctx context.Context, path, contentType string, body []byte, header ...string) ([]byte, error) {
	return c.retry(ctx, http.MethodPost, path, body, append([]string{"Content-Type", contentType}, header...))
}

func (c *Client) retry(ctx context.Context, method, path string, body []byte, header []string) ([]byte, error) {
	address := c.address(path)
	var last error // what the service did, rather than that time is up
	for try := 1; ; try++ {
		data, again, err := c.once(ctx, method, address, body, header)
		if err == nil || !again {
			return data, err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		pause := c.backoff(try)
		c.log.Debug("metadata service", "url", osconfig.ShownURL(address), "try", try, "pause", pause, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w; tried %d times: %w", last, try, ctx.Err())
		}
	}
}

// once makes one request; again says whether another try may help.
func (c *Client) once(ctx context.Context, method, address string, body []byte, header []string) (data []byte, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	shown := osconfig.ShownURL(address)
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return nil, false, fmt.Errorf("%s %s: %w", method, shown, errAddress)
	}
	req.Header.Set("User-Agent", "pharos")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok { // it names the whole URL
			err = of.Err
		}
		return nil, !errors.Is(err, errRedirect), fmt.Errorf("%s %s: %w", method, shown, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, retryable(resp.StatusCode), &StatusError{method, shown, resp.StatusCode}
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, osconfig.MaxSize+1))
	switch {
	case err != nil:
		return nil, true, fmt.Errorf("%s %s: half an answer, %d bytes: %w", method, shown, len(data), err)
	case len(data) > osconfig.MaxSize:
		return nil, false, fmt.Errorf("%s %s: the answer has more than %d bytes", method, shown, osconfig.MaxSize)
	}
	return data, false, nil
}

func retryable(code int) bool {
	return code/100 == 5 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}
