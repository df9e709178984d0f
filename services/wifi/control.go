package wifi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// answerTime is how long an answer may take: adding a link talks with its
// driver.
const answerTime = 10 * time.Second

// control speaks wpa_supplicant's control interface
// (src/common/wpa_ctrl.h): a text, and a text in answer.
type control struct {
	conn *net.UnixConn
	own  string
	wait time.Duration // for an answer
	late error         // an answer is still to come: nothing more can be asked
}

// dial connects, for what a name says. The program answers to the path of the
// asker's socket, and does not say to what: each connection has a path of its
// own, or an answer that came too late for the one before would be taken for
// its.
func dial(dir, name string, wait time.Duration) (*control, error) {
	old, err := filepath.Glob(filepath.Join(dir, name+"-*"))
	if err != nil {
		return nil, fmt.Errorf("wifi: %w", err)
	}
	for _, path := range old { // of a process before this one
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("wifi: %w", err)
		}
	}
	own, socket := filepath.Join(dir, fmt.Sprintf("%s-%x", name, time.Now().UnixNano())), filepath.Join(dir, "global")
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"}, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		os.Remove(own)
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
			return nil, ErrNotRunning
		}
		return nil, fmt.Errorf("wifi: %w", err)
	}
	return &control{conn: conn, own: own, wait: wait}, nil
}

func (c *control) close() {
	c.conn.Close()
	os.Remove(c.own)
}

func (c *control) request(text string) (string, error) {
	if c.late != nil {
		return "", c.late
	}
	if err := c.conn.SetDeadline(time.Now().Add(c.wait)); err != nil {
		return "", err
	}
	if _, err := c.conn.Write([]byte(text)); err != nil {
		return "", err
	}
	buf := make([]byte, 16<<10)
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			c.late = fmt.Errorf("no answer: %w", err)
			return "", c.late
		}
		if answer := string(buf[:n]); !strings.HasPrefix(answer, "<") { // that is an event
			return answer, nil
		}
	}
}

// ask gives an order, which is answered by OK or FAIL.
func (c *control) ask(order string) error {
	answer, err := c.request(order)
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "OK" {
		return fmt.Errorf("it answers %q", answer)
	}
	return nil
}

// ping finds out whether the program still holds its end, without waiting for
// an answer.
func (c *control) ping() error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err := c.conn.Write([]byte("PING"))
	return err
}

// interfaces are the names of the links that it has.
func (c *control) interfaces() ([]string, error) {
	answer, err := c.request("INTERFACES")
	if err != nil {
		return nil, err
	}
	return strings.Fields(answer), nil
}
