package ctrd

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/api/services/sandbox/v1"
	"github.com/containerd/containerd/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Units of one group share a shim. Containerd starts the shim's program for
// each of them all the same, only to be told that one is there already; on a
// slow machine that is a good part of a start. So the second and further units
// are made as members of a "sandbox", whose shim containerd only connects to:
// the store's record says that the sandbox exists, the request says where.
// (containerd core/runtime/v2 ShimManager.Start.)

// shimVersion is the version of the shim's task service that we build.
const shimVersion = 3

// group is what is known of a group's shim.
type group struct {
	mu   sync.Mutex
	shim string // "ttrpc+unix:///…", empty until one was started
}

func sandboxID(group string) string { return "group-" + group }

func (c *Client) group(name string) *group {
	c.groupsMu.Lock()
	defer c.groupsMu.Unlock()
	g := c.groups[name]
	if g == nil {
		g = &group{}
		c.groups[name] = g
	}
	return g
}

// makeInGroup makes a unit's task in the shim of its group. While the first
// one of a group starts the shim, the others wait for it.
func (c *Client) makeInGroup(ctx context.Context, p *plan) (*Process, error) {
	if p.unit.Group == "" {
		return c.make(ctx, p, "")
	}
	g := c.group(p.unit.Group)
	g.mu.Lock()
	if shim := g.shim; reachable(shim) {
		g.mu.Unlock()
		process, err := c.make(ctx, p, shim)
		if err == nil || reachable(shim) {
			return process, err
		}
		g.mu.Lock() // the shim ended meanwhile: its last container was removed
	}
	defer g.mu.Unlock()
	process, err := c.make(ctx, p, "")
	if err != nil {
		return nil, err
	}
	if g.shim, err = c.share(ctx, p); err != nil {
		c.opts.Log.Warn("shim not shared", "group", p.unit.Group, "error", err)
	}
	return process, nil
}

// share makes the shim of a unit's new task one that others can be put into.
func (c *Client) share(ctx context.Context, p *plan) (shim string, err error) {
	if c.opts.State == "" {
		return "", nil
	}
	data, err := os.ReadFile(filepath.Join(c.opts.State, "io.containerd.runtime.v2.task", Namespace, p.unit.Name, "bootstrap.json"))
	if err != nil {
		return "", fmt.Errorf("shim's address: %w", err)
	}
	var boot struct {
		Version           int
		Address, Protocol string
	}
	if err := json.Unmarshal(data, &boot); err != nil {
		return "", fmt.Errorf("shim's address: %w", err)
	}
	if boot.Version != shimVersion || boot.Protocol != "ttrpc" {
		return "", fmt.Errorf("shim speaks %s version %d", boot.Protocol, boot.Version)
	}
	_, err = c.sandboxes.Create(ctx, &sandbox.StoreCreateRequest{Sandbox: &types.Sandbox{
		SandboxID: sandboxID(p.unit.Group),
		Runtime:   &types.Sandbox_Runtime{Name: runtimeName},
	}})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return "", fmt.Errorf("sandbox: %w", err)
	}
	return boot.Protocol + "+" + boot.Address, nil
}

// reachable reports whether a shim listens at the address.
func reachable(shim string) bool {
	path, ok := strings.CutPrefix(shim, "ttrpc+unix://")
	if !ok {
		return false
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
