package chrony

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

var errNotRunning = errors.New("not running")

// Of chrony's candm.h, version 6 of the protocol (since chrony 2.2): offsets
// and values of a request and a reply without data. Numbers are big-endian.
const (
	version       = 6
	typeRequest   = 1
	typeReply     = 2
	reloadSources = 70 // REQ_RELOAD_SOURCES, since chrony 4.0
	requestLength = 28 // with the padding that makes it as long as the reply
	replyLength   = 28
	offCommand    = 4
	offSequence   = 8  // of a request
	offStatus     = 8  // of a reply; 0 is success
	offAnswers    = 16 // of a reply: the request's sequence number
)

// answerTime is how long chronyd has; while it starts it may be busy.
const answerTime = 5 * time.Second

// reload makes chronyd read its sources again, as "chronyc reload sources"
// does. It returns errNotRunning when nobody listens.
func reload(socket string, wait time.Duration) error {
	if _, err := os.Stat(socket); errors.Is(err, os.ErrNotExist) {
		return errNotRunning
	}
	// chronyd answers to a path, so this end needs one that both see.
	own := filepath.Join(filepath.Dir(socket), "rosd.sock")
	if err := os.Remove(own); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	c, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"}, &net.UnixAddr{Name: socket, Net: "unixgram"})
	defer os.Remove(own)
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
		return errNotRunning
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if err := open(own); err != nil {
		return err
	}
	if err := c.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	sequence := uint32(time.Now().UnixNano()) //nolint:gosec // any will do
	if _, err := c.Write(request(sequence)); err != nil {
		return err
	}
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		if ours, err := reply(buf[:n], sequence); ours {
			return err
		}
	}
}

// open lets everybody write to the socket at a path: chronyd is not root. The
// directory is chronyd's, so that the path may mean something else by now;
// nothing but a socket is opened up.
func open(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return fmt.Errorf("%s: it is no socket", path)
	}
	return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), 0o666)
}

func request(sequence uint32) []byte {
	b := make([]byte, requestLength)
	b[0], b[1] = version, typeRequest
	binary.BigEndian.PutUint16(b[offCommand:], reloadSources)
	binary.BigEndian.PutUint32(b[offSequence:], sequence)
	return b
}

// reply says whether it is an answer to that request, and what it says.
func reply(b []byte, sequence uint32) (ours bool, err error) {
	if len(b) < replyLength || b[1] != typeReply || binary.BigEndian.Uint32(b[offAnswers:]) != sequence {
		return false, nil
	}
	if b[0] != version {
		return true, fmt.Errorf("protocol version %d, want %d", b[0], version)
	}
	if status := binary.BigEndian.Uint16(b[offStatus:]); status != 0 {
		return true, fmt.Errorf("reload of the sources: status %d", status)
	}
	return true, nil
}
