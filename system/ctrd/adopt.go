package ctrd

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/pharos-os/pharos/system/unit"
)

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

// Redefine records that the running container of a unit now counts as made from
// u: a later Adopt with u finds it. The caller tells the program in it
// what differs.
func (c *Client) Redefine(ctx context.Context, u unit.Unit) error {
	p, err := c.plan(u)
	if err != nil {
		return err
	}
	_, err = c.containers.Update(ctx, &containers.UpdateContainerRequest{
		Container:  &containers.Container{ID: p.unit.Name, Labels: map[string]string{specLabel: p.digest}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"labels." + specLabel}},
	})
	if err != nil {
		return fmt.Errorf("unit %s: label of the container: %w", p.unit.Name, err)
	}
	return nil
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
