package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/pharos-os/pharos/system/keep"
)

// toolTimeout bounds the programs of the image that the set-up calls: none of
// them has to wait for anything.
const toolTimeout = 60 * time.Second

// tool runs a program of the image to its end and returns what it printed;
// its error ends with the last line of that.
func (s *setup) tool(ctx context.Context, stdin string, args ...string) (string, error) {
	if s.Tool != nil {
		return s.Tool(ctx, stdin, args...)
	}
	program, err := lookPath(args[0])
	if err != nil {
		return "", err
	}
	in, err := pipeWith(stdin)
	if err != nil {
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	defer in.Close()
	out, write, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	defer out.Close()
	child, err := s.reaper.Start(keep.Command{
		Args: append([]string{program}, args[1:]...), Dir: "/", Stdin: in, Stdout: write, Stderr: write,
		Env: []string{"PATH=" + searchPath, "LANG=C.UTF-8"},
	})
	write.Close()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		child.SignalGroup(syscall.SIGTERM) // also what it has started, as mount(8) a helper
		child.Stop(time.Second)
	})
	defer stop()
	// Something that it leaves behind, a file server of FUSE's for instance,
	// may keep the pipe open.
	go func() {
		<-child.Done()
		out.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	}()
	var text bytes.Buffer
	_, err = io.Copy(&text, io.LimitReader(out, 64<<10))
	if err == nil { // it must not wait for somebody to read the rest
		_, err = io.Copy(io.Discard, out)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		s.log.Warn("output lost", "command", args[0], "error", err)
	}
	<-child.Done()
	if !child.Status().OK() {
		return text.String(), fmt.Errorf("%s: %s: %v", args[0], lastLine(text.String()), child.Status())
	}
	return text.String(), nil
}

// pipeWith is the read end of a pipe that holds text; a pipe takes 64 KiB.
func pipeWith(text string) (*os.File, error) {
	if len(text) > 60<<10 {
		return nil, fmt.Errorf("%d bytes of input are too many", len(text))
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.WriteString(text); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
