package main

import (
	"context"
	"errors"

	"github.com/pharos-os/pharos/system/control/api"
)

func (t *terminal) plot(ctx context.Context, b api.Boot, file string) error {
	return errors.New("not yet")
}
