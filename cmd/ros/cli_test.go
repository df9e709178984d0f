package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pharos-os/pharos/system/control/api"
)

// codeOf is the exit code that err leads to.
func codeOf(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	default:
		return 1
	}
}

// output is what a command prints, beside the file that has it.
type output struct {
	golden, args string
	width        int
	colour       bool
	manager      func(*fakeManager)
	code         int
}

// run runs the command and checks its exit code.
func (o output) run(t *testing.T, m *fakeManager) *bytes.Buffer {
	t.Helper()
	if o.manager != nil {
		o.manager(m)
	}
	term, out := screen(t, m)
	term.width, term.colour = o.width, o.colour
	err := runCLI(t.Context(), term, strings.Fields(o.args))
	if codeOf(err) != o.code {
		t.Errorf("exit code %d, want %d: %v", codeOf(err), o.code, err)
	}
	return out
}

func TestOutput(t *testing.T) {
	for _, tc := range []output{
		{golden: "status.txt", args: "status"},
		{golden: "status-degraded.txt", args: "status", code: 1, manager: func(m *fakeManager) {
			m.status.State, m.status.Reasons = api.StateDegraded, []string{"eth1: no carrier", "ntp is crash-looping: exit code 1"}
		}},
		{golden: "status-booting.txt", args: "status", code: 1, colour: true, manager: func(m *fakeManager) {
			m.status.State, m.status.Engine.Ready, m.status.Storage = api.StateBooting, false, "/dev/vda4"
			m.status.Waiting = []string{"docker: answer of /run/engine/docker.sock (81s left)", "eth1: a lease (20s left)"}
		}},
		{golden: "status.json", args: "status --json"},
		{golden: "boot.txt", args: "boot"},
		{golden: "boot-100.txt", args: "boot", width: 100},
		{golden: "boot.json", args: "boot --json"},
		{golden: "service-list.txt", args: "service list"},
		{golden: "service-list-80.txt", args: "s ls", width: 80, colour: true},
		{golden: "service-list.json", args: "service list --json"},
		{golden: "service-quiet.txt", args: "service list -q"},
		{golden: "service-ps.txt", args: "service ps"},
		{golden: "service-ps.json", args: "service ps console --json"},
		{golden: "service-restart.txt", args: "service restart udev ntp"},
		{golden: "logs.txt", args: "logs"},
		{golden: "logs-docker.txt", args: "logs docker -n 5"},
		{golden: "logs.json", args: "logs --json"},
		{golden: "config-get.txt", args: "config get hostname"},
		{golden: "config-get.json", args: "config get hostname --json"},
		{golden: "config-export.txt", args: "config export"},
		{golden: "config-export.json", args: "config export --json"},
		{golden: "config-source.txt", args: "config get hostname --source"},
		{golden: "config-source.json", args: "config get hostname --source --json"},
		{golden: "config-set.txt", args: "config set hostname sea"},
		{golden: "config-set.json", args: "config set hostname sea --json"},
		{golden: "config-unset.txt", args: "c unset hostname"},
		{golden: "config-append.txt", args: "config append runcmd ls"},
		{golden: "config-history.txt", args: "config history"},
		{golden: "config-history.json", args: "config history --json"},
		{golden: "config-rollback.txt", args: "config rollback 2"},
		{golden: "config-sources.txt", args: "config sources"},
		{golden: "config-sources.json", args: "config sources --json"},
		{golden: "config-diff-none.txt", args: "config diff"},
		{golden: "config-diff.txt", args: "config diff", code: 1, manager: withChanges},
		{golden: "config-diff.json", args: "config diff --json", code: 1, manager: withChanges},
		{golden: "config-apply.txt", args: "config apply", code: 1, colour: true, manager: withChanges},
		{golden: "config-apply-try.txt", args: "config apply --try 90s", code: 1, manager: withChanges},
		{golden: "config-confirm.txt", args: "config confirm"},
		{golden: "status-notes.txt", args: "status", manager: func(m *fakeManager) { m.status.Notes = aSwarm().Notes }},
		{golden: "doctor.txt", args: "docker doctor", code: 1, manager: func(m *fakeManager) {
			m.binds = api.Binds{
				DataRoot: &api.DataRoot{Path: "/data/docker", Advice: "set rancher.docker.data_root to a directory that lasts, such as /var/lib/docker, or set rancher.state.directories: [/data] and reboot; /data is empty then, so copy what is in it to /srv before, and back afterwards"},
				Binds: []api.Bind{
					{Container: "db-1", Project: "db", Source: "/data/db", Target: "/var/lib/db", Advice: "bind /srv/db instead, or set rancher.state.directories: [/data] and reboot; /data is empty then, so copy what is in it to /srv before, and back afterwards"},
					{Container: "agent", Source: "/etc/agent", Target: "/etc/agent", Advice: "bind /srv/agent instead"},
					{Container: "web", Volume: "html", Source: "/srv/html", Leads: "/scratch/html", Target: "/www", Advice: "bind /srv/html instead"},
				},
				LateFiles: []api.LateFile{{Container: "web", Project: "site", Path: "/etc/web.conf"}},
				OldBinds:  []api.OldBind{{Container: "web", Project: "site", Source: "/etc/myapp", Target: "/conf", Command: "docker restart web"}},
			}
		}},
		{golden: "doctor-old.txt", args: "docker doctor", code: 1, manager: func(m *fakeManager) {
			m.binds = api.Binds{Stateless: true, OldBinds: []api.OldBind{{Container: "db", Source: "/data", Target: "/d", Command: "docker restart db"}}}
		}},
		{golden: "doctor-stateless.txt", args: "docker doctor", code: 1, manager: func(m *fakeManager) { m.binds.Stateless = true }},
		{golden: "doctor-stateless.json", args: "docker doctor --json", code: 1, manager: func(m *fakeManager) { m.binds = api.Binds{Stateless: true, Binds: []api.Bind{}} }},
		{golden: "doctor-healthy.txt", args: "docker doctor"},
		{golden: "swarm-status.txt", args: "engine swarm status", manager: withSwarm},
		{golden: "swarm-status.json", args: "engine swarm status --json", manager: withSwarm},
		{golden: "swarm-status-locked.txt", args: "engine swarm status", code: 1, manager: func(m *fakeManager) {
			m.swarm = api.Swarm{Configured: true, State: "locked", Reasons: []string{"the swarm's keys on this machine are locked"}}
		}},
		{golden: "swarm-status-none.txt", args: "engine swarm status", manager: func(m *fakeManager) { m.swarm.State = "inactive" }},
		{golden: "swarm-key.txt", args: "engine swarm unlock-key", manager: withSwarm},
		{golden: "swarm-token.txt", args: "engine swarm token", manager: withSwarm},
		{golden: "swarm-token.json", args: "engine swarm token worker --rotate --json", manager: withSwarm},
		{golden: "swarm-token-quiet.txt", args: "engine swarm token manager -q", manager: withSwarm},
		{golden: "help-swarm.txt", args: "engine swarm --help"},
		{golden: "help-swarm-token.txt", args: "engine swarm token --help"},
		{golden: "help-config.txt", args: "config --help"},
		{golden: "help-config-set.txt", args: "config set --help"},
		{golden: "help-config-apply.txt", args: "config apply --help"},
		{golden: "help-config-validate.txt", args: "config validate --help"},
		{golden: "help.txt", args: "help"},
		{golden: "help.txt", args: "--help"},
		{golden: "help.txt", args: ""},
		{golden: "help-logs.txt", args: "logs --help"},
		{golden: "help-service.txt", args: "help service"},
		{golden: "completion.bash", args: "completion bash"},
		{golden: "completion.zsh", args: "completion zsh"},
		{golden: "completion.fish", args: "completion fish"},
	} {
		t.Run(tc.golden+" "+tc.args, func(t *testing.T) {
			out := tc.run(t, newFakeManager())
			// A new key of the configuration is no new completion.
			golden(t, tc.golden, strings.ReplaceAll(out.String(), strings.Join(keys(), " "), "KEYS"))
			if strings.HasSuffix(tc.golden, ".json") && tc.golden != "logs.json" && !json.Valid(out.Bytes()) {
				t.Error("not JSON")
			}
		})
	}
}

// What is asked of the manager, however the arguments are mixed.
func TestArguments(t *testing.T) {
	for args, want := range map[string]string{
		"logs docker -f -n 5":               `logs "docker" 5 true false`,
		"logs docker -fn 5":                 `logs "docker" 5 true false`,
		"logs -n5 docker -n=6":              `logs "docker" 6 false false`,
		"logs --lines=5 docker":             `logs "docker" 5 false false`,
		"logs -f":                           `logs "" 10 true false`,
		"logs -f -n all":                    `logs "" -1 true false`,
		"logs --since 10m system":           `logs "system" -1 false true`,
		"logs --since 3d":                   `logs "" -1 false true`,
		"logs --since 2026-11-20T10:00:00Z": `logs "" -1 false true`,
		"service logs docker --follow":      `logs "docker" 10 true false`,
		"s restart udev":                    `restart udev`,
		"config get a.b":                    `config "a.b" true false`,
		"config export --full --private":    `config "" true true`,
		"c export":                          `config "" false false`,
		"config set a.b [1,2]":              `set a.b "[1,2]" ""`,
		"config set --json a.b -- -1":       `set a.b "-1" ""`,
		"config unset a.b":                  `unset a.b "" ""`,
		"config append users ann":           `append users "ann" ""`,
		"config remove users ann":           `remove users "ann" ""`,
		"config apply":                      `apply 0s`,
		"config apply -t 2m":                `apply 2m0s`,
		"config confirm":                    `confirm`,
		"config rollback":                   `rollback 0`,
		"config rollback 3":                 `rollback 3`,
	} {
		t.Run(args, func(t *testing.T) {
			m := newFakeManager()
			term, _ := screen(t, m)
			err := runCLI(t.Context(), term, strings.Fields(args))
			if strings.Contains(args, "--private") && os.Geteuid() != 0 {
				if codeOf(err) != 1 || !strings.Contains(err.Error(), "use sudo") {
					t.Errorf("not as root: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{want}, m.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongArguments(t *testing.T) {
	term, out := screen(t, nil)
	for args, want := range map[string]string{
		"stats":                              `ros has no command "stats"; did you mean status?`,
		"quux":                               `ros has no command "quux"; see: ros --help`,
		"service":                            `ros service needs a command: one of list, logs, start, stop, restart, ps`,
		"service strat":                      `ros service has no command "strat"; did you mean start?`,
		"service start":                      `ros service start needs NAME…; see: ros service start --help`,
		"status --jsn":                       `unknown option --jsn; see: ros status --help`,
		"status now":                         `ros status: "now" is one argument too many; see: ros status --help`,
		"logs a b":                           `ros logs: "b" is one argument too many; see: ros logs --help`,
		"logs -n x":                          `"x" is no number of lines`,
		"logs docker -n":                     `option -n needs a value; see: ros logs --help`,
		"logs --since tomorrow":              `"tomorrow" is no time: write 10m, 2h, 3d or 2006-01-02T15:04:05Z`,
		"config set a":                       `ros config set needs KEY VALUE; see: ros config set --help`,
		"config set a b c":                   `ros config set: "c" is one argument too many; see: ros config set --help`,
		"config validate --layer userdata x": `there is no layer "userdata": one of oem, iso, vendor-data, metadata, user-data, cloud-config.d, cloud-config, cmdline`,
		"config rollback x":                  `"x" is no number of a generation; see: ros config history`,
		"config apply --try 0s":              `--try "0s" is no time; write 60s or 5m`,
		"config apply --try 60":              `--try "60" is no time; write 60s or 5m`,
		"config apply --try":                 `option --try needs a value; see: ros config apply --help`,
		"c v":                                `ros config has no command "v"; did you mean validate?`,
		"config generate":                    "ros config generate is RancherOS's: there are no templates; variables such as $public_ipv4 stand for what the cloud tells, and `ros config validate` checks a file",
		"c syslinux":                         "ros config syslinux is RancherOS's: the boot loader's menu takes kernel parameters for one boot: press e at the entry; what is to stay is set with `ros config set`",
		"config get":                         `ros config get needs KEY; see: ros config get --help`,
		"completion tcsh":                    `no completion for "tcsh": there is bash, zsh and fish`,
		"--verbose":                          `unknown option --verbose; see: ros --help`,
		"--version":                          `unknown option --version; the command is: ros version`,
		"status --json=maybe":                `option --json has no value; see: ros status --help`,
		"status ---x":                        `"---x" is no option; see: ros status --help`,
		"logs -n5x":                          `"5x" is no number of lines`,
		"EMPTY":                              `ros has no command ""; see: ros --help`,
		"config get EMPTY":                   `ros config get: an argument is empty; see: ros config get --help`,
		"config set EMPTY x":                 `ros config set: an argument is empty; see: ros config set --help`,
		"config validate -i EMPTY":           `ros config validate: an argument is empty; see: ros config validate --help`,
		"service stop udev EMPTY":            `ros service stop: an argument is empty; see: ros service stop --help`,
		"network renew EMPTY":                `ros network renew: an argument is empty; see: ros network renew --help`,
		"network plan EMPTY":                 `ros network plan: an argument is empty; see: ros network plan --help`,
	} {
		fields := strings.Fields(args)
		for i, f := range fields {
			if f == "EMPTY" {
				fields[i] = ""
			}
		}
		err := runCLI(t.Context(), term, fields)
		if codeOf(err) != 2 || fmt.Sprint(err) != want {
			t.Errorf("%s: exit code %d, %q, want %q", args, codeOf(err), err, want)
		}
		if out.Len() > 0 {
			t.Errorf("%s: prints %q", args, out)
			out.Reset()
		}
	}
}

// fullDisk takes some bytes and no more, as a file on a disk that is full.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(d.room, len(b))
	if d.room -= n; n < len(b) {
		return n, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
	}
	return n, nil
}

// TestLostOutput: who keeps what a command prints learns that it is not all.
func TestLostOutput(t *testing.T) {
	for _, args := range []string{
		"", "help logs", "version", "status", "status --json", "boot", "service list", "logs", "config get a.b", "config export --full", "config schema",
		"config validate -i none.yml", "network status", "completion bash",
	} {
		term, _ := screen(t, newFakeManager())
		term.out = &fullDisk{10}
		err := runCLI(t.Context(), term, strings.Fields(args))
		if codeOf(err) != 1 || !strings.HasSuffix(err.Error(), ": no space left on device") {
			t.Errorf("ros %s: %v", args, err)
		}
	}
	term, _ := screen(t, newFakeManager())
	term.out = &fullDisk{10}
	if err := runCLI(t.Context(), term, []string{"service", "stop", "udev", "nope"}); err == nil || err.Error() != `there is no service "nope"` {
		t.Error(err)
	}
}

// TestFileErrors names the file and what is wrong with it.
func TestFileErrors(t *testing.T) {
	for args, want := range map[string]string{
		"network plan none.yml":    "none.yml: no such file or directory",
		"network plan /etc":        "/etc: is a directory",
		"config merge -i none.yml": "none.yml: no such file or directory",
		"config export -o none/x":  "none/x: no such file or directory",
		"boot --plot none/x.svg":   "none/x.svg: no such file or directory",
	} {
		term, _ := screen(t, newFakeManager())
		if err := runCLI(t.Context(), term, strings.Fields(args)); codeOf(err) != 1 || fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestErrorOfTheManager(t *testing.T) {
	term, out := screen(t, newFakeManager())
	err := runCLI(t.Context(), term, []string{"service", "stop", "udev", "nope"})
	if codeOf(err) != 1 || err.Error() != `there is no service "nope"` || out.String() != "udev stopped\n" {
		t.Errorf("%v, %q", err, out)
	}
}

func TestManagerAway(t *testing.T) {
	term, out := screen(t, nil)
	err := runCLI(t.Context(), term, []string{"status", "--json"})
	if codeOf(err) != 1 || !strings.Contains(fmt.Sprint(err), "are you on Pharos?") || out.Len() > 0 {
		t.Errorf("%v, %q", err, out)
	}
}

func TestExportToAFile(t *testing.T) {
	term, out := screen(t, newFakeManager())
	file := filepath.Join(t.TempDir(), "export.yml")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := runCLI(t.Context(), term, []string{"config", "export", "--private", "-o", file})
	if os.Geteuid() != 0 {
		if codeOf(err) != 1 || !strings.Contains(err.Error(), "use sudo") {
			t.Errorf("not as root: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "hostname: pharos\n") || out.Len() > 0 {
		t.Errorf("%q, %v, %q", text, err, out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secrets in a file of mode %v, %v", info.Mode(), err)
	}

	// What is no file is none to close to others.
	dir := filepath.Dir(file)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, path := range []string{dir, pipe} {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := runCLI(t.Context(), term, []string{"config", "export", "--private", "-o", path}); (err == nil) != (path == pipe) {
			t.Errorf("%s: %v", path, err)
		}
		if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s: mode %v, %v", path, after.Mode(), err)
		}
	}
}

func TestPlot(t *testing.T) {
	long := aBoot()
	long.Stages = append(long.Stages, api.Stage{Name: `<a & "b">`, Lane: "hooks", Start: 200, End: 201, Error: "it <failed>"})
	for name, b := range map[string]api.Boot{"boot.svg": aBoot(), "boot-long.svg": long, "boot-empty.svg": {}} {
		t.Run(name, func(t *testing.T) {
			m := newFakeManager()
			m.boot = b
			term, _ := screen(t, m)
			file := filepath.Join(t.TempDir(), name)
			if err := runCLI(t.Context(), term, []string{"boot", "--plot", file}); err != nil {
				t.Fatal(err)
			}
			svg, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, string(svg))
			golden(t, name, string(svg))
		})
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.Contains(a.Value, "%!") {
					t.Errorf("%s: %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestPower(t *testing.T) {
	for args, want := range map[string]api.Shutdown{
		"poweroff":         {Action: "poweroff"},
		"poweroff -f":      {Action: "poweroff", Force: true},
		"reboot":           {Action: "reboot"},
		"reboot --force":   {Action: "reboot", Force: true},
		"halt":             {Action: "halt"},
		"halt -p":          {Action: "poweroff"},
		"shutdown":         {Action: "poweroff"},
		"shutdown now":     {Action: "poweroff"},
		"shutdown -h now":  {Action: "poweroff"},
		"shutdown -P +0":   {Action: "poweroff"},
		"shutdown -r now":  {Action: "reboot"},
		"shutdown -rf now": {Action: "reboot", Force: true},
		"shutdown now -H":  {Action: "halt"},
	} {
		t.Run(args, func(t *testing.T) {
			m := newFakeManager()
			term, _ := screen(t, m)
			fields := strings.Fields(args)
			if err := power(t.Context(), term, host{}, fields[0], fields[1:]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]api.Shutdown{want}, m.shutdown); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPowerWrongArguments(t *testing.T) {
	term, _ := screen(t, nil)
	for args, want := range map[string]string{
		"shutdown +5":      "\"+5\": it can only be done now (`shutdown now`); nothing is ever scheduled",
		"shutdown -h 23:0": "\"23:0\": it can only be done now (`shutdown now`); nothing is ever scheduled",
		"shutdown -c":      "unknown option -c; see: shutdown --help",
		"reboot now":       `"now": reboot takes no argument; see: reboot --help`,
		"halt --now":       "unknown option --now; see: halt --help",
	} {
		fields := strings.Fields(args)
		err := power(t.Context(), term, host{}, fields[0], fields[1:])
		if codeOf(err) != 2 || fmt.Sprint(err) != want {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestPowerWithoutAManager(t *testing.T) {
	for _, tc := range []struct {
		name   string
		pharos bool
		fails  error
		sent   []syscall.Signal
		err    string
	}{
		{name: "poweroff", pharos: true, sent: []syscall.Signal{syscall.SIGTERM}},
		{name: "reboot", pharos: true, sent: []syscall.Signal{syscall.SIGINT}},
		{name: "halt", pharos: true, err: "not halt"},
		{name: "reboot", pharos: true, fails: syscall.EPERM, sent: []syscall.Signal{syscall.SIGINT}, err: "try sudo"},
		{name: "reboot", err: "are you on Pharos?"}, // PID 1 is somebody else's: never touched
	} {
		term, _ := screen(t, nil)
		var sent []syscall.Signal
		h := host{pharos: func() bool { return tc.pharos }, signal: func(s syscall.Signal) error { sent = append(sent, s); return tc.fails }}
		err := power(t.Context(), term, h, tc.name, nil)
		if (err != nil) != (tc.err != "") || !strings.Contains(fmt.Sprint(err), tc.err) && tc.err != "" {
			t.Errorf("%+v: %v", tc, err)
		}
		if diff := cmp.Diff(tc.sent, sent); diff != "" {
			t.Errorf("%+v: %s", tc, diff)
		}
	}
}
