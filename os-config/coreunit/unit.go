// Package coreunit owns the unit files of coreos.units: their form, the
// directives that Pharos carries out, and the error for each that it does
// not. It is pure, and refuses to run anything: console/units does that.
package coreunit

import (
	"math"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Infinity is the time span "infinity".
const Infinity = time.Duration(math.MaxInt64)

// Unit is one unit file with its drop-ins, see systemd.unit(5). Exactly one
// of Service and Timer is set.
type Unit struct {
	Name        string
	Description string

	After, Before   []string
	Requires, Wants []string
	BindsTo, PartOf []string
	OnFailure       []string
	Conditions      []Condition
	WantedBy        []string // of [Install]
	RequiredBy      []string
	Also            []string
	// How often it may start within a time; 0 is without a limit, which is
	// the default here: the pause before a restart grows instead.
	StartLimitBurst int
	StartLimitTime  time.Duration

	Service *Service
	Timer   *Timer
}

// Condition is one Condition…= that looks at a path. A unit whose conditions
// do not hold is not started, and that is no failure.
type Condition struct {
	Kind    string // the directive, like ConditionPathExists
	Path    string
	Negate  bool // "!"
	Trigger bool // "|": one of these must hold
}

// Service is [Service], see systemd.service(5).
type Service struct {
	Type            string // simple, oneshot
	RemainAfterExit bool

	StartPre, Start, StartPost, Reload, Stop, StopPost []Command

	Restart      string        // no, always, on-success, on-failure, on-abnormal, on-abort
	RestartDelay time.Duration // RestartSec
	StartTimeout time.Duration // of each phase of a start; Infinity is none
	StopTimeout  time.Duration

	Environment      []string // NAME=VALUE
	EnvironmentFiles []EnvironmentFile

	User, Group      string // empty is root
	RootForPhases    bool   // PermissionsStartOnly: User is for ExecStart only
	WorkingDirectory string // "~" is the user's home
	WorkingOptional  bool   // "-"

	KillMode   string // control-group, mixed, process, none
	KillSignal string // SIGTERM
	SendKill   bool

	SuccessCodes   []int    // beside 0
	SuccessSignals []string // beside SIGHUP, SIGINT, SIGTERM, SIGPIPE

	NoOutput bool   // StandardOutput=null
	NoErrors bool   // StandardError=null
	Identity string // SyslogIdentifier; empty is the unit's name
}

// EnvironmentFile is one EnvironmentFile=.
type EnvironmentFile struct {
	Path     string
	Optional bool // "-"
}

// Timer is [Timer], see systemd.timer(5).
type Timer struct {
	Calendar     []Calendar
	OnBoot       []time.Duration
	OnActive     []time.Duration
	OnUnitActive []time.Duration
	OnUnitIdle   []time.Duration // OnUnitInactiveSec
	Unit         string          // what it starts
	Persistent   bool
	RandomDelay  time.Duration
}

// Problem is one thing that is wrong with a unit.
type Problem struct {
	File string // name of the drop-in; empty is the unit file
	osconfig.UnitProblem
}

// File is a drop-in.
type File struct {
	Name, Content string
}

// Host is what specifiers stand for that only the machine knows.
type Host struct {
	Hostname string // %H
}

// Parse reads a unit file and its drop-ins, which apply in the order of their
// names, by systemd's rules: a later value replaces an earlier one, lists
// grow, and an empty assignment empties a list. What is wrong is left out of
// the Unit and reported.
func Parse(name, content string, dropIns []File, host Host) (Unit, []Problem) {
	b := newBuilder(name, host)
	b.file("", content)
	for _, d := range sorted(dropIns) {
		b.file(d.Name, d.Content)
	}
	b.finish()
	return b.unit, b.problems
}

// Check reports what is wrong with one text, a unit file or a drop-in, by
// itself. It is a osconfig.UnitChecker.
func Check(name, content string) []osconfig.UnitProblem {
	b := newBuilder(name, Host{})
	b.file("", content)
	b.alone()
	var out []osconfig.UnitProblem
	for _, p := range b.problems {
		out = append(out, p.UnitProblem)
	}
	return out
}
