package ctrd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/pharos-os/pharos/system/unit"
	"github.com/pharos-os/pharos/system/view"
)

// The type names under which containerd knows JSON of the runtime
// specification (containerd pkg/oci and client: typeurl registrations).
const (
	specType    = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
	processType = "types.containerd.io/opencontainers/runtime-spec/1/Process"
)

// Start makes the unit's container and runs it. What an earlier life of the
// unit left behind, running or not, is stopped and removed first. On an error
// nothing is left.
func (c *Client) Start(ctx context.Context, u unit.Unit) (*Process, error) {
	p, err := c.plan(u)
	if err != nil {
		return nil, err
	}
	process, err := c.makeInGroup(ctx, p)
	if err != nil {
		return nil, err
	}
	if _, err := c.tasks.Start(ctx, &tasks.StartRequest{ContainerID: p.unit.Name}); err != nil {
		process.fd.close()
		return nil, c.undo(ctx, p, fmt.Errorf("unit %s: start: %w", p.unit.Name, err))
	}
	return process, nil
}

// make makes container and task, whose process waits to be let go. shim is the
// address of a running shim to put it into; empty starts one, or lets the
// group's annotation find it.
func (c *Client) make(ctx context.Context, p *plan, shim string) (*Process, error) {
	if err := c.create(ctx, p, shim != ""); err != nil {
		return nil, err
	}
	process, err := c.task(ctx, p, shim)
	if err != nil {
		return nil, c.undo(ctx, p, err)
	}
	return process, nil
}

// undo removes what a failed start has made, and returns why it failed.
func (c *Client) undo(ctx context.Context, p *plan, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return errors.Join(why, c.remove(ctx, p.unit, 0))
}

// create writes the container's record, replacing a stale one.
func (c *Client) create(ctx context.Context, p *plan, shared bool) error {
	record := &containers.CreateContainerRequest{Container: &containers.Container{
		ID:      p.unit.Name,
		Labels:  map[string]string{specLabel: p.digest},
		Runtime: &containers.Container_Runtime{Name: runtimeName},
		Spec:    &anypb.Any{TypeUrl: specType, Value: p.spec},
	}}
	if shared {
		record.Container.Sandbox = sandboxID(p.unit.Group)
	}
	_, err := c.containers.Create(ctx, record)
	if status.Code(err) == codes.AlreadyExists {
		if err := c.remove(ctx, p.unit, p.unit.StopTimeout); err != nil {
			return err
		}
		_, err = c.containers.Create(ctx, record)
	}
	if err != nil {
		return fmt.Errorf("unit %s: container: %w", p.unit.Name, err)
	}
	return nil
}

// task makes the directories and the task.
func (c *Client) task(ctx context.Context, p *plan, shim string) (*Process, error) {
	name := p.unit.Name
	if err := c.prepare(p); err != nil {
		return nil, fmt.Errorf("unit %s: directories: %w", name, err)
	}
	opts, err := c.runtimeOptions()
	if err != nil {
		return nil, fmt.Errorf("unit %s: runtime options: %w", name, err)
	}
	stdout, stderr, err := outputs(p.log)
	if err != nil {
		return nil, fmt.Errorf("unit %s: log file: %w", name, err)
	}
	request := &tasks.CreateTaskRequest{
		ContainerID: name,
		Rootfs:      []*types.Mount{{Type: p.rootfs.Type, Source: p.rootfs.Source, Options: p.rootfs.Options}},
		Stdout:      stdout,
		Stderr:      stderr,
		Options:     opts,
	}
	if shim != "" {
		request.TaskApiAddress, request.TaskApiVersion = shim, shimVersion
	}
	created, err := c.tasks.Create(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("unit %s: task: %w", name, err)
	}
	// Before the program runs, so that the number cannot have been reused.
	fd, err := openPidfd(int(created.Pid))
	if err != nil {
		return nil, fmt.Errorf("unit %s: %w", name, err)
	}
	// The runtime has made the root by now, and private.
	if p.unit.Root != "" {
		if err := view.Join(p.unit.RootPeers, int(created.Pid), p.unit.RootBack); err != nil {
			fd.close()
			return nil, fmt.Errorf("unit %s: %w", name, err)
		}
	}
	for _, m := range p.unit.Mounts {
		if len(m.Except) == 0 {
			continue
		}
		if err := view.Fill(int(created.Pid), m.Source, m.Target, m.Except); err != nil {
			fd.close()
			return nil, fmt.Errorf("unit %s: mounts below %s: %w", name, m.Source, err)
		}
	}
	if err := view.Without(int(created.Pid), p.unit.Without); err != nil {
		fd.close()
		return nil, fmt.Errorf("unit %s: %w", name, err)
	}
	return &Process{client: c, unit: p.unit, image: p.image, pid: int(created.Pid), fd: fd}, nil
}

func (c *Client) runtimeOptions() (*anypb.Any, error) {
	if c.opts.RuncRoot == "" {
		return nil, nil
	}
	data, err := proto.Marshal(&options.Options{Root: c.opts.RuncRoot})
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: "containerd.runc.v1.Options", Value: data}, nil
}

// prepare makes the writable layer, empty unless the unit persists, and the
// mount sources that the unit wants made.
func (c *Client) prepare(p *plan) error {
	if !p.unit.Persist {
		if err := os.RemoveAll(c.dir(p.unit)); err != nil {
			return err
		}
	}
	for _, d := range []string{p.upper, p.work, filepath.Dir(p.log)} {
		if d == "" {
			continue
		}
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for _, m := range p.unit.Mounts {
		if m.Mkdir == 0 {
			continue
		}
		err := os.MkdirAll(filepath.Dir(m.Source), 0o755)
		if err == nil {
			err = os.Mkdir(m.Source, 0o700)
		}
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = unix.Chmod(m.Source, m.Mkdir) // whatever the umask, and with the sticky bit
		}
		if err != nil {
			return err
		}
	}
	return nil
}
