package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/pharos-os/pharos/console/setup"
)

// console is the first process in the console's container. Its lines go to
// the unit's log.
func console(ctx context.Context, _ []string) error {
	return setup.Main(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}
