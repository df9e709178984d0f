package main

import (
	"context"

	"github.com/pharos-os/pharos/system/manager"
)

// rosd is the manager, started by PID 1.
func rosd(ctx context.Context) error { return manager.Run(ctx, version) }
