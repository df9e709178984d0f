package coreunit

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// systemd's defaults, see systemd-system.conf(5).
const (
	defaultTimeout = 90 * time.Second
	defaultRestart = 100 * time.Millisecond
	defaultLimit   = 10 * time.Second
)

// section is what each directive of a section does.
type section map[string]func(option)

// table has every directive that is carried out. Those that do nothing here
// and rightly so are noted as such.
func (b *builder) table() map[string]section {
	t := map[string]section{"Unit": b.unitSection(), "Install": b.installSection()}
	if b.unit.Timer != nil {
		t["Timer"] = b.timerSection(b.unit.Timer)
	} else {
		t["Service"] = b.serviceSection(b.unit.Service)
	}
	return t
}

func (b *builder) unitSection() section {
	u := &b.unit
	accepted := func(option) {}
	s := section{
		"Description":         b.text(&u.Description),
		"Documentation":       accepted, // for people
		"DefaultDependencies": accepted, // units start late in the boot in any case
		"After":               b.names(&u.After),
		"Before":              b.names(&u.Before),
		"Requires":            b.names(&u.Requires),
		"Wants":               b.names(&u.Wants),
		"BindsTo":             b.names(&u.BindsTo),
		"PartOf":              b.names(&u.PartOf),
		"OnFailure":           b.names(&u.OnFailure),
	}
	b.limits(s)
	for _, kind := range []string{
		"ConditionPathExists", "ConditionPathIsDirectory", "ConditionPathIsSymbolicLink", "ConditionFileNotEmpty",
		"ConditionDirectoryNotEmpty", "ConditionFileIsExecutable", "ConditionPathIsMountPoint", "ConditionPathExistsGlob",
	} {
		s[kind] = b.condition(kind)
	}
	return s
}

// limits are directives that older systemds had in [Service].
func (b *builder) limits(s section) {
	s["StartLimitBurst"] = b.number(&b.unit.StartLimitBurst)
	s["StartLimitIntervalSec"] = b.span(&b.unit.StartLimitTime, false)
	s["StartLimitInterval"] = s["StartLimitIntervalSec"]
}

func (b *builder) installSection() section {
	return section{
		"WantedBy":   b.names(&b.unit.WantedBy),
		"RequiredBy": b.names(&b.unit.RequiredBy),
		"Also":       b.names(&b.unit.Also),
	}
}

func (b *builder) serviceSection(u *Service) section {
	s := section{
		"Type":                 b.oneOf(&u.Type, b.serviceType),
		"RemainAfterExit":      b.truth(&u.RemainAfterExit),
		"ExecStartPre":         b.commands(&u.StartPre),
		"ExecStart":            b.commands(&u.Start),
		"ExecStartPost":        b.commands(&u.StartPost),
		"ExecReload":           b.reload(&u.Reload),
		"ExecStop":             b.commands(&u.Stop),
		"ExecStopPost":         b.commands(&u.StopPost),
		"Restart":              b.oneOf(&u.Restart, among("no", "always", "on-success", "on-failure", "on-abnormal", "on-abort")),
		"RestartSec":           b.span(&u.RestartDelay, false),
		"TimeoutStartSec":      b.span(&u.StartTimeout, true),
		"TimeoutStopSec":       b.span(&u.StopTimeout, true),
		"Environment":          b.environment(&u.Environment),
		"EnvironmentFile":      b.environmentFile(&u.EnvironmentFiles),
		"User":                 b.account(&u.User),
		"Group":                b.account(&u.Group),
		"PermissionsStartOnly": b.truth(&u.RootForPhases),
		"WorkingDirectory":     b.directory(u),
		"KillMode":             b.oneOf(&u.KillMode, among("control-group", "mixed", "process", "none")),
		"KillSignal":           b.signal(&u.KillSignal),
		"SendSIGKILL":          b.truth(&u.SendKill),
		"SuccessExitStatus":    b.success(u),
		"StandardInput":        b.output(nil, "null"),
		"StandardOutput":       b.output(&u.NoOutput, "journal", "inherit", "syslog", "journal+console", "syslog+console", "null"),
		"StandardError":        b.output(&u.NoErrors, "journal", "inherit", "syslog", "journal+console", "syslog+console", "null"),
		"SyslogIdentifier":     b.text(&u.Identity),
	}
	s["TimeoutSec"] = func(o option) {
		s["TimeoutStartSec"](o)
		if v, err := ParseSpan(o.value); err == nil {
			u.StopTimeout = v
			if v == 0 {
				u.StopTimeout = Infinity
			}
		}
	}
	b.limits(s)
	return s
}

func (b *builder) timerSection(t *Timer) section {
	var ignored time.Duration
	return section{
		"OnCalendar":        every(b, &t.Calendar, ParseCalendar),
		"OnBootSec":         every(b, &t.OnBoot, ParseSpan),
		"OnStartupSec":      every(b, &t.OnBoot, ParseSpan), // the system's own start
		"OnActiveSec":       every(b, &t.OnActive, ParseSpan),
		"OnUnitActiveSec":   every(b, &t.OnUnitActive, ParseSpan),
		"OnUnitInactiveSec": every(b, &t.OnUnitIdle, ParseSpan),
		"Unit":              b.timerUnit(t),
		"Persistent":        b.truth(&t.Persistent),
		"RandomizedDelaySec": b.span(
			&t.RandomDelay, false),
		"AccuracySec":       b.span(&ignored, false), // timers here are exact
		"RemainAfterElapse": b.truth(new(bool)),      // timers here always stay
	}
}

func (b *builder) serviceType(v string) string {
	switch v {
	case "simple", "oneshot":
		return ""
	case "exec", "idle":
		return ""
	case "forking":
		return "Type=forking is not supported: run the program in the foreground, with Type=simple"
	case "notify", "notify-reload", "dbus":
		return "Type=" + v + " is not supported: nothing listens for the message; use Type=simple"
	}
	return among("simple", "oneshot")(v)
}

func among(values ...string) func(string) string {
	return func(v string) string {
		if slices.Contains(values, v) {
			return ""
		}
		return strconv.Quote(v) + " is not one of: " + strings.Join(values, ", ")
	}
}

func (b *builder) text(to *string) func(option) {
	return func(o option) {
		v, err := b.specifiers(o.value)
		if err != nil {
			b.wrong(o, "%v", err)
			return
		}
		*to = v
	}
}

func (b *builder) oneOf(to *string, check func(string) string) func(option) {
	return func(o option) {
		if problem := check(o.value); problem != "" {
			b.wrong(o, "%s", problem)
			return
		}
		if *to = o.value; o.name == "Type" && (o.value == "exec" || o.value == "idle") {
			*to = "simple"
		}
	}
}

func (b *builder) truth(to *bool) func(option) {
	return func(o option) {
		switch strings.ToLower(o.value) {
		case "1", "yes", "y", "true", "t", "on":
			*to = true
		case "0", "no", "n", "false", "f", "off":
			*to = false
		default:
			b.wrong(o, "%q is neither yes nor no", o.value)
		}
	}
}

func (b *builder) number(to *int) func(option) {
	return func(o option) {
		v, err := strconv.Atoi(o.value)
		if err != nil || v < 0 {
			b.wrong(o, "%q is no whole number", o.value)
			return
		}
		*to = v
	}
}

// span reads one time span; zeroIsNone is for timeouts, which 0 turns off.
func (b *builder) span(to *time.Duration, zeroIsNone bool) func(option) {
	return func(o option) {
		v, err := ParseSpan(o.value)
		if err != nil {
			b.wrong(o, "%v", err)
			return
		}
		if v == 0 && zeroIsNone {
			v = Infinity
		}
		*to = v
	}
}

// every keeps what parse makes of each value; an empty one takes all away.
func every[T any](b *builder, to *[]T, parse func(string) (T, error)) func(option) {
	return func(o option) {
		if o.value == "" {
			*to = nil
			return
		}
		v, err := parse(o.value)
		if err != nil {
			b.wrong(o, "%v", err)
			return
		}
		*to = append(*to, v)
	}
}

func (b *builder) timerUnit(t *Timer) func(option) {
	return func(o option) {
		v, err := b.specifiers(o.value)
		switch {
		case err != nil:
			b.wrong(o, "%v", err)
		case !strings.HasSuffix(v, ".service"):
			b.wrong(o, "a timer starts a NAME.service, not %q", v)
		default:
			t.Unit = v
		}
	}
}

func absolute(p string) bool { return path.IsAbs(p) && !strings.ContainsRune(p, 0) }
