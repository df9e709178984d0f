package main

// The plugins of this containerd, each with the reason why it is here. Left out
// on purpose: cri, nri, restart, imageverifier, server/metrics,
// server/debug, tracing, core/metrics/cgroups, erofs, blockfile, devmapper,
// btrfs, zfs. containerd knows no other way to choose than import.
import (
	_ "github.com/containerd/containerd/api/types/runc/options" // type of the runtime options that dockerd and system/ctrd send

	// Serving.
	_ "github.com/containerd/containerd/v2/plugins/events"                 // exchange between plugins, shims and clients
	_ "github.com/containerd/containerd/v2/plugins/server/grpc"            // the clients' socket
	_ "github.com/containerd/containerd/v2/plugins/server/ttrpc"           // the shims' socket: they publish their events here
	_ "github.com/containerd/containerd/v2/plugins/services/events"        // dockerd follows exits and OOM kills
	_ "github.com/containerd/containerd/v2/plugins/services/healthcheck"   // without it dockerd follows no events any more once containerd was restarted
	_ "github.com/containerd/containerd/v2/plugins/services/introspection" // dockerd and buildkit ask for the platforms and snapshotters
	_ "github.com/containerd/containerd/v2/plugins/services/namespaces"    // dockerd lists and labels its namespaces
	_ "github.com/containerd/containerd/v2/plugins/services/version"       // docker info
	_ "github.com/containerd/containerd/v2/plugins/services/warning"       // the task service and introspection need it

	// Running containers.
	_ "github.com/containerd/containerd/v2/core/runtime/v2"             // shim manager and task manager
	_ "github.com/containerd/containerd/v2/plugins/metadata"            // the database of containers, images, leases
	_ "github.com/containerd/containerd/v2/plugins/mount"               // the task manager mounts what the shim cannot
	_ "github.com/containerd/containerd/v2/plugins/services/containers" // create, list, delete
	_ "github.com/containerd/containerd/v2/plugins/services/sandbox"    // its store: lets system/ctrd put units of a group into a shim that already runs
	_ "github.com/containerd/containerd/v2/plugins/services/tasks"      // start, kill, wait, exec

	// dockerd's image store, and pulls for the system side.
	_ "github.com/containerd/containerd/v2/plugins/content/local/plugin"     // blobs
	_ "github.com/containerd/containerd/v2/plugins/diff/walking/plugin"      // layers to and from trees
	_ "github.com/containerd/containerd/v2/plugins/gc"                       // what docker rmi leaves is collected
	_ "github.com/containerd/containerd/v2/plugins/leases"                   // the collector's guards
	_ "github.com/containerd/containerd/v2/plugins/services/content"         // docker load, pull, push
	_ "github.com/containerd/containerd/v2/plugins/services/diff"            // docker commit, build, unpack
	_ "github.com/containerd/containerd/v2/plugins/services/images"          // docker images
	_ "github.com/containerd/containerd/v2/plugins/services/leases"          // guards of a pull or build in progress
	_ "github.com/containerd/containerd/v2/plugins/services/snapshots"       // containers' root file systems
	_ "github.com/containerd/containerd/v2/plugins/snapshots/native/plugin"  // where overlayfs does not work
	_ "github.com/containerd/containerd/v2/plugins/snapshots/overlay/plugin" // everywhere else
)

// requiredPlugins are those without which there is nothing to serve: one that
// fails ends the start instead of leaving half a service.
func requiredPlugins() []string {
	return []string{
		"io.containerd.metadata.v1.bolt",
		"io.containerd.shim.v1.manager",
		"io.containerd.runtime.v2.task",
		"io.containerd.service.v1.containers-service",
		"io.containerd.service.v1.tasks-service",
		"io.containerd.grpc.v1.containers",
		"io.containerd.grpc.v1.tasks",
		"io.containerd.server.v1.grpc",
		"io.containerd.server.v1.ttrpc",
	}
}

// disabledPlugins come with server/grpc and services/sandbox and do nothing for
// us but cost: two interceptors on every call, a TCP listener, pods.
func disabledPlugins() []string {
	return []string{
		"io.containerd.grpc.v1.sandbox-controllers",
		"io.containerd.metrics.v1.grpc-prometheus",
		"io.containerd.metrics.v1.grpc-otel",
		"io.containerd.server.v1.grpc-tcp",
	}
}
