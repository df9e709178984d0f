// Command ros is everything above PID 1 in one multi-call binary: the name it
// is called by says what it does. rosd is the manager, ros-console and
// ros-engine are the first processes of the console's and the engine's
// container, poweroff, reboot, halt and shutdown end the machine, and ros
// itself, as any other name, is the command line client of the manager.
//
// The client's code (every file here but rosd.go, console.go and engine.go)
// parses, calls the control API and prints; it refuses to do anything itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// version is set by the linker: -ldflags "-X main.version=…".
var version = "dev"

func main() {
	name := filepath.Base(os.Args[0])
	ctx, stop := context.Background(), func() {}
	if name != "ros-engine" { // whose users may send it any signal: it takes its own
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	}
	code := exitCode(name, dispatch(ctx, name, os.Args[1:]))
	stop()
	os.Exit(code)
}

// dispatch runs what name stands for.
func dispatch(ctx context.Context, name string, args []string) error {
	switch name {
	case "rosd":
		return rosd(ctx)
	case "ros-console":
		return console(ctx, args)
	case "ros-engine":
		return engine(ctx, args)
	case "poweroff", "reboot", "halt", "shutdown":
		return power(ctx, newTerminal(), powerHost(), name, args)
	default:
		return runCLI(ctx, newTerminal(), args)
	}
}

// exitError ends the process with Code; an empty Text prints nothing.
type exitError struct {
	Code int
	Text string
}

func (e *exitError) Error() string { return e.Text }

// usageError says that the arguments are wrong: exit code 2.
func usageError(format string, args ...any) error {
	return &exitError{Code: 2, Text: fmt.Sprintf(format, args...)}
}

// exitCode prints what is to be said about err and returns the exit code.
func exitCode(name string, err error) int {
	if err == nil {
		return 0
	}
	code, text := 1, err.Error()
	var e *exitError
	if errors.As(err, &e) {
		code, text = e.Code, e.Text
	}
	if text != "" && !strings.HasPrefix(text, name+" ") { // "ros config get needs KEY" has it
		text = name + ": " + text
	}
	if text != "" {
		fmt.Fprintln(os.Stderr, text)
	}
	return code
}
