// Package supervise decides: it starts units when their conditions hold, says
// when they are ready, restarts them with back-off, stops them in order, and
// remembers what happened. It owns the state machine and the graph of boot
// steps. It refuses to know how a unit is executed: that is a Runner's work.
package supervise

import (
	"context"

	"github.com/pharos-os/pharos/system/unit"
)

// Runner executes units.
type Runner interface {
	// Start creates and starts the unit's container.
	Start(ctx context.Context, u unit.Unit) (Process, error)
	// Adopt finds the unit's container running from before; false when
	// there is none or it was made from another definition.
	Adopt(ctx context.Context, u unit.Unit) (Process, bool, error)
}

// Process is one running container.
type Process interface {
	// PID is the process id on the host.
	PID() int
	// Wait blocks until the process has ended and returns its exit code; it
	// may be called by several at once. An error means that the end could
	// not be observed, or is ctx's.
	Wait(ctx context.Context) (uint32, error)
	// Kill sends the named signal ("SIGTERM") to the container's first process.
	Kill(ctx context.Context, signal string) error
	// Delete removes what is left of the container after its end.
	Delete(ctx context.Context) error
}

// Condition is something that a unit or a step waits for.
type Condition interface {
	// Wait blocks until the condition holds or ctx ends.
	Wait(ctx context.Context) error
	// String completes the sentence "waits for …".
	String() string
}
