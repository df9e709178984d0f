package main

import (
	"context"
	"errors"
)

// console is the first process in the console's container.
func console(context.Context, []string) error {
	return errors.New("ros-console is not part of this build")
}
