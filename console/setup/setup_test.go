package setup

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// room is a root to set up, with the base that an image brings.
type room struct {
	root  string
	owned map[string]string // path → uid:gid
	tools toolbox
}

func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{root: t.TempDir(), owned: map[string]string{}}
	r.tools.room = r
	for path, text := range baseFiles() {
		r.write(t, path, text)
	}
	if err := os.Chmod(r.path("/bin/sleeper"), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

// baseFiles are what an image brings.
func baseFiles() map[string]string {
	return map[string]string{
		"/etc/passwd":                     "root:x:0:0:root:/root:/bin/bash\nsshd:x:991:65534::/run/sshd:/usr/sbin/nologin\n",
		"/etc/group":                      "root:x:0:\nsudo:x:27:\ndocker:x:1102:other\n",
		"/etc/shadow":                     "root:*:19700:0:99999:7:::\n",
		bootFinished:                      "",
		"/proc/self/mountinfo":            "1 0 0:1 / / rw - overlay overlay rw\n",
		"/etc/skel/.profile":              "# profile\n",
		"/sys/class/tty/console/active":   "tty0 ttyS0\n",
		"/dev/tty1":                       "",
		"/dev/ttyS0":                      "",
		"/bin/sleeper":                    "#!/bin/sh\necho \"$0 $*\" >> $(dirname $0)/started\ntrap 'echo hup >> $(dirname $0)/started' HUP\ntrap 'exit 0' TERM\nwhile :; do sleep 0.02; done\n",
		"/var/lib/pharos/ssh/placeholder": "",
	}
}

func (r *room) path(p string) string { return filepath.Join(r.root, p) }

func (r *room) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path(path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (r *room) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(r.path(path))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func (r *room) options() Options {
	return Options{
		Root: r.root, Sshd: []string{r.path("/bin/sleeper"), "sshd"}, Agetty: r.path("/bin/sleeper"),
		Chown: func(path string, uid, gid int) error {
			r.owned[strings.TrimPrefix(path, r.root)] = fmt.Sprintf("%d:%d", uid, gid)
			return nil
		},
		Tool: r.tools.run,
	}
}

func (r *room) setup() *setup {
	s := &setup{Options: r.options(), log: slog.New(slog.DiscardHandler), came: make(chan *attempt)}
	if err := s.remember(); err != nil {
		panic(err)
	}
	return s
}

func TestAccounts(t *testing.T) {
	r := newRoom(t)
	for range 2 { // twice is the same as once
		if err := r.setup().accounts(); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsshd:x:991:65534::/run/sshd:/usr/sbin/nologin\nrancher:x:1100:1100::/home/rancher:/bin/bash\n",
		"/etc/shadow": "root:*:19700:0:99999:7:::\nrancher:*:19700:0:99999:7:::\n",
		"/etc/group":  "root:x:0:\nsudo:x:27:rancher\ndocker:x:1102:other,rancher\nrancher:x:1100:\npharos:x:1101:rancher\n",
	} {
		if d := cmp.Diff(want, r.read(t, path)); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
	if got := r.read(t, "/home/rancher/.profile"); got != "# profile\n" {
		t.Errorf("skeleton %q", got)
	}
	if d := cmp.Diff(map[string]string{"/home/.rancher.new": "1100:1100", "/home/.rancher.new/.profile": "1100:1100"}, r.owned); d != "" {
		t.Error(d)
	}
}

func TestWriteFile(t *testing.T) {
	gz := base64.StdEncoding.EncodeToString([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcbH\xcd\xc9\xc9\xe7\x02\x00 0:6\x06\x00\x00\x00"))
	raw, _ := base64.StdEncoding.DecodeString(gz)
	cases := map[string]struct {
		file    osconfig.File
		want    string
		mode    os.FileMode
		owner   string
		problem string
	}{
		"plain":       {file: osconfig.File{Content: "hello\n"}, want: "hello\n", mode: 0o644, owner: "0:0"},
		"base64":      {file: osconfig.File{Content: "aGVs\nbG8K", Encoding: "b64"}, want: "hello\n", mode: 0o644, owner: "0:0"},
		"gzip":        {file: osconfig.File{Content: string(raw), Encoding: "gzip"}, want: "hello\n", mode: 0o644, owner: "0:0"},
		"gzip+base64": {file: osconfig.File{Content: gz, Encoding: "gz+base64"}, want: "hello\n", mode: 0o644, owner: "0:0"},
		"permissions": {file: osconfig.File{Permissions: "4750"}, mode: os.ModeSetuid | 0o750, owner: "0:0"},
		"owner":       {file: osconfig.File{Owner: "sshd"}, mode: 0o644, owner: "991:65534"},
		"group":       {file: osconfig.File{Owner: "sshd:sudo"}, mode: 0o644, owner: "991:27"},
		"numbers":     {file: osconfig.File{Owner: "12:34"}, mode: 0o644, owner: "12:34"},
		"no user":     {file: osconfig.File{Owner: "nobody-here"}, problem: `write_files /new/dir/f: owner: user "nobody-here": unknown`},
		"bad mode":    {file: osconfig.File{Permissions: "rw-"}, problem: `write_files /new/dir/f: permissions "rw-": not octal`},
		"bad base64":  {file: osconfig.File{Content: "?", Encoding: "b64"}, problem: "write_files /new/dir/f: base64: illegal base64 data at input byte 0"},
		"bad gzip":    {file: osconfig.File{Content: "?", Encoding: "gz"}, problem: "write_files /new/dir/f: gzip: unexpected EOF"},
		"encoding":    {file: osconfig.File{Encoding: "rot13"}, problem: `write_files /new/dir/f: encoding "rot13"`},
		"elsewhere":   {file: osconfig.File{Container: "ntp"}, problem: `write_files /new/dir/f: container "ntp": only the console is supported`},
		"relative":    {file: osconfig.File{Path: "f"}, problem: "write_files f: path is not absolute"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			if c.file.Path == "" {
				c.file.Path = "/new/dir/f"
			}
			err := r.setup().writeFile(c.file)
			if c.problem != "" {
				if err == nil || err.Error() != c.problem {
					t.Errorf("error %v, want %s", err, c.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(r.path(c.file.Path))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.read(t, c.file.Path); got != c.want || info.Mode() != c.mode || r.owned[c.file.Path] != c.owner {
				t.Errorf("got %q %v %s, want %q %v %s", got, info.Mode(), r.owned[c.file.Path], c.want, c.mode, c.owner)
			}
		})
	}
}

// TestFileStaysTheSame: a file that is already as it should be keeps its inode,
// which a running container may have bound. Any difference makes a new file.
func TestFileStaysTheSame(t *testing.T) {
	r := newRoom(t)
	owner := fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())
	f := osconfig.File{Path: "/srv/app.conf", Content: "a=b\n", Owner: owner}
	s := r.setup()
	// written reports whether the file is another one afterwards. The file of
	// before is open meanwhile, so that its inode number is not used again.
	written := func(f osconfig.File) bool {
		t.Helper()
		before, err := os.Open(r.path(f.Path))
		if err != nil {
			t.Fatal(err)
		}
		defer before.Close()
		s.mustWrite(t, f)
		old, err := before.Stat()
		if err != nil {
			t.Fatal(err)
		}
		now, err := os.Stat(r.path(f.Path))
		if err != nil {
			t.Fatal(err)
		}
		return !os.SameFile(old, now)
	}
	s.mustWrite(t, f)
	if written(f) {
		t.Error("an equal file was written again")
	}
	other := map[string]osconfig.File{
		"content":     {Path: f.Path, Content: "a=c\n", Owner: owner},
		"permissions": {Path: f.Path, Content: f.Content, Owner: owner, Permissions: "0600"},
		"set-id bit":  {Path: f.Path, Content: f.Content, Owner: owner, Permissions: "2644"},
		"owner":       {Path: f.Path, Content: f.Content, Owner: fmt.Sprintf("%d:%d", os.Getuid()+1, os.Getgid())},
		"group":       {Path: f.Path, Content: f.Content, Owner: fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()+1)},
	}
	for name, o := range other {
		s.mustWrite(t, f)
		if !written(o) {
			t.Errorf("%s: the file was not written", name)
		}
	}
	// A link of the user's is replaced, also one to an equal file.
	s.mustWrite(t, f)
	if err := errors.Join(os.Rename(r.path(f.Path), r.path("/srv/other")), os.Symlink("other", r.path(f.Path))); err != nil {
		t.Fatal(err)
	}
	if !written(f) {
		t.Error("a link was left")
	}
}

func TestHostKeysAreKeptAndRepaired(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	keys, err := s.ensureKeys("")
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	first := r.read(t, keys[0])
	if !strings.HasPrefix(first, "-----BEGIN OPENSSH PRIVATE KEY-----") || !strings.HasPrefix(r.read(t, keys[1]+".pub"), "ecdsa-sha2-nistp256 ") {
		t.Errorf("keys of another kind: %.40q", first)
	}
	r.write(t, keys[1], "half of a k")
	if _, err := s.ensureKeys(""); err != nil {
		t.Fatal(err)
	}
	if r.read(t, keys[0]) != first {
		t.Error("a good key was replaced")
	}
	if !strings.HasPrefix(r.read(t, keys[1]), "-----BEGIN") {
		t.Error("a damaged key was kept")
	}
	if info, err := os.Stat(r.path(keys[1])); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A state that cannot be written: the way in is kept, and said.
	if err := os.RemoveAll(r.path(keyDir)); err != nil {
		t.Fatal(err)
	}
	r.write(t, keyDir, "a file where the directory should be")
	keys, err = s.ensureKeys("")
	if err == nil || !strings.Contains(err.Error(), "host keys are not kept") {
		t.Errorf("error %v", err)
	}
	if len(keys) != 2 || !strings.HasPrefix(keys[0], keyFallback) {
		t.Errorf("keys %v", keys)
	}
}

func TestSSHDConfig(t *testing.T) {
	p := Plan{SSH: SSH{Port: 2200, Listen: "10.0.0.1"}, Environment: map[string]string{"B": `say "hi"`, "A": "1", "bad-name": "x", "C": "two\nlines", "PATH": "/x"}}
	want := `# Made by ros-console.
Port 2200
ListenAddress 10.0.0.1
HostKey /k
AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u .ssh/authorized_keys
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
PrintLastLog no
SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin "A=1" "B=say \"hi\""
`
	if d := cmp.Diff(want, string(sshdConfig(p, []string{"/k"}))); d != "" {
		t.Error(d)
	}
	if got := string(authorizedKeys([]string{" ssh-ed25519 AAAA a ", "", "two\nlines"})); got != "ssh-ed25519 AAAA a\n" {
		t.Errorf("keys %q", got)
	}
}

func TestFromConfig(t *testing.T) {
	off := false
	got := FromConfig(osconfig.Config{
		SSHAuthorizedKeys: []string{"k"},
		Rancher: osconfig.Rancher{
			SSH:         osconfig.SSH{Daemon: &off},
			Network:     osconfig.Network{HTTPProxy: "http://p"},
			Environment: map[string]string{"A": "b"},
			Autologin:   []string{"tty1"},
		},
	}, "h")
	want := Plan{Hostname: "h", Keys: []string{"k"}, Autologin: []string{"tty1"}, SSH: SSH{Port: 22},
		Environment: map[string]string{"A": "b", "http_proxy": "http://p", "HTTP_PROXY": "http://p"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	path := filepath.Join(t.TempDir(), "console/setup.json")
	if err := got.Write(path); err != nil {
		t.Fatal(err)
	}
	if back, err := readPlan(path); err != nil || cmp.Diff(got, back) != "" {
		t.Errorf("read back: %v, %s", err, cmp.Diff(got, back))
	}
}

func TestFromConfigPasswords(t *testing.T) {
	no, yes := false, true
	cases := map[string]struct {
		cfg      osconfig.Config
		password string
		expire   bool
	}{
		"cloud-init's expires":    {osconfig.Config{Password: "a"}, "a", true},
		"unless told":             {osconfig.Config{Password: "a", Chpasswd: osconfig.Chpasswd{Expire: &no}}, "a", false},
		"RancherOS's wins, stays": {osconfig.Config{Password: "a", Rancher: osconfig.Rancher{Password: "b"}}, "b", false},
		"disabled":                {osconfig.Config{Rancher: osconfig.Rancher{Password: "b", Disable: []string{"password"}}}, "", false},
	}
	for name, c := range cases {
		if p := FromConfig(c.cfg, ""); p.Password != c.password || p.Expire != c.expire {
			t.Errorf("%s: %q, expires %v", name, p.Password, p.Expire)
		}
	}
	p := FromConfig(osconfig.Config{
		SSHPasswordAuth: &yes, DisableRoot: &no,
		Rancher: osconfig.Rancher{Autologin: []string{"tty1"}, Disable: []string{"autologin"}, SSH: osconfig.SSH{Keys: map[string]string{"rsa": "k", "rsa-pub": "p"}}},
	}, "")
	want := SSH{Enabled: true, Port: 22, Passwords: true, Root: true, HostKeys: map[string]string{"ssh_host_rsa_key": "k\n", "ssh_host_rsa_key.pub": "p\n"}}
	if d := cmp.Diff(want, p.SSH); d != "" || len(p.Autologin) > 0 {
		t.Errorf("%s, autologin %q", d, p.Autologin)
	}
	// Whatever the plan holds comes through.
	p.PowerState = osconfig.PowerState{Mode: "reboot", Condition: osconfig.Command{Args: []string{"a", "b"}}}
	p.Users = []osconfig.User{{Name: "u", LockPasswd: &no, Groups: []string{"g"}}}
	p.Mounts = []osconfig.Mount{{Device: "d", Point: "p"}}
	path := filepath.Join(t.TempDir(), "setup.json")
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	if back, err := readPlan(path); err != nil || cmp.Diff(p, back) != "" {
		t.Errorf("read back: %v, %s", err, cmp.Diff(p, back))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// The whole, twice: a plan, then another one at SIGHUP.
func TestRun(t *testing.T) {
	r := newRoom(t)
	p := Plan{
		Keys:      []string{"ssh-ed25519 AAAA first"},
		Files:     []osconfig.File{{Path: "/etc/one", Content: "1"}, {Path: "/etc/bad", Owner: "nobody-here"}},
		Commands:  []osconfig.Command{{Shell: "echo $A >> " + r.path("/ran")}, {Args: []string{"false"}}, {Args: []string{"no-such-program"}}},
		Autologin: []string{"ttyS0", "tty9"},
		SSH:       SSH{Enabled: true, Port: 22}, Environment: map[string]string{"A": "a b"},
	}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	defer r.start(t)()

	st := r.await(t, func(st Status) bool { return st.Done })
	if d := cmp.Diff([]string{
		`write_files /etc/bad: owner: user "nobody-here": unknown`,
		`runcmd[1] (false): exit 1`,
		`runcmd[2]: no-such-program: not found`,
	}, st.Problems); d != "" {
		t.Error(d)
	}
	if r.read(t, "/etc/one") != "1" || r.read(t, "/ran") != "a b\n" {
		t.Error("write_files or runcmd not done")
	}
	r.awaitStarted(t, []string{
		"sleeper --autologin rancher --local-line --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
		"sleeper --noclear tty1 linux",
		"sleeper sshd",
	})

	p.Keys = []string{"ssh-ed25519 AAAA second"}
	p.Files = []osconfig.File{{Path: "/etc/two", Content: "2"}}
	p.Commands = append(p.Commands[:1], osconfig.Command{Shell: "echo new >> " + r.path("/ran")})
	p.Environment = map[string]string{"A": "c"}
	if err := p.Write(r.path(PlanPath)); err != nil {
		t.Fatal(err)
	}
	before := st.At
	r.hangUp(t)
	st = r.await(t, func(st Status) bool {
		return st.At.After(before) && len(st.Problems) == 0 && exists(r.path("/etc/two"))
	})
	r.awaitText(t, "/ran", "a b\nnew\n")
	if got := r.read(t, "/etc/ssh/authorized_keys.d/rancher"); got != "ssh-ed25519 AAAA second\n" {
		t.Errorf("keys %q", got)
	}
	// The environment is in sshd's configuration: it had to read it again.
	r.awaitStarted(t, []string{
		"hup",
		"sleeper --autologin rancher --local-line --keep-baud 115200,57600,38400,9600 ttyS0 vt220",
		"sleeper --noclear tty1 linux",
		"sleeper sshd",
	})
}

func (r *room) await(t *testing.T, ok func(Status) bool) (st Status) {
	t.Helper()
	waitFor(t, func() bool {
		var err error
		st, err = ReadStatus(r.path(StatusPath))
		return err == nil && ok(st)
	}, func() string { return fmt.Sprintf("status %+v", st) })
	return st
}

func (r *room) awaitText(t *testing.T, path, want string) {
	t.Helper()
	got := ""
	waitFor(t, func() bool {
		text, _ := os.ReadFile(r.path(path))
		got = string(text)
		return got == want
	}, func() string { return fmt.Sprintf("%s is %q", path, got) })
}

func (r *room) awaitStarted(t *testing.T, want []string) {
	t.Helper()
	var got []string
	waitFor(t, func() bool {
		text, _ := os.ReadFile(r.path("/bin/started"))
		got = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), r.path("/bin")+"/", "")), "\n")
		slices.Sort(got)
		return slices.Equal(got, want)
	}, func() string { return cmp.Diff(want, got) })
}

func waitFor(t *testing.T, ok func() bool, state func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 20 s: %s", state())
		}
	}
}
