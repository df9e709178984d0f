// Package ctrd runs units in the system containerd: start, adopt, stop, wait,
// exec, logs. It owns the container's directories and its record in
// containerd's namespace "pharos". It speaks containerd's gRPC services
// directly, three calls for a start: the client library of containerd makes
// seven (leases, namespace defaults, records read back) and links registries
// and snapshotters that a core image does not need. It refuses to decide:
// restarts, order and health are system/supervise's.
package ctrd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/sandbox/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/pharos-os/pharos/system/oci"
	"github.com/pharos-os/pharos/system/unit"
)

// Namespace is containerd's namespace of the system containers.
const Namespace = "pharos"

const (
	// namespaceHeader is containerd's (pkg/namespaces/grpc.go).
	namespaceHeader = "containerd-namespace"
	runtimeName     = "io.containerd.runc.v2"
	// specLabel holds the digest of everything that a container was made of.
	specLabel = "pharos.spec"
	// cleanupTimeout bounds what is tidied up after a failure.
	cleanupTimeout = 10 * time.Second
)

// Paths are the directories that a Client uses.
type Paths struct {
	Images  string // <Images>/<image>/{rootfs,config.json}, read only
	Units   string // <Units>/<unit>/{upper,work} of units that forget
	Persist string // the same of units that persist
	Logs    string // <Logs>/<unit>.log
}

// DefaultPaths are those of a running machine.
func DefaultPaths() Paths {
	return Paths{
		Images:  "/usr/lib/pharos/images",
		Units:   "/run/pharos/units",
		Persist: "/var/lib/pharos/units",
		Logs:    "/run/pharos/logs",
	}
}

// Options configure a Client.
type Options struct {
	Address  string // containerd's socket
	State    string // containerd's state directory; empty gives up sharing shims the fast way
	Paths    Paths
	RuncRoot string // runc's state directory; empty is the shim's default
	Log      *slog.Logger
}

// Client runs units. It is safe for concurrent use.
type Client struct {
	opts       Options
	conn       *grpc.ClientConn
	containers containers.ContainersClient
	tasks      tasks.TasksClient
	sandboxes  sandbox.StoreClient

	host     func() oci.Host
	groupsMu sync.Mutex
	groups   map[string]*group
}

// New returns a client at once: it connects when first used, and again
// whenever containerd comes back. Calls wait for the connection.
func New(opts Options) (*Client, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	conn, err := grpc.NewClient("unix://"+opts.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.3, Jitter: 0.1, MaxDelay: 250 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithUnaryInterceptor(inNamespace),
	)
	if err != nil {
		return nil, fmt.Errorf("containerd %s: %w", opts.Address, err)
	}
	return &Client{
		opts:       opts,
		conn:       conn,
		containers: containers.NewContainersClient(conn),
		tasks:      tasks.NewTasksClient(conn),
		sandboxes:  sandbox.NewStoreClient(conn),
		groups:     map[string]*group{},
		host:       sync.OnceValue(func() oci.Host { return detectHost(cgroupRoot) }),
	}, nil
}

func inNamespace(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(metadata.AppendToOutgoingContext(ctx, namespaceHeader, Namespace), method, req, reply, cc, opts...)
}

// WaitReady blocks until containerd answers, or ctx ends.
func (c *Client) WaitReady(ctx context.Context) error {
	for {
		c.conn.Connect()
		state := c.conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if !c.conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("containerd %s: %w", c.opts.Address, ctx.Err())
		}
	}
}

// Close ends the connection; containers keep running.
func (c *Client) Close() error { return c.conn.Close() }

// plan is everything that a unit's container is made of.
type plan struct {
	unit   unit.Unit
	image  oci.ImageConfig
	spec   []byte // JSON
	rootfs specs.Mount
	upper  string // empty with a lent root
	work   string
	log    string
	digest string
}

func (c *Client) plan(u unit.Unit) (*plan, error) {
	u = u.WithDefaults()
	data, err := os.ReadFile(filepath.Join(c.opts.Paths.Images, u.Image, "config.json"))
	if err != nil {
		return nil, fmt.Errorf("unit %s: image: %w", u.Name, err)
	}
	img, err := oci.ParseImageConfig(data)
	if err != nil {
		return nil, fmt.Errorf("unit %s: %w", u.Name, err)
	}
	spec, err := oci.Spec(u, img, c.host())
	if err != nil {
		return nil, err
	}
	p := &plan{unit: u, image: img, log: c.LogPath(u.Name)}
	if p.spec, err = json.Marshal(spec); err != nil {
		return nil, fmt.Errorf("unit %s: specification: %w", u.Name, err)
	}
	if u.Root != "" {
		p.rootfs = oci.LentRoot(u.Root)
	} else {
		dir := c.dir(u)
		p.upper, p.work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		p.rootfs = oci.Rootfs(filepath.Join(c.opts.Paths.Images, u.Image, "rootfs"), p.upper, p.work)
	}
	sum := sha256.New()
	sum.Write(p.spec)
	fmt.Fprintln(sum, p.rootfs, p.log, c.opts.RuncRoot, u.Without)
	p.digest = hex.EncodeToString(sum.Sum(nil))
	return p, nil
}

// dir is where the writable layer of a unit's root lives.
func (c *Client) dir(u unit.Unit) string {
	if u.Persist {
		return filepath.Join(c.opts.Paths.Persist, u.Name)
	}
	return filepath.Join(c.opts.Paths.Units, u.Name)
}

func notFound(err error) bool { return status.Code(err) == codes.NotFound }
