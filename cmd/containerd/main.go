// Command containerd is the container runtime of both sides of Pharos: the
// system containerd that rosd runs, and the user engine's. It owns the choice
// of plugins (plugins.go) and six flags; it refuses a configuration file, CRI,
// metrics, tracing and TCP. It stops on SIGTERM; shims keep the containers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/cmd/containerd/server"
	srvconfig "github.com/containerd/containerd/v2/cmd/containerd/server/config"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/containerd/containerd/v2/version"
	"github.com/containerd/log"
	"google.golang.org/grpc/grpclog"
)

// gcPercent is lower than Go's 100: the heap is a few megabytes, and resident
// memory counts on a 512 MB machine. It holds from serving on, because a lower
// one makes the start collect once. GOGC holds before, and for shims and runc.
const gcPercent = 50

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "containerd:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Starting can block for ever on a database that
// another containerd holds, so it never stands in the way of ctx.
func run(ctx context.Context, args []string) error {
	config, err := parse(args)
	if err != nil || config == nil {
		return err
	}
	// The log's reader may be restarted before we are.
	signal.Ignore(syscall.SIGPIPE)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))

	failed := make(chan error, 1)
	started := make(chan *server.Server, 1)
	go func() {
		srv, err := start(ctx, config)
		if err != nil {
			failed <- err
			return
		}
		started <- srv
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	case srv := <-started:
		debug.SetGCPercent(gcPercent)
		<-ctx.Done()
		log.L.Info("stopping")
		srv.Stop()
		return nil
	}
}

// parse makes containerd's configuration of the command line; nil when there
// is nothing to run.
func parse(args []string) (*srvconfig.Config, error) {
	fs := flag.NewFlagSet("containerd", flag.ContinueOnError)
	address := fs.String("address", defaults.DefaultAddress, "unix socket to serve on; the shims' is beside it, with .ttrpc")
	root := fs.String("root", defaults.DefaultRootDir, "directory of content, snapshots and metadata")
	state := fs.String("state", defaults.DefaultStateDir, "directory of running tasks, below /run")
	shims := fs.String("shim-sockets", "", "directory of the shims' sockets, at most 42 characters; containerd's own default when empty")
	level := fs.String("log-level", "warn", "trace, debug, info, warn or error")
	show := fs.Bool("version", false, "print the version")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if *show {
		fmt.Println("containerd", version.Package, version.Version)
		return nil, nil
	}
	if err := log.SetLevel(*level); err != nil {
		return nil, err
	}
	for _, p := range []string{*address, *root, *state} {
		if !filepath.IsAbs(p) {
			return nil, fmt.Errorf("path %q is not absolute", p)
		}
	}
	config := &srvconfig.Config{
		Version: version.ConfigVersion,
		Root:    filepath.Clean(*root),
		State:   filepath.Clean(*state),
		Plugins: map[string]any{
			"io.containerd.server.v1.grpc":  map[string]any{"address": *address},
			"io.containerd.server.v1.ttrpc": map[string]any{"address": *address + ".ttrpc"},
		},
		RequiredPlugins: requiredPlugins(),
		DisabledPlugins: disabledPlugins(),
	}
	if *shims != "" {
		config.Plugins["io.containerd.shim.v1.manager"] = map[string]any{"socket_dir": *shims}
	}
	return config, nil
}

// start loads the plugins and listens.
func start(ctx context.Context, config *srvconfig.Config) (*server.Server, error) {
	begin := time.Now()
	if err := server.CreateTopLevelDirectories(config); err != nil {
		return nil, fmt.Errorf("directories: %w", err)
	}
	if err := mount.SetTempMountLocation(filepath.Join(config.Root, "tmpmounts")); err != nil {
		return nil, fmt.Errorf("temporary mounts: %w", err)
	}
	warnings, err := mount.CleanupTempMounts(0)
	if err != nil {
		log.L.WithError(err).Warn("temporary mounts not cleaned")
	}
	for _, w := range warnings {
		log.L.WithError(w).Warn("temporary mount not cleaned")
	}
	srv, err := server.New(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	if err := srv.Start(ctx); err != nil {
		srv.Stop()
		return nil, fmt.Errorf("listen: %w", err)
	}
	srv.Wait()
	log.L.WithField("took", time.Since(begin)).Info("serving")
	return srv, nil
}
