package ctrd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/api/types/task"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/pharos-os/pharos/system/unit"
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
	if err := c.create(ctx, p); err != nil {
		return nil, err
	}
	process, err := c.run(ctx, p)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		return nil, errors.Join(err, c.remove(ctx, p.unit, 0))
	}
	return process, nil
}

// create writes the container's record, replacing a stale one.
func (c *Client) create(ctx context.Context, p *plan) error {
	record := &containers.CreateContainerRequest{Container: &containers.Container{
		ID:      p.unit.Name,
		Labels:  map[string]string{specLabel: p.digest},
		Runtime: &containers.Container_Runtime{Name: runtimeName},
		Spec:    &anypb.Any{TypeUrl: specType, Value: p.spec},
	}}
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

// run makes the directories and the task, and lets it go.
func (c *Client) run(ctx context.Context, p *plan) (*Process, error) {
	name := p.unit.Name
	if err := c.prepare(p); err != nil {
		return nil, fmt.Errorf("unit %s: directories: %w", name, err)
	}
	opts, err := c.runtimeOptions()
	if err != nil {
		return nil, fmt.Errorf("unit %s: runtime options: %w", name, err)
	}
	created, err := c.tasks.Create(ctx, &tasks.CreateTaskRequest{
		ContainerID: name,
		Rootfs:      []*types.Mount{{Type: p.rootfs.Type, Source: p.rootfs.Source, Options: p.rootfs.Options}},
		Stdout:      "file://" + p.log,
		Stderr:      "file://" + p.log,
		Options:     opts,
	})
	if err != nil {
		return nil, fmt.Errorf("unit %s: task: %w", name, err)
	}
	// Before the program runs, so that the number cannot have been reused.
	fd, err := openPidfd(int(created.Pid))
	if err != nil {
		return nil, fmt.Errorf("unit %s: %w", name, err)
	}
	if _, err := c.tasks.Start(ctx, &tasks.StartRequest{ContainerID: name}); err != nil {
		fd.close()
		return nil, fmt.Errorf("unit %s: start: %w", name, err)
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

// remove takes a container away completely. A program that still runs gets
// the unit's stop signal and grace, if there is any, and is killed then.
func (c *Client) remove(ctx context.Context, u unit.Unit, grace time.Duration) error {
	if err := c.removeTask(ctx, u, grace); err != nil {
		return fmt.Errorf("unit %s: remove: %w", u.Name, err)
	}
	if _, err := c.containers.Delete(ctx, &containers.DeleteContainerRequest{ID: u.Name}); err != nil && !notFound(err) {
		return fmt.Errorf("unit %s: remove: %w", u.Name, err)
	}
	if u.Persist {
		return nil
	}
	if err := os.RemoveAll(c.dir(u)); err != nil {
		return fmt.Errorf("unit %s: remove: %w", u.Name, err)
	}
	return nil
}

func (c *Client) removeTask(ctx context.Context, u unit.Unit, grace time.Duration) error {
	got, err := c.tasks.Get(ctx, &tasks.GetRequest{ContainerID: u.Name})
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if got.Process.Status != task.Status_STOPPED {
		if err := c.end(ctx, u, int(got.Process.Pid), grace); err != nil {
			return err
		}
	}
	if _, err := c.tasks.Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: u.Name}); err != nil && !notFound(err) {
		return err
	}
	return nil
}

// end stops the program of a task and waits until containerd knows.
func (c *Client) end(ctx context.Context, u unit.Unit, pid int, grace time.Duration) error {
	fd, err := openPidfd(pid)
	if err == nil {
		defer fd.close()
		if grace > 0 {
			if err := fd.signal(u.StopSignal); err != nil {
				return err
			}
			graced, cancel := context.WithTimeout(ctx, grace)
			defer cancel()
			_ = fd.wait(graced)
		}
		if err := fd.signal("SIGKILL"); err != nil {
			return err
		}
	} else if !errors.Is(err, unix.ESRCH) {
		return err
	}
	_, err = c.tasks.Wait(ctx, &tasks.WaitRequest{ContainerID: u.Name})
	if notFound(err) {
		return nil
	}
	return err
}

// Adopt finds the running container of a unit that an earlier life of the
// manager started. It reports false when there is none, or when it was made
// of something else than the unit says now: Start then replaces it.
func (c *Client) Adopt(ctx context.Context, u unit.Unit) (*Process, bool, error) {
	p, err := c.plan(u)
	if err != nil {
		return nil, false, err
	}
	name := p.unit.Name
	record, err := c.containers.Get(ctx, &containers.GetContainerRequest{ID: name})
	if notFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("unit %s: container: %w", name, err)
	}
	if record.Container.Labels[specLabel] != p.digest {
		return nil, false, nil
	}
	pid, err := c.runningPID(ctx, name)
	if err != nil || pid == 0 {
		return nil, false, err
	}
	fd, err := openPidfd(pid)
	if errors.Is(err, unix.ESRCH) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("unit %s: %w", name, err)
	}
	// Asked again: only now is it certain that fd is the container's.
	if again, err := c.runningPID(ctx, name); err != nil || again != pid {
		fd.close()
		return nil, false, err
	}
	return &Process{client: c, unit: p.unit, image: p.image, pid: pid, fd: fd}, true, nil
}

// runningPID is the process of a running task, 0 when there is none.
func (c *Client) runningPID(ctx context.Context, name string) (int, error) {
	got, err := c.tasks.Get(ctx, &tasks.GetRequest{ContainerID: name})
	if notFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("unit %s: task: %w", name, err)
	}
	if got.Process.Status != task.Status_RUNNING {
		return 0, nil
	}
	return int(got.Process.Pid), nil
}
