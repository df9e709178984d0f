package main

import (
	"context"
	"errors"
)

// engine is the first process in the engine's container.
func engine(context.Context, []string) error {
	return errors.New("ros-engine is not part of this build")
}
