package ctrd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/pharos-os/pharos/system/oci"
	"github.com/pharos-os/pharos/system/unit"
)

const (
	// UnknownExit is the exit code of a program that ended while nobody could
	// keep it, as containerd has it.
	UnknownExit = 255
	// maxOutput is how much of an Exec's output is kept, in bytes.
	maxOutput = 64 << 10
	// answerEvery and answerWithin bound the wait for an exit code after the
	// program has ended and containerd answers, but with an error.
	answerEvery  = 100 * time.Millisecond
	answerWithin = 5 * time.Second
)

// Process is one running container.
type Process struct {
	client *Client
	unit   unit.Unit
	image  oci.ImageConfig
	pid    int
	fd     pidfd
}

// PID is the process number of the container's first process on the machine.
func (p *Process) PID() int { return p.pid }

// Wait blocks until the program has ended and returns its exit code, 128 plus
// the signal's number if it was killed. The end is seen by the kernel's word,
// not by containerd's: one that restarts ends no Wait. The error is ctx's.
func (p *Process) Wait(ctx context.Context) (uint32, error) {
	if err := p.fd.wait(ctx); err != nil && !errors.Is(err, fs.ErrClosed) {
		return 0, fmt.Errorf("unit %s: wait: %w", p.unit.Name, err)
	}
	retry := time.NewTicker(answerEvery)
	defer retry.Stop()
	var errorsUntil time.Time
	for {
		r, err := p.client.tasks.Wait(ctx, &tasks.WaitRequest{ContainerID: p.unit.Name})
		switch {
		case err == nil:
			return r.ExitStatus, nil
		case ctx.Err() != nil:
			return 0, fmt.Errorf("unit %s: wait: %w", p.unit.Name, ctx.Err())
		case notFound(err):
			return UnknownExit, nil
		case status.Code(err) != codes.Unavailable && errorsUntil.IsZero():
			errorsUntil = time.Now().Add(answerWithin)
		case status.Code(err) != codes.Unavailable && time.Now().After(errorsUntil):
			p.client.opts.Log.Warn("exit code unknown", "unit", p.unit.Name, "error", err)
			return UnknownExit, nil
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
		}
	}
}

// Kill sends a signal by name ("SIGTERM") to the container's first process. A
// program that has ended takes it silently. With SIGKILL everything in the
// container ends: the kernel sees to it in a PID namespace, the shim else.
func (p *Process) Kill(_ context.Context, signal string) error {
	if err := p.fd.signal(signal); err != nil && !errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("unit %s: kill: %w", p.unit.Name, err)
	}
	return nil
}

// Delete removes the container, and its writable layer unless the unit
// persists. A program that still runs is killed. It can be called again.
func (p *Process) Delete(ctx context.Context) error {
	if err := p.client.remove(ctx, p.unit, 0); err != nil {
		return err
	}
	p.fd.close()
	return nil
}

// Exec runs a further program in the container, with the unit's capabilities,
// and returns what it wrote, at most 64 KiB, and its exit code. The error says
// that it could not be run to its end; with ctx it is killed.
func (p *Process) Exec(ctx context.Context, args []string) ([]byte, int, error) {
	output, code, err := p.exec(ctx, args)
	if err != nil {
		return nil, 0, fmt.Errorf("unit %s: exec %q: %w", p.unit.Name, args, err)
	}
	return output, code, nil
}

func (p *Process) exec(ctx context.Context, args []string) ([]byte, int, error) {
	process, err := oci.ExecProcess(p.unit, p.image, args)
	if err != nil {
		return nil, 0, err
	}
	spec, err := json.Marshal(process)
	if err != nil {
		return nil, 0, err
	}
	id := "exec-" + rand.Text()
	out := filepath.Join(p.client.opts.Paths.Logs, "."+p.unit.Name+"-"+id)
	defer os.Remove(out)
	stdout, stderr, err := outputs(out)
	if err != nil {
		return nil, 0, err
	}
	_, err = p.client.tasks.Exec(ctx, &tasks.ExecProcessRequest{
		ContainerID: p.unit.Name,
		ExecID:      id,
		Stdout:      stdout,
		Stderr:      stderr,
		Spec:        &anypb.Any{TypeUrl: processType, Value: spec},
	})
	if err != nil {
		return nil, 0, err
	}
	code, err := p.runExec(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	file, err := os.Open(out)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	output, err := io.ReadAll(io.LimitReader(file, maxOutput))
	return output, code, err
}

// runExec starts a prepared exec, waits for it and removes it; the removal
// waits until its output is written.
func (p *Process) runExec(ctx context.Context, id string) (code int, err error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		if err != nil {
			p.client.tasks.Kill(ctx, &tasks.KillRequest{ContainerID: p.unit.Name, ExecID: id, Signal: uint32(unix.SIGKILL)})
			p.client.tasks.Wait(ctx, &tasks.WaitRequest{ContainerID: p.unit.Name, ExecID: id})
		}
		_, derr := p.client.tasks.DeleteProcess(ctx, &tasks.DeleteProcessRequest{ContainerID: p.unit.Name, ExecID: id})
		if err == nil && derr != nil && !notFound(derr) {
			err = derr
		}
	}()
	if _, err := p.client.tasks.Start(ctx, &tasks.StartRequest{ContainerID: p.unit.Name, ExecID: id}); err != nil {
		return 0, err
	}
	r, err := p.client.tasks.Wait(ctx, &tasks.WaitRequest{ContainerID: p.unit.Name, ExecID: id})
	if err != nil {
		return 0, err
	}
	return int(r.ExitStatus), nil
}
