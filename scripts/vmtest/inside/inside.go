// Package inside checks, from inside a container, that the container got what
// its compose file asks for: mounts, devices, capabilities, limits, networks.
// It owns the list of checks and how each is made. It refuses to know which
// stack asks for what: the virtual machine tests say that.
package inside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Variable is the environment variable that holds a Task as JSON.
const Variable = "PAYLOAD_TASK"

// Task is what a container of a stack has to do.
type Task struct {
	Service string   `json:"service"`
	Serve   []string `json:"serve,omitempty"` // "tcp/80", "udp/53"
	Checks  []Check  `json:"checks,omitempty"`
	Once    bool     `json:"once,omitempty"` // end after the checks
}

// Check is one expectation. What Path and Want mean depends on Kind.
type Check struct {
	Kind string `json:"kind"`
	Path string `json:"path,omitempty"`
	Want string `json:"want,omitempty"`
}

func (c Check) String() string { return fmt.Sprintf("%s %s %q", c.Kind, c.Path, c.Want) }

// Verdict is what a container found. It is printed as one line of JSON.
type Verdict struct {
	Service  string   `json:"service"`
	Passed   int      `json:"passed"`
	Failures []string `json:"failures"`
}

// Greeting is what a container of a stack says on each of its ports.
func Greeting(service string) string { return "payload " + service + "\n" }

// LogMark is a line that the container of a service logs before its checks.
func LogMark(service string) string { return "this is the log of " + service }

// patience is how long the checks wait for what other containers do, which may
// be the last of sixty to start.
const patience = 5 * time.Minute

// Run makes all checks of a task.
func Run(ctx context.Context, t Task) Verdict {
	v := Verdict{Service: t.Service, Failures: []string{}}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, c := range t.Checks {
		if err := c.run(ctx); err != nil {
			v.Failures = append(v.Failures, fmt.Sprintf("%s %s: %v", c.Kind, c.Path, err))
			continue
		}
		v.Passed++
	}
	return v
}

// run makes one check.
func (c Check) run(ctx context.Context) error {
	if check := checks()[c.Kind]; check != nil {
		return check(c)
	}
	if check := waiting()[c.Kind]; check != nil {
		return eventually(ctx, func() error { return check(ctx, c) })
	}
	return errors.New("unknown kind of check")
}

// checks are those that hold at once or not at all.
func checks() map[string]func(Check) error {
	return map[string]func(Check) error{
		"text":         text,         // the file Path holds Want
		"contains":     contains,     // the file Path holds Want among other things
		"hash":         hash,         // the regular file Path has the SHA-256 sum Want
		"atleast":      atLeast,      // the file Path holds a number of at least Want
		"mode":         mode,         // Path has the permissions Want, octal
		"filled":       filled,       // the directory Path is not empty
		"directory":    directory,    // Path is a directory
		"writes":       writes,       // Want can be written to the file Path, which may exist
		"readonly":     readOnly,     // nothing can be written to Path, file or directory
		"device":       device,       // Path is the device Want, "b 253:0", and opens
		"capability":   capability,   // the container has the capability of number Want; Path is its name
		"bounding":     bounding,     // the bounding set is Want, hexadecimal
		"limit":        limit,        // the resource Path has the limits Want, "SOFT HARD"
		"hostname":     hostname,     // the host name is Want
		"links":        links,        // the network links are Want, by comma
		"link":         link,         // there is a network link with the MAC address Want
		"address":      address,      // some link has the address Want
		"tmpfs":        tmpfs,        // Path is a tmpfs of Want bytes
		"user":         user,         // the process is Want, "UID:GID"
		"group":        group,        // the process is in the group Want
		"env":          env,          // the variable Path is Want
		"status":       status,       // the field Path of /proc/self/status is Want
		"process":      process,      // the proc file system Path shows a process called Want
		"tunnel":       tunnel,       // Path makes a tun device
		"newlink":      newLink,      // a link of the kind Want can be made
		"mounts":       mounts,       // a tmpfs, and an overlay on the directory Path, can be mounted
		"shares":       shares,       // a tmpfs can be mounted on Path, whose file "file" holds Want
		"controlgroup": controlGroup, // a control group can be made at the mount Path
		"writable":     writable,     // the kernel's setting Path can be written
	}
}

// waiting are those that depend on others, who may come later.
func waiting() map[string]func(context.Context, Check) error {
	return map[string]func(context.Context, Check) error{
		"docker": docker, // Path is the engine's socket, and the engine lists the container Want
		"reach":  reach,  // Path, "tcp HOST:PORT" or "udp HOST:PORT", greets as the service Want
		"ownlog": ownLog, // Path has Docker's log of this container, which holds the line Want
		"sees":   sees,   // the file Path, which another container writes, holds Want
	}
}

// eventually tries until it works or ctx ends.
func eventually(ctx context.Context, try func() error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// ParseTask reads a Task from the text of Variable.
func ParseTask(text string) (Task, error) {
	var t Task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return Task{}, fmt.Errorf("%s: %w", Variable, err)
	}
	return t, nil
}
