package ctrd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/system/unit"
)

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
