package pid1

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pharos-os/pharos/init/kmsg"
	"github.com/pharos-os/pharos/system/linux"
)

// Message is one line from the manager: "alive"; "done ACTION" when its ordered
// shutdown is finished; "deadline SECONDS [ACTION]" when one begins, also one
// that PID 1 has not asked for.
type Message struct {
	Alive    bool
	Done     linux.Action
	Deadline time.Duration
	Action   linux.Action // of Deadline; may be empty
}

// ParseMessage reads a line of the manager.
func ParseMessage(line string) (Message, error) {
	verb, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch verb {
	case "alive":
		return Message{Alive: true}, nil
	case "done":
		action, err := linux.ParseAction(arg)
		return Message{Done: action}, err
	case "deadline":
		number, name, named := strings.Cut(arg, " ")
		seconds, err := strconv.Atoi(number)
		if err != nil || seconds < 1 {
			return Message{}, fmt.Errorf("deadline %q: want seconds", arg)
		}
		m := Message{Deadline: min(time.Duration(seconds)*time.Second, longestShutdown)}
		if named {
			if m.Action, err = linux.ParseAction(name); err != nil {
				return Message{}, err
			}
		}
		return m, nil
	}
	return Message{}, fmt.Errorf("message %q from the manager", line)
}

// Process is a running manager.
type Process struct {
	PID      int
	Exit     <-chan syscall.WaitStatus
	Messages <-chan Message
	Send     func(line string) error
	// Tail returns the last lines that it wrote.
	Tail func() []string
}

// Launcher starts the manager: fd 3 is its end of the protocol's socket, its
// output goes to the kernel's log.
type Launcher struct {
	Path   string // of the program
	Cgroup string // directory, made if need be; empty leaves it where PID 1 is
	Kmsg   io.Writer
	Reaper *Reaper
	Env    []string
}

// Start starts one process.
func (l *Launcher) Start() (*Process, error) {
	var keep, give []*os.File
	closeAll := func(files []*os.File) {
		for _, f := range files {
			f.Close()
		}
	}
	defer func() { closeAll(give) }()

	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	give = append(give, null)
	output, outputEnd, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("output pipe: %w", err)
	}
	keep, give = append(keep, output), append(give, outputEnd)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		closeAll(keep)
		return nil, fmt.Errorf("protocol socket: %w", err)
	}
	unix.SetNonblock(fds[0], true)
	conn, connEnd := os.NewFile(uintptr(fds[0]), "manager"), os.NewFile(uintptr(fds[1]), "init")
	keep, give = append(keep, conn), append(give, connEnd)

	attr := &syscall.ProcAttr{
		Dir: "/", Env: l.Env,
		Files: []uintptr{null.Fd(), outputEnd.Fd(), outputEnd.Fd(), connEnd.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if l.Cgroup != "" {
		group, err := openCgroup(l.Cgroup)
		if err != nil {
			closeAll(keep)
			return nil, err
		}
		give = append(give, group)
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(group.Fd())
	}
	pid, exit, err := l.Reaper.Start(l.Path, []string{filepath.Base(l.Path)}, attr)
	if err != nil {
		closeAll(keep)
		return nil, err
	}
	tail := &tail{}
	messages := make(chan Message, 16)
	// Both end when the last process that has the other end is gone.
	go copyOutput(output, l.Kmsg, filepath.Base(l.Path), tail)
	go readMessages(conn, messages, l.Kmsg)
	return &Process{PID: pid, Exit: exit, Messages: messages, Tail: tail.lines, Send: func(line string) error {
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, err := io.WriteString(conn, line+"\n")
		return err
	}}, nil
}

func openCgroup(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	return os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

func readMessages(conn *os.File, out chan<- Message, log io.Writer) {
	defer close(out)
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		m, err := ParseMessage(lines.Text())
		if err != nil {
			kmsg.Line(log, kmsg.Warning, "init", err.Error())
			continue
		}
		out <- m
	}
}

func copyOutput(output *os.File, log io.Writer, tag string, t *tail) {
	defer output.Close()
	r := bufio.NewReaderSize(output, 4096)
	for {
		line, _, err := r.ReadLine()
		if len(line) > 0 {
			t.add(string(line))
			kmsg.Line(log, kmsg.Info, tag, string(line))
		}
		if err != nil {
			return
		}
	}
}

// tail keeps the last lines of a stream. A Go panic puts what matters first
// and many stacks after it, so the lines from the panic on are kept instead.
type tail struct {
	mu    sync.Mutex
	last  []string
	panic bool
}

const tailLines = 20

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.panic && (strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")) {
		t.panic, t.last = true, nil
	}
	if t.panic && len(t.last) == tailLines {
		return
	}
	t.last = append(t.last, line)
	if len(t.last) > tailLines {
		t.last = t.last[1:]
	}
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.last...)
}
