// Package control owns the manager's side of the control API: the socket, who
// may use it, and JSON over HTTP on it. It refuses to know what the answers
// mean; they come from a Backend.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/pharos-os/pharos/system/control/api"
)

const (
	maxHeader     = 16 << 10
	headerTimeout = 10 * time.Second
	idleTimeout   = time.Minute
	stopTimeout   = 2 * time.Second
)

// Backend is what the server needs from the manager. The text of an error is
// what the user reads; its errdefs class decides the HTTP status.
type Backend interface {
	Status() api.Status
	Boot() api.Boot
	Services() []api.Service
	// Start, Stop and Restart return when it is done.
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	Processes(name string) ([]api.Process, error)
	// Logs hands every line to fn, in order, until there is no more, ctx
	// ends or fn fails.
	Logs(ctx context.Context, q api.LogQuery, fn func(api.LogLine) error) error
	// Config is the value at key ("" is all) as YAML: what was set, or with
	// full the defaults as well; without private, secrets are left out.
	Config(key string, full, private bool) (string, error)
	ConfigBackend
	NetworkBackend
	SwarmBackend
	// Shutdown starts to poweroff, reboot or halt and returns at once.
	Shutdown(action string, force bool) error
}

// ConfigBackend is the part of Backend that changes the configuration. who is
// the user at the other end, for the history.
type ConfigBackend interface {
	ConfigEdit(e api.ConfigEdit, who string) (api.ConfigWritten, error)
	// ConfigFile is the user's file with its secrets; only root gets it.
	ConfigFile() (api.ConfigFile, error)
	ConfigOrigin(key string) (api.ConfigOrigin, error)
	ConfigDiff() (api.ConfigDiff, error)
	// ConfigApply returns when it is done, or when ctx ends; then it goes on.
	// yes is the user's word for what cannot be undone.
	ConfigApply(ctx context.Context, try time.Duration, yes bool, who string) (api.ConfigDiff, error)
	ConfigConfirm(who string) error
	ConfigHistory() ([]api.ConfigGeneration, error)
	ConfigRollback(number int, who string) (api.ConfigWritten, error)
	ConfigSources() (api.ConfigSources, error)
}

// NetworkBackend is the part of Backend that is about the network.
type NetworkBackend interface {
	Network() api.Network
	// NetworkPlan says what applying the files would change, with the
	// cloud-config text merged into the machine's own.
	NetworkPlan(text string) (api.NetworkPlan, error)
	// NetworkApply returns when the network is online or that takes too long.
	// When ctx ends it goes on. who is for the log.
	NetworkApply(ctx context.Context, who string) (api.NetworkApplied, error)
	// NetworkRenew returns when the link's leases have been renewed.
	NetworkRenew(ctx context.Context, link string) (api.NetworkLink, error)
}

// SwarmBackend is the part of Backend that is about the engine and its swarm.
type SwarmBackend interface {
	// Binds lists what containers may write to and the next boot empties.
	Binds(ctx context.Context) (api.Binds, error)
	Swarm(ctx context.Context) (api.Swarm, error)
	// SwarmToken is the token with which workers or managers join; rotate
	// makes a new one first.
	SwarmToken(ctx context.Context, role string, rotate bool) (api.SwarmToken, error)
	SwarmUnlockKey(ctx context.Context) (api.SwarmKey, error)
	SwarmUnlock(ctx context.Context, key string) error
}

// Listener is the API's socket, for root and one group.
type Listener struct {
	*net.UnixListener
	gid int
}

// Listen makes the socket at path for root and the group gid. A socket that a
// predecessor left there is replaced in one step, so that a client finds the
// old one or the new one, never none.
func Listen(path string, gid int) (*Listener, error) {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := publish(fresh, path, gid); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &Listener{UnixListener: l, gid: gid}, nil
}

func publish(fresh, path string, gid int) error {
	if err := os.Chown(fresh, -1, gid); err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o660); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// Serve answers on l until ctx ends; requests that still run then, such as
// followed logs, are cut off. Who connects must be root or in l's group: the
// socket's mode says so already, the peer's credentials say it again.
func Serve(ctx context.Context, l *Listener, b Backend, log *slog.Logger) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           newHandler(b, l.gid, log),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       withPeer,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("control server: %w", err)
	case <-ctx.Done():
	}
	cut()
	grace, done := context.WithTimeout(context.Background(), stopTimeout)
	defer done()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // what is left does not listen to its context
	}
	<-served
	return nil
}
