package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is a running virtual machine.
type Machine struct {
	Spec    Spec
	Dir     string // its files: console.log, qemu.log, disks
	Console *Console
	QMP     *QMP

	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when QEMU is gone
	err  error         // how QEMU ended; valid after done
}

// Start boots the machine that spec describes. Its files go to dir, which must
// be visible in the toolbox under the same path. QEMU dies with this process.
func Start(ctx context.Context, tools Toolbox, spec Spec, dir string) (*Machine, error) {
	m := &Machine{Spec: spec, Dir: dir, done: make(chan struct{})}
	if err := m.prepare(tools); err != nil {
		return nil, err
	}
	sock := filepath.Join(dir, "qmp.sock")
	if err := os.Remove(sock); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("QMP socket: %w", err)
	}
	ln, err := net.Listen("unix", sock)
	if err != nil {
		return nil, fmt.Errorf("QMP socket: %w", err)
	}
	defer ln.Close()
	if err := m.launch(tools); err != nil {
		return nil, err
	}
	if m.QMP, err = m.accept(ctx, ln); err != nil {
		return nil, errors.Join(err, m.Kill(), fmt.Errorf("qemu.log: %s", m.qemuLog()))
	}
	return m, nil
}

func (m *Machine) prepare(tools Toolbox) error {
	if err := os.MkdirAll(m.Dir, 0o755); err != nil {
		return fmt.Errorf("machine directory: %w", err)
	}
	if m.Spec.Firmware == UEFI {
		if _, err := tools.Run("cp", ovmfVars, filepath.Join(m.Dir, "efivars.fd")); err != nil {
			return fmt.Errorf("EFI variables: %w", err)
		}
	}
	var err error
	m.log, err = os.OpenFile(filepath.Join(m.Dir, "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("console log: %w", err)
	}
	return nil
}

// launch starts QEMU in a process group of its own, with the serial console on
// its standard input and output.
func (m *Machine) launch(tools Toolbox) error {
	m.cmd = tools.Command("qemu-system-x86_64", m.Spec.Args(m.Dir)...)
	qlog, err := os.Create(filepath.Join(m.Dir, "qemu.log"))
	if err != nil {
		return fmt.Errorf("QEMU log: %w", err)
	}
	fmt.Fprintln(qlog, strings.Join(m.cmd.Args, " "))
	m.cmd.Stderr = qlog
	keyboard, err := m.cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("QEMU input: %w", err)
	}
	serial, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("QEMU output: %w", err)
	}
	m.cmd.Stdout = write
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	m.Console = NewConsole(m.log, keyboard)

	started := make(chan error)
	go func() {
		// The parent-death signal is sent when the *thread* that started
		// the child ends, so this one stays until QEMU is gone.
		runtime.LockOSThread()
		defer close(m.done)
		err := m.cmd.Start()
		write.Close()
		started <- err
		if err != nil {
			m.err = err
			serial.Close()
			return
		}
		err = m.Console.Run(serial)
		m.err = errors.Join(err, m.cmd.Wait(), serial.Close(), qlog.Close(), m.log.Close())
	}()
	if err := <-started; err != nil {
		return errors.Join(fmt.Errorf("start of QEMU: %w", err), qlog.Close(), m.log.Close())
	}
	return nil
}

// accept waits for QEMU to call, which it does before the guest runs.
func (m *Machine) accept(ctx context.Context, ln net.Listener) (*QMP, error) {
	type result struct {
		conn io.ReadWriteCloser
		err  error
	}
	calls := make(chan result, 1)
	go func() {
		c, err := ln.Accept()
		calls <- result{c, err}
	}()
	select {
	case r := <-calls:
		if r.err != nil {
			return nil, fmt.Errorf("QMP: %w", r.err)
		}
		return NewQMP(ctx, r.conn)
	case <-m.done:
		return nil, fmt.Errorf("QEMU ended at once: %w", m.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("QMP: %w", context.Cause(ctx))
	}
}

// Done is closed when QEMU has ended.
func (m *Machine) Done() <-chan struct{} { return m.done }

// WaitExit blocks until QEMU ends by itself.
func (m *Machine) WaitExit(ctx context.Context) error {
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the machine still runs: %w; last lines:\n%s", context.Cause(ctx), lastLines(m.Console.Text(), 8))
	}
}

// Kill ends QEMU and everything that was started with it, at once, and waits
// for its end.
func (m *Machine) Kill() error {
	select {
	case <-m.done:
		return nil
	default:
	}
	if err := syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill of QEMU's process group %d: %w", m.cmd.Process.Pid, err)
	}
	<-m.done
	return nil
}

// WaitMilestone blocks until the guest prints that it has reached name after
// mark (0 is the start) and returns the seconds since kernel start.
func (m *Machine) WaitMilestone(ctx context.Context, mark int, name string) (Milestone, error) {
	re := milestonePattern(name)
	text, err := m.Console.WaitFrom(ctx, mark, re)
	if err != nil {
		return Milestone{}, err
	}
	return Milestones(text[0] + "\n")[0], nil
}

func (m *Machine) qemuLog() string {
	text, err := os.ReadFile(filepath.Join(m.Dir, "qemu.log"))
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text), 5)
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on now. It is
// below those that the kernel hands out (net.ipv4.ip_local_port_range): one of
// these may be a client's, or another machine's, before QEMU binds it.
func FreePort() (int, error) {
	const first, ports, tries = 10000, 20000, 100
	var last error
	for range tries {
		port := first + rand.IntN(ports)
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, ln.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("free port: %d tries: %w", tries, last)
}

// HostPort returns the port of 127.0.0.1 that leads to the guest's port.
func (m *Machine) HostPort(guest int) (int, error) {
	for _, f := range m.Spec.Forwards {
		if f.GuestPort == guest {
			return f.HostPort, nil
		}
	}
	return 0, fmt.Errorf("no forward to the guest's port %d", guest)
}

// Within returns a context with a deadline whose cause says what was waited for.
func Within(ctx context.Context, d time.Duration, what string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%s took longer than %s", what, d))
}
