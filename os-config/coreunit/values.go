package coreunit

import (
	"slices"
	"strconv"
	"strings"
)

// names reads names of units.
func (b *builder) names(to *[]string) func(option) {
	return func(o option) {
		if o.value == "" {
			*to = nil
			return
		}
		for _, name := range strings.Fields(o.value) {
			name, err := b.specifiers(name)
			if err != nil {
				b.wrong(o, "%v", err)
				continue
			}
			if name, err = b.name(o, name); err != nil {
				b.wrong(o, "%v", err)
			} else if name != "" && !slices.Contains(*to, name) {
				*to = append(*to, name)
			}
		}
	}
}

// name checks one name; "" is one that has no effect.
func (b *builder) name(o option, name string) (string, error) {
	stem, kind := cutKind(name)
	types := []string{"service", "timer", "target", "socket", "mount", "path", "swap", "device", "slice", "scope", "automount"}
	if stem == "" || !slices.Contains(types, kind) || strings.ContainsAny(name, "/") {
		return "", unitNameError(name)
	}
	strict := o.name == "Requires" || o.name == "BindsTo" || o.name == "Also"
	switch kind {
	case "service", "timer":
		return name, nil // whether there is one, all units together say
	case "mount", "automount", "swap", "device":
		// What mounts has is there before any unit starts.
		return "", nil
	}
	if _, known := KnownUnit(name); known || !strict {
		return name, nil
	}
	return "", unknownNameError(name)
}

type unitNameError string

func (e unitNameError) Error() string {
	return strconv.Quote(string(e)) + " is no name of a unit: NAME.service, NAME.timer, NAME.target"
}

type unknownNameError string

func (e unknownNameError) Error() string {
	return string(e) + " does not exist; there are docker.service, network-online.target, multi-user.target and the units of coreos.units"
}

func (b *builder) condition(kind string) func(option) {
	return func(o option) {
		if o.value == "" {
			b.unit.Conditions = nil
			return
		}
		c := Condition{Kind: kind, Path: o.value}
		if rest, ok := strings.CutPrefix(c.Path, "|"); ok {
			c.Path, c.Trigger = strings.TrimSpace(rest), true
		}
		if rest, ok := strings.CutPrefix(c.Path, "!"); ok {
			c.Path, c.Negate = strings.TrimSpace(rest), true
		}
		p, err := b.specifiers(c.Path)
		switch {
		case err != nil:
			b.wrong(o, "%v", err)
			return
		case !absolute(p):
			b.wrong(o, "%q is no absolute path", p)
			return
		}
		c.Path = p
		b.unit.Conditions = append(b.unit.Conditions, c)
	}
}

func (b *builder) commands(to *[]Command) func(option) {
	return func(o option) {
		if o.value == "" {
			*to = nil
			return
		}
		list, notes, err := parseCommands(o.value, b.specifiers)
		for _, n := range notes {
			b.doubt(o, "%s", n)
		}
		if err != nil {
			b.wrong(o, "%v", err)
			return
		}
		*to = append(*to, list...)
	}
}

// reload checks ExecReload=, which nothing here ever runs.
func (b *builder) reload(to *[]Command) func(option) {
	read := b.commands(to)
	return func(o option) {
		if read(o); o.value != "" {
			b.doubt(o, "ExecReload= has no effect: nothing reloads a unit here; when the configuration changes it starts anew")
		}
	}
}

func (b *builder) environment(to *[]string) func(option) {
	return func(o option) {
		if o.value == "" {
			*to = nil
			return
		}
		words, notes, err := splitWords(o.value)
		for _, n := range notes {
			b.doubt(o, "%s", n)
		}
		if err != nil {
			b.wrong(o, "%v", err)
			return
		}
		for _, w := range words {
			w, err := b.specifiers(w)
			name, _, ok := strings.Cut(w, "=")
			switch {
			case err != nil:
				b.wrong(o, "%v", err)
			case !ok || !isName(name):
				b.wrong(o, "%q is no NAME=VALUE; a value with blanks needs quotes around all of it", w)
			default:
				*to = append(*to, w)
			}
		}
	}
}

func (b *builder) environmentFile(to *[]EnvironmentFile) func(option) {
	return func(o option) {
		if o.value == "" {
			*to = nil
			return
		}
		p, optional := strings.CutPrefix(o.value, "-")
		p, err := b.specifiers(p)
		switch {
		case err != nil:
			b.wrong(o, "%v", err)
		case !absolute(p):
			b.wrong(o, "%q is no absolute path", p)
		case strings.ContainsAny(p, "*?["):
			b.wrong(o, "patterns are not supported; name each file")
		default:
			*to = append(*to, EnvironmentFile{Path: p, Optional: optional})
		}
	}
}

func (b *builder) account(to *string) func(option) {
	return func(o option) {
		v, err := b.specifiers(o.value)
		switch {
		case err != nil:
			b.wrong(o, "%v", err)
		case strings.ContainsAny(v, " \t:/"):
			b.wrong(o, "%q is no name of a user or group", v)
		default:
			*to = v
		}
	}
}

func (b *builder) directory(s *Service) func(option) {
	return func(o option) {
		p, optional := strings.CutPrefix(o.value, "-")
		p, err := b.specifiers(p)
		switch {
		case err != nil:
			b.wrong(o, "%v", err)
		case p != "" && p != "~" && !absolute(p):
			b.wrong(o, "%q is neither an absolute path nor ~", p)
		default:
			s.WorkingDirectory, s.WorkingOptional = p, optional
		}
	}
}

func signalNames() []string {
	return []string{"SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
		"SIGPIPE", "SIGALRM", "SIGTERM", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGWINCH"}
}

// signalName is a signal in the form SIGTERM, "" when it is none.
func signalName(v string) string {
	name := strings.ToUpper(v)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if slices.Contains(signalNames(), name) {
		return name
	}
	return ""
}

func (b *builder) signal(to *string) func(option) {
	return func(o option) {
		name := signalName(o.value)
		if name == "" {
			b.wrong(o, "%q is no signal; write it like SIGTERM", o.value)
			return
		}
		*to = name
	}
}

func (b *builder) success(s *Service) func(option) {
	return func(o option) {
		if o.value == "" {
			s.SuccessCodes, s.SuccessSignals = nil, nil
		}
		for _, v := range strings.Fields(o.value) {
			code, err := strconv.Atoi(v)
			switch name := signalName(v); {
			case err == nil && code >= 0 && code <= 255:
				s.SuccessCodes = append(s.SuccessCodes, code)
			case err != nil && name != "":
				s.SuccessSignals = append(s.SuccessSignals, name)
			default:
				b.wrong(o, "%q is neither an exit code from 0 to 255 nor a signal", v)
			}
		}
	}
}

// output checks where a stream goes: into the console's log, or nowhere.
func (b *builder) output(null *bool, values ...string) func(option) {
	return func(o option) {
		if problem := among(values...)(o.value); problem != "" && o.value != "" {
			b.wrong(o, "%s; what units print is in the console's log", problem)
			return
		}
		if null != nil {
			*null = o.value == "null"
		}
	}
}
