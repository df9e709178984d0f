package coreunit

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func lines(problems []osconfig.UnitProblem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d: %s: %s\n", p.Line, p.Col, p.Severity, p.Text)
	}
	return b.String()
}

func texts(problems []Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, strings.TrimSpace(p.File+" "+lines([]osconfig.UnitProblem{p.UnitProblem})))
	}
	return out
}

func TestParse(t *testing.T) {
	for _, name := range []string{"plain", "Windows"} {
		text := read(t, "docker-app.service")
		if name == "Windows" {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		got, problems := Parse("app.service", text, nil, Host{})
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, texts(problems))
		}
		docker := func(ignore bool, args ...string) Command {
			return Command{Words: append([]string{"/usr/bin/docker"}, args...), Ignore: ignore}
		}
		want := Unit{
			Name: "app.service", Description: "An application",
			After: []string{"docker.service", "network-online.target"}, Requires: []string{"docker.service"},
			WantedBy: []string{"multi-user.target"}, StartLimitTime: 10 * time.Second,
			Service: &Service{
				Type: "simple", Restart: "always", RestartDelay: 10 * time.Second, StartTimeout: Infinity, StopTimeout: 90 * time.Second,
				Environment:      []string{"NAME=app one", "IMAGE=nginx"},
				EnvironmentFiles: []EnvironmentFile{{Path: "/etc/environment", Optional: true}},
				StartPre:         []Command{docker(true, "kill", "app"), docker(true, "rm", "app"), docker(false, "pull", "${IMAGE}")},
				Start: []Command{docker(false, "run", "--name", "app", "--env", "NAME=${NAME}", "$OPTIONS", "${IMAGE}",
					"echo", "100%", "$$HOME")},
				Stop:     []Command{docker(false, "stop", "app")},
				KillMode: "control-group", KillSignal: "SIGTERM", SendKill: true,
			},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		env := map[string]string{"NAME": "app one", "IMAGE": "nginx", "OPTIONS": "-p  80:80 'a b'"}
		argv := got.Service.Start[0].Argv(func(n string) string { return env[n] })
		wantArgs := []string{"/usr/bin/docker", "run", "--name", "app", "--env", "NAME=app one", "-p", "80:80", "a b", "nginx", "echo", "100%", "$HOME"}
		if diff := cmp.Diff(wantArgs, argv); diff != "" {
			t.Errorf("argv -want +got:\n%s", diff)
		}
	}
}

func TestCheck(t *testing.T) {
	got := Check("bad.service", read(t, "bad.service"))
	slices.SortStableFunc(got, func(a, b osconfig.UnitProblem) int { return a.Line - b.Line })
	if diff := cmp.Diff(read(t, "bad.service.want"), lines(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"a.service", "[Service]\nExecStart=\n", ""}, // a drop-in may reset
		{"a.service", "[Unit]\nDescription=x\n[Service]\nType=simple\n", "1:1: warning: no ExecStart= in [Service]; unless a drop-in has one, the unit does nothing\n"},
		{"a.timer", "[Timer]\nOnCalendar=later\n", "2:12: error: \"later\": \"later\" is no day of the week\n"},
		{"a.timer", "[Timer]\nOnCalendar=*-13-01\n", "2:12: error: \"*-13-01\": \"13\" is not between 1 and 12\n"},
		{"a.timer", "[Timer]\nUnit=x.timer\n", "2:6: error: a timer starts a NAME.service, not \"x.timer\"\n"},
		{"a.timer", "[Service]\nExecStart=/bin/true\n", "2:1: error: the section [Service] is not supported in a timer unit; there are Install, Timer, Unit\n"},
		{"a.service", "[Service]\nExecStart=/bin/a\nExecStart=/bin/b\n", "3:11: error: more than one ExecStart= needs Type=oneshot\n"},
		{"a.service", "[Service]\nType=oneshot\nRestart=always\nExecStart=/bin/a\n", "3:9: error: Restart=always does not go with Type=oneshot; on-failure does\n"},
		{"a.service", "[Service]\nWants=b.service\nExecStart=/bin/a \\q\n",
			"2:1: error: Wants= belongs into [Unit]\n3:11: warning: \\q is no escape; it stays as it is, write \\\\ for a backslash\n"},
		{"a.service", "[Service]\nExecStart=/bin/a " + strings.Repeat("x", 3000) + "\n", "2:1: error: a line of more than 2047 bytes; end it with \\ and go on in the next\n"},
		{"a.service", "[Service]\nExecReload=/bin/kill -HUP $MAINPID\n",
			"2:12: warning: ExecReload= has no effect: nothing reloads a unit here; when the configuration changes it starts anew\n"},
		{"a.service", "[Service]\nExecStart = /bin/a \\\n\n  Restrat=no\n", "4:3: error: Restrat= is not supported; did you mean Restart=?\n"},
	} {
		if diff := cmp.Diff(tt.want, lines(Check(tt.name, tt.text))); diff != "" {
			t.Errorf("%.60q: -want +got:\n%s", tt.text, diff)
		}
	}
}

func TestDropIns(t *testing.T) {
	u, problems := Parse("app@x-y.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/a %i %I %n %H\nEnvironment=A=1\n", []File{
		{Name: "20-b.conf", Content: "[Service]\nEnvironment=B=2\nRestart=always\nStandardOutput=file:/x\n"},
		{Name: "10-a.conf", Content: "[Unit]\nAfter=b.service\n[Service]\nEnvironment=\nExecStart=\nExecStart=/bin/b\nRestart=no\n"},
	}, Host{Hostname: "box"})
	want := []string{"20-b.conf 4:16: error: \"file:/x\" is not one of: journal, inherit, syslog, journal+console, syslog+console, null; what units print is in the console's log"}
	if diff := cmp.Diff(want, texts(problems)); diff != "" {
		t.Error(diff)
	}
	s := u.Service
	got := fmt.Sprint(u.After, s.Start, s.Environment, s.Restart)
	if got != "[a.service b.service] [{[/bin/b] false false}] [B=2]always" {
		t.Error(got)
	}
	u, _ = Parse("app@x-y.service", "[Service]\nExecStart=/bin/a %i %I %n %p %H\n", nil, Host{Hostname: "box"})
	if got := strings.Join(u.Service.Start[0].Words, " "); got != "/bin/a x-y x/y app@x-y.service app box" {
		t.Error(got)
	}
	_, problems = Parse("empty.service", "", nil, Host{})
	if got := texts(problems); len(got) != 1 || got[0] != "0:0: error: empty.service has no ExecStart= in [Service]" {
		t.Error(got)
	}
}

func TestTimer(t *testing.T) {
	u, problems := Parse("a.timer", "[Timer]\nOnCalendar=daily\nOnCalendar=Mon 3:00\nOnBootSec=5min\nOnUnitActiveSec=1h 30s\nPersistent=true\nRandomizedDelaySec=1.5\n", nil, Host{})
	if len(problems) > 0 {
		t.Fatal(texts(problems))
	}
	got := fmt.Sprint(u.Timer.Calendar[0], "; ", u.Timer.Calendar[1], "; ", u.Timer.OnBoot, u.Timer.OnUnitActive, u.Timer.Unit, u.Timer.Persistent, u.Timer.RandomDelay)
	if got != "daily; Mon 3:00; [5m0s] [1h0m30s]a.servicetrue 1.5s" {
		t.Error(got)
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0": 0, "1min 30s": 90 * time.Second, "1min30s": 90 * time.Second, "2 h": 2 * time.Hour, "1.5h": 90 * time.Minute,
		"100ms": 100 * time.Millisecond, "3us": 3 * time.Microsecond, "1w": 168 * time.Hour, "1d": 24 * time.Hour, "infinity": Infinity, "99999y": Infinity,
	} {
		if got, err := ParseSpan(text); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "1 fortnight", "-5", "5..5", "s"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q: %v and no error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"docker-app.service", "bad.service"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("a.service", string(text))
	}
	f.Add("a@b.timer", "[Timer]\nOnCalendar=Mon..Fri *-*-1/2 0/3:*:00 UTC\nOnBootSec=1min\n")
	f.Add("a.service", "[Service]\nExecStart=/bin/a \\x41 '\\u00e9' ; b \\\n;c\n\\\n[")
	f.Fuzz(func(t *testing.T, name, text string) {
		u, problems := Parse(name, text, []File{{Name: "a.conf", Content: text}}, Host{})
		for _, p := range append(problems, Problem{UnitProblem: osconfig.UnitProblem{Text: "x"}}) {
			if p.Line < 0 || p.Col < 0 || p.Text == "" || p.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+1 {
				t.Errorf("a problem in an odd place: %+v", p)
			}
		}
		if u.Timer != nil {
			for _, c := range u.Timer.Calendar {
				now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
				if next, ok := c.Next(now, time.UTC); ok && !next.After(now) {
					t.Errorf("%s: %v is not after %v", c, next, now)
				}
			}
			return
		}
		for _, c := range u.Service.Start {
			if len(c.Argv(strings.ToLower)) == 0 {
				t.Errorf("an empty command: %+v", c)
			}
		}
		Check(name, text)
	})
}
