package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/keep"
)

// semDir holds cloud-init's marks of what is done once for each instance; a
// mark says for which. The manager makes "instance" a link to the folder of
// the present one.
const (
	semDir = "/var/lib/cloud/instance/sem"
	// bootFinished is the manager's mark of a boot that is done.
	bootFinished = "/var/lib/cloud/instance/boot-finished"
	// bootWait ends the wait for it: something in the boot hangs.
	bootWait  = 5 * time.Minute
	bootEvery = 200 * time.Millisecond
)

// lateRun is one run of late.
type lateRun struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// startLate does what comes when the rest is done: it reports, says so and
// powers off. It has a goroutine of its own, because each of the three may
// wait for long; a plan that changes them replaces it.
func (s *setup) startLate(ctx context.Context, p, before Plan, first bool) {
	type part struct {
		message  string
		power    osconfig.PowerState
		phone    osconfig.PhoneHome
		instance string
	}
	of := func(p Plan) part { return part{p.FinalMessage, p.PowerState, p.PhoneHome, p.InstanceID} }
	if ctx.Err() != nil || !first && reflect.DeepEqual(of(p), of(before)) {
		return
	}
	if s.later != nil {
		s.later.stop()
		<-s.later.ended
	}
	ctx, stop := context.WithCancel(ctx)
	run := &lateRun{stop, make(chan struct{})}
	s.later = run
	speak := p.FinalMessage != "" && (first || p.FinalMessage != before.FinalMessage)
	s.running.Go(func() {
		defer close(run.ended)
		s.late(ctx, p, speak)
	})
}

func (s *setup) late(ctx context.Context, p Plan, speak bool) {
	if p.PhoneHome.URL == "" && p.PowerState.Mode == "" && !speak {
		return
	}
	// Which instance this is may be known at the end of the boot only; the
	// plan that says it replaces this run.
	booting, cancel := context.WithTimeout(ctx, bootWait)
	defer cancel()
	if s.until(booting, bootEvery, func() bool { return exists(s.path(bootFinished)) }) != nil && ctx.Err() != nil {
		return
	}
	if p.PhoneHome.URL != "" {
		err := s.once(p, "config_phone_home", func() error { return s.phoneHome(ctx, p) })
		if ctx.Err() == nil {
			s.problem(err)
		}
	}
	if speak && ctx.Err() == nil {
		s.announce(s.finalMessage(p))
	}
	if p.PowerState.Mode != "" {
		s.problem(s.powerState(ctx, p))
	}
	s.report(func(*Status) {})
}

// once does something once for each instance, and again at the next boot if
// it failed.
func (s *setup) once(p Plan, name string, do func() error) error {
	if s.wasDone(p, name) {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	return s.markDone(p, name)
}

func (s *setup) wasDone(p Plan, name string) bool {
	text, err := os.ReadFile(s.path(filepath.Join(semDir, name)))
	old := strings.TrimSpace(string(text))
	if err != nil || !sameInstance(old, p.InstanceID) {
		return false
	}
	if old == "" && p.InstanceID != "" { // now it is known
		s.problem(s.markDone(p, name))
	}
	return true
}

func (s *setup) markDone(p Plan, name string) error {
	return writeState(s.path(filepath.Join(semDir, name)), []byte(p.InstanceID+"\n"), 0o644)
}

// finalMessage fills cloud-init's variables in, in each of their spellings.
func (s *setup) finalMessage(p Plan) string {
	uptime, err := os.ReadFile(s.path("/proc/uptime"))
	if err != nil {
		uptime = []byte("0")
	}
	up, _, _ := strings.Cut(strings.TrimSpace(string(uptime)), " ")
	now := time.Now()
	if zone, err := time.LoadLocation(p.Timezone); err == nil {
		now = now.In(zone)
	}
	text := p.FinalMessage
	for name, value := range map[string]string{
		"uptime": up, "version": s.version(), "datasource": p.Datasource,
		"timestamp": now.Format(time.RFC1123Z),
	} {
		upper := strings.ToUpper(name)
		text = strings.NewReplacer(
			"${"+name+"}", value, "${"+upper+"}", value, "{{"+name+"}}", value, "{{ "+name+" }}", value,
			"{{"+upper+"}}", value, "{{ "+upper+" }}", value, "$"+name, value, "$"+upper, value,
		).Replace(text)
	}
	return "\n" + strings.TrimRight(text, "\n") + "\n"
}

// version is the system's, see os-release(5).
func (s *setup) version() string {
	text, err := os.ReadFile(s.path("/etc/os-release"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_ID="); ok {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// announce prints on the machine's consoles, and nowhere else.
func (s *setup) announce(text string) {
	active, err := os.ReadFile(s.path("/sys/class/tty/console/active"))
	if err != nil {
		s.log.Warn("consoles", "error", err)
		return
	}
	for tty := range strings.FieldsSeq(string(active)) {
		// A console that nobody reads must not hold this up.
		lines := []byte(strings.ReplaceAll(text, "\n", "\r\n"))
		if err := writeWithin(s.path("/dev/"+tty), os.O_WRONLY|os.O_APPEND, lines, unreadFor); err != nil {
			s.log.Warn("console", "tty", tty, "error", err)
		}
	}
}

// powerState ends the first boot of an instance, if its condition holds.
func (s *setup) powerState(ctx context.Context, p Plan) error {
	const mark = "config_power_state_change"
	ps := p.PowerState
	if s.wasDone(p, mark) {
		return nil
	}
	delay, err := powerDelay(ps.Delay)
	if err != nil {
		return err
	}
	ok, err := s.condition(ctx, ps.Condition)
	if err != nil || !ok {
		return err
	}
	if ps.Message != "" {
		s.announce("\n" + ps.Message + "\n")
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-timer.C:
	}
	// Before, not after: a machine that powers off at every boot is lost.
	if err := s.markDone(p, mark); err != nil {
		return fmt.Errorf("power_state: %w", err)
	}
	s.log.Info("power_state", "mode", ps.Mode)
	if _, err := s.tool(ctx, "", ps.Mode); err != nil {
		return fmt.Errorf("power_state: %w", err)
	}
	return nil
}

// powerDelay reads "now", "+5", "5": minutes.
func powerDelay(text string) (time.Duration, error) {
	if text == "" || text == "now" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(text, "+"))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("power_state: delay %q is neither now nor minutes", text)
	}
	return time.Duration(n) * time.Minute, nil
}

// condition is a truth value or a command that exits with 0 when it holds.
func (s *setup) condition(ctx context.Context, c osconfig.Command) (bool, error) {
	switch strings.ToLower(c.Shell) {
	case "", "true", "yes", "on":
		if len(c.Args) == 0 {
			return true, nil
		}
	case "false", "no", "off":
		return false, nil
	default:
		c.Args = []string{"/bin/sh", "-c", c.Shell}
	}
	program, err := lookPath(c.Args[0])
	if err != nil {
		return false, fmt.Errorf("power_state: condition: %w", err)
	}
	child, err := s.reaper.Start(keep.Command{Args: append([]string{program}, c.Args[1:]...), Dir: "/"})
	if err != nil {
		return false, fmt.Errorf("power_state: condition: %w", err)
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Stop(time.Second)
	}
	return child.Status().OK(), nil
}
