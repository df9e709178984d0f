package vmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSH is a session with a guest. It may be used by several goroutines.
type SSH struct{ client *ssh.Client }

// Timing of attempts to reach a guest that still boots. A forwarded port
// accepts at once whether somebody listens behind it or not, so an attempt
// that stays silent has to be given up and made again.
const (
	dialEvery    = 500 * time.Millisecond
	dialPatience = 3 * time.Second
)

// DialSSH logs in as user at 127.0.0.1:port with key, again and again until
// it works or ctx ends.
func DialSSH(ctx context.Context, port int, user string, key Key) (*SSH, error) {
	return DialSSHAt(ctx, fmt.Sprintf("127.0.0.1:%d", port), user, key)
}

// DialSSHAt is DialSSH to any address, HOST:PORT.
func DialSSHAt(ctx context.Context, addr, user string, key Key) (*SSH, error) {
	conf := &ssh.ClientConfig{
		User:            user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key.signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // a guest of ours, made a moment ago
	}
	tick := time.NewTicker(dialEvery)
	defer tick.Stop()
	for {
		s, err := dialOnce(ctx, addr, conf)
		if err == nil {
			return s, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("SSH to %s: %w; last attempt: %w", addr, context.Cause(ctx), err)
		}
	}
}

func dialOnce(ctx context.Context, addr string, conf *ssh.ClientConfig) (*SSH, error) {
	conn, err := dialBanner(ctx, addr)
	if err != nil {
		return nil, err
	}
	// Key exchange under emulation takes a second or two.
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, conf)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &SSH{ssh.NewClient(c, chans, reqs)}, nil
}

// dialBanner connects and waits for the first bytes of the server, which it
// leaves to be read again.
func dialBanner(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialPatience}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	err = conn.SetDeadline(time.Now().Add(dialPatience))
	if err == nil {
		_, err = io.ReadFull(conn, head)
	}
	if err == nil && string(head) != "SSH-" {
		err = fmt.Errorf("not an SSH server: it says %q", head)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &prefixed{Conn: conn, head: head}, nil
}

// prefixed gives back bytes that were read ahead.
type prefixed struct {
	net.Conn
	head []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.head) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.head)
	p.head = p.head[n:]
	return n, nil
}

// WaitBanner blocks until an SSH server answers on 127.0.0.1:port with its
// banner.
func WaitBanner(ctx context.Context, port int) error {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	tick := time.NewTicker(dialEvery)
	defer tick.Stop()
	for {
		conn, err := dialBanner(ctx, addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("SSH banner on %s: %w; last attempt: %w", addr, context.Cause(ctx), err)
		}
	}
}

// Result is what a command in the guest left.
type Result struct {
	Stdout, Stderr string
	Code           int // -1 when the session broke off without one
}

// Run runs a shell command line in the guest. A code other than 0 is no error.
func (s *SSH) Run(ctx context.Context, command string) (Result, error) {
	return s.RunInput(ctx, command, nil)
}

// RunInput is Run with something on standard input.
func (s *SSH) RunInput(ctx context.Context, command string, stdin io.Reader) (Result, error) {
	return s.session(ctx, command, stdin, func(sess *ssh.Session) error { return sess.Start(command) })
}

// Login types into a login shell on a terminal, as a person does, and returns
// when the shell has ended. Stdout is all that the terminal showed.
func (s *SSH) Login(ctx context.Context, typed string) (Result, error) {
	return s.session(ctx, "login", strings.NewReader(typed), func(sess *ssh.Session) error {
		if err := sess.RequestPty("dumb", 24, 200, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
			return err
		}
		return sess.Shell()
	})
}

// session runs what start starts to its end; what names it in errors.
func (s *SSH) session(ctx context.Context, what string, stdin io.Reader, start func(*ssh.Session) error) (Result, error) {
	sess, err := s.client.NewSession()
	if err != nil {
		return Result{Code: -1}, fmt.Errorf("SSH session: %w", err)
	}
	var stdout, stderr bytes.Buffer
	sess.Stdin, sess.Stdout, sess.Stderr = stdin, &stdout, &stderr
	if err := start(sess); err != nil {
		return Result{Code: -1}, errors.Join(fmt.Errorf("SSH %q: %w", what, err), sess.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- sess.Wait() }()
	select {
	case err = <-ended:
	case <-ctx.Done():
		// What came so far is lost: the buffers are the session's until Wait returns.
		return Result{Code: -1}, errors.Join(fmt.Errorf("SSH %q: %w", what, context.Cause(ctx)), sess.Close())
	}
	res := Result{Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *ssh.ExitError
	switch {
	case errors.As(err, &exit):
		res.Code = exit.ExitStatus()
	case err != nil:
		res.Code = -1
		return res, fmt.Errorf("SSH %q: %w", what, err)
	}
	return res, nil
}

// WaitHTTP asks the HTTP server on a unix socket of the guest for path until
// it answers 200, and returns then. The guest pays for no process of ours.
func (s *SSH) WaitHTTP(ctx context.Context, socket, path string) error {
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.client.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	tick := time.NewTicker(dialEvery / 2)
	defer tick.Stop()
	for {
		err := get(ctx, &client, "http://guest"+path)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("answer on %s: %w; last attempt: %w", socket, context.Cause(ctx), err)
		}
	}
}

// get asks for url and reads the answer to its end.
func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}

// Close ends the session.
func (s *SSH) Close() error { return s.client.Close() }
