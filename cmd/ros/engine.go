package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/pharos-os/pharos/services/engine/supervisor"
)

// engine is the first process in the user engine's container. Its lines go to
// the unit's log.
func engine(ctx context.Context, args []string) error {
	return supervisor.Main(ctx, args, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}
