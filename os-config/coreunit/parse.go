package coreunit

import (
	"fmt"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// builder makes a unit of assignments.
type builder struct {
	unit     Unit
	host     Host
	current  string // the text that is read, for problems
	problems []Problem
	seen     map[string]option // the last assignment of each directive
}

func newBuilder(name string, host Host) *builder {
	b := &builder{unit: Unit{Name: name}, host: host, seen: map[string]option{}}
	switch _, kind := cutKind(name); kind {
	case "timer":
		b.unit.Timer = &Timer{}
	default:
		b.unit.Service = &Service{
			Type: "simple", Restart: "no", RestartDelay: defaultRestart, StartTimeout: defaultTimeout, StopTimeout: defaultTimeout,
			KillMode: "control-group", KillSignal: "SIGTERM", SendKill: true,
		}
	}
	b.unit.StartLimitTime = defaultLimit
	return b
}

func (b *builder) add(p osconfig.UnitProblem) {
	b.problems = append(b.problems, Problem{File: b.current, UnitProblem: p})
}

func (b *builder) wrong(o option, format string, args ...any) {
	b.add(wrong(o.line, o.valueCol, format, args...))
}

func (b *builder) doubt(o option, format string, args ...any) {
	b.add(osconfig.UnitProblem{Line: o.line, Col: o.valueCol, Severity: osconfig.Warning, Text: fmt.Sprintf(format, args...)})
}

// atName reports a problem of the directive itself.
func (b *builder) atName(o option, format string, args ...any) {
	b.add(wrong(o.line, o.col, format, args...))
}

// file reads one text.
func (b *builder) file(name, text string) {
	b.current = name
	options, problems := scan(text)
	for _, p := range problems {
		b.add(p)
	}
	table := b.table()
	told := map[string]bool{}
	for _, o := range options {
		if strings.HasPrefix(o.section, "X-") || strings.HasPrefix(o.name, "X-") {
			if o.section == "X-Fleet" && !told[o.section] {
				told[o.section] = true
				b.add(osconfig.UnitProblem{Line: o.line, Col: o.col, Severity: osconfig.Warning,
					Text: "there is no fleet: the unit runs on this machine, and [X-Fleet] has no effect"})
			}
			continue
		}
		section, known := table[o.section]
		switch {
		case !known && !told[o.section]:
			told[o.section] = true
			b.atName(o, "the section [%s] is not supported in a %s unit; there are %s", o.section, b.kind(), strings.Join(keys(table), ", "))
		case !known:
		case section[o.name] == nil:
			b.atName(o, "%s", b.unknown(table, o))
		default:
			section[o.name](o)
			b.seen[o.name] = o
		}
	}
	b.current = ""
}

func (b *builder) kind() string {
	if b.unit.Timer != nil {
		return "timer"
	}
	return "service"
}

func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// unknown is the sentence about a directive that is not carried out.
func (b *builder) unknown(table map[string]section, o option) string {
	for _, name := range keys(table) {
		if table[name][o.name] != nil {
			return fmt.Sprintf("%s= belongs into [%s]", o.name, name)
		}
	}
	if use := instead(o.name); use != "" {
		return fmt.Sprintf("%s= is not supported; %s", o.name, use)
	}
	for _, name := range keys(table[o.section]) {
		if strings.EqualFold(name, o.name) || oneOff(strings.ToLower(name), strings.ToLower(o.name)) {
			return fmt.Sprintf("%s= is not supported; did you mean %s=?", o.name, name)
		}
	}
	return fmt.Sprintf("%s= is not supported", o.name)
}

// oneOff says whether two words differ by one letter more, less or other, or
// by two that changed places.
func oneOff(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		return i < len(a) && a[i+1:] == b[i+1:] || swapped
	}
	return a[i:] == b[i+1:]
}

// instead says what to do in place of well-known directives.
func instead(name string) string {
	switch name {
	case "LimitNOFILE", "LimitNPROC", "LimitCORE", "LimitMEMLOCK", "LimitSTACK", "LimitAS", "LimitFSIZE", "LimitCPU":
		return "set the limit in the command: docker run --ulimit, or prlimit"
	case "MemoryLimit", "MemoryMax", "CPUShares", "CPUQuota", "BlockIOWeight", "TasksMax", "Slice", "Delegate", "CPUWeight", "IOWeight":
		return "limit the container instead: docker run --memory, --cpus, --pids-limit"
	case "PIDFile", "GuessMainPID", "BusName", "NotifyAccess", "WatchdogSec", "Sockets", "FileDescriptorStoreMax":
		return "a service is the process of ExecStart itself; run it in the foreground, with Type=simple"
	case "Conflicts":
		return "stop the other in ExecStartPre, or leave it out"
	case "MachineOf", "MachineID", "MachineMetadata", "Global":
		return "there is no fleet"
	case "Nice", "OOMScoreAdjust", "IOSchedulingClass", "IOSchedulingPriority", "CPUAffinity", "CPUSchedulingPolicy":
		return "set it in the command: nice, choom, ionice, taskset"
	case "UMask":
		return "set it in the command: /bin/sh -c 'umask …; exec …'"
	case "ExecCondition":
		return "use ConditionPathExists= or ExecStartPre="
	case "OnClockChange", "OnTimezoneChange", "WakeSystem":
		return "a timer follows the clock in any case"
	}
	return ""
}

// alone judges one text by itself, of which nobody says whether it is a
// whole unit file.
func (b *builder) alone() {
	_, described := b.seen["Description"]
	_, wanted := b.seen["WantedBy"]
	whole := described || wanted
	s := b.unit.Service
	switch {
	case !whole || b.hasErrors():
	case s != nil && len(s.Start) == 0 && len(s.Stop) == 0:
		b.add(osconfig.UnitProblem{Line: 1, Col: 1, Severity: osconfig.Warning, Text: "no ExecStart= in [Service]; unless a drop-in has one, the unit does nothing"})
	case b.unit.Timer != nil && !b.unit.Timer.fires():
		b.add(osconfig.UnitProblem{Line: 1, Col: 1, Severity: osconfig.Warning, Text: "no OnCalendar= or On…Sec= in [Timer]; unless a drop-in has one, the timer never fires"})
	}
	b.together()
}

func (b *builder) hasErrors() bool {
	return slices.ContainsFunc(b.problems, func(p Problem) bool { return p.Severity == osconfig.Error })
}

// finish judges the unit that all texts make together.
func (b *builder) finish() {
	s, t := b.unit.Service, b.unit.Timer
	switch {
	case s != nil && len(s.Start) == 0 && !(s.Type == "oneshot" && len(s.Stop) > 0):
		b.add(wrong(0, 0, "%s has no ExecStart= in [Service]", b.unit.Name))
	case t != nil && !t.fires():
		b.add(wrong(0, 0, "%s has no OnCalendar= or On…Sec= in [Timer]", b.unit.Name))
	}
	if t != nil && t.Unit == "" {
		stem, _ := cutKind(b.unit.Name)
		t.Unit = stem + ".service"
	}
	b.together()
}

// together checks values that must go with each other.
func (b *builder) together() {
	s := b.unit.Service
	if s == nil {
		return
	}
	if s.Type == "oneshot" {
		if o, ok := b.seen["Restart"]; ok && (s.Restart == "always" || s.Restart == "on-success") {
			b.wrong(o, "Restart=%s does not go with Type=oneshot; on-failure does", s.Restart)
			s.Restart = "no"
		}
		if _, ok := b.seen["TimeoutStartSec"]; !ok && s.StartTimeout == defaultTimeout {
			if _, ok := b.seen["TimeoutSec"]; !ok {
				s.StartTimeout = Infinity
			}
		}
	} else if o, ok := b.seen["ExecStart"]; ok && len(s.Start) > 1 {
		b.wrong(o, "more than one ExecStart= needs Type=oneshot")
		s.Start = s.Start[:1]
	}
}

func (t *Timer) fires() bool {
	return len(t.Calendar)+len(t.OnBoot)+len(t.OnActive)+len(t.OnUnitActive)+len(t.OnUnitIdle) > 0
}
