package setup

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// again is the same machine after a boot: the root is the image's, what is on
// the state stays.
func (r *room) again(t *testing.T) *setup {
	t.Helper()
	for path, text := range baseFiles() {
		if strings.HasPrefix(path, "/etc/") {
			r.write(t, path, text)
		}
	}
	for _, path := range []string{"/etc/sudoers.d", "/etc/ssh"} {
		if err := os.RemoveAll(r.path(path)); err != nil {
			t.Fatal(err)
		}
	}
	return r.setup()
}

// must carries out the accounts and tells what is wrong with them.
func (s *setup) must(t *testing.T, p Plan, want ...string) {
	t.Helper()
	err := s.everybody(t.Context(), p)
	if err == nil {
		err = s.userKeys(p)
	}
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("problems: %s", d)
	}
	s.plan = p
}

func people() Plan {
	return Plan{
		Keys: []string{"ssh-ed25519 AAAA mine"},
		Accounts: Accounts{
			Groups: []osconfig.Group{{Name: "crew", Members: []string{"keeper", "default"}}, {Name: "cargo"}},
			Users: []osconfig.User{
				{Name: "default", Gecos: "The one", Groups: []string{"cargo"}, SSHAuthorizedKeys: []string{"ssh-ed25519 AAAA more"}},
				{Name: "keeper", Gecos: "Keeper: of the\nlight", UID: 2345, Groups: []string{"docker, cargo"}, Shell: "/bin/sh",
					Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}, SSHAuthorizedKeys: []string{"ssh-ed25519 AAAA keeper"}, ExpireDate: "2030-01-02", Inactive: "7"},
				{Name: "ghost", System: true, NoCreateHome: true, Homedir: "/srv/ghost"},
				{Name: "boat", PrimaryGroup: "crew"},
			},
		},
	}
}

func TestUsers(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	for range 2 { // twice is the same as once
		s.must(t, people())
	}
	for path, want := range map[string]string{
		"/etc/passwd": baseFiles()["/etc/passwd"] + "rancher:x:1100:1100:The one:/home/rancher:/bin/bash\n" +
			"keeper:x:2345:2345:Keeper  of the light:/home/keeper:/bin/sh\n" +
			"ghost:x:300:300::/srv/ghost:/usr/sbin/nologin\n" +
			"boat:x:2002:2000::/home/boat:/bin/bash\n",
		"/etc/group": "root:x:0:\nsudo:x:27:rancher\ndocker:x:1102:other,rancher,keeper\nrancher:x:1100:\npharos:x:1101:rancher\n" +
			"crew:x:2000:keeper,rancher\ncargo:x:2001:keeper,rancher\nkeeper:x:2345:\nghost:x:300:\n",
		"/etc/shadow": "root:*:19700:0:99999:7:::\nrancher:*:19700:0:99999:7:::\n" +
			"keeper:*:19700:0:99999:7:7:21916:\nghost:*:19700:0:99999:7:::\nboat:*:19700:0:99999:7:::\n",
		sudoFile:                             "# Made by ros-console from users.\nkeeper ALL=(ALL) NOPASSWD:ALL\n",
		"/etc/ssh/authorized_keys.d/rancher": "ssh-ed25519 AAAA mine\nssh-ed25519 AAAA more\n",
		"/etc/ssh/authorized_keys.d/keeper":  "ssh-ed25519 AAAA keeper\n",
		"/home/keeper/.profile":              "# profile\n",
	} {
		if d := cmp.Diff(sortGroups(want), sortGroups(r.read(t, path))); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
	if got := r.owned["/home/.keeper.new/.profile"]; got != "2345:2345" {
		t.Errorf("home is owned by %s", got)
	}
	if exists(r.path("/srv/ghost")) || exists(r.path("/home/ghost")) {
		t.Error("a home that nobody wanted")
	}
	if info, err := os.Stat(r.path(sudoFile)); err != nil || info.Mode().Perm() != 0o440 {
		t.Errorf("sudo rules: %v, %v", info.Mode(), err)
	}
}

// sortGroups sorts the members of groups, whose order is nobody's concern.
func sortGroups(text string) string {
	var lines []string
	for _, l := range strings.Split(text, "\n") {
		if i := strings.LastIndexByte(l, ':'); i >= 0 && strings.Count(l, ":") == 3 {
			l = l[:i+1] + sortedWords(strings.ReplaceAll(l[i+1:], ",", " "))
		}
		lines = append(lines, l)
	}
	return strings.Join(lines, "\n")
}

// TestNumbersStay: an account keeps its number over boots, whoever comes or
// goes meanwhile.
func TestNumbersStay(t *testing.T) {
	r := newRoom(t)
	user := func(names ...string) Plan {
		var p Plan
		for _, n := range names {
			p.Users = append(p.Users, osconfig.User{Name: n})
		}
		return p
	}
	r.setup().must(t, user("one", "two"))
	r.again(t).must(t, user("three", "two"))
	r.again(t).must(t, user("two", "one"))
	for name, want := range map[string]string{"one": "2000", "two": "2001"} {
		if f, err := r.setup().lookup("/etc/passwd", name); err != nil || f[2] != want || f[3] != want {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if m := r.read(t, memoryPath); !strings.Contains(m, `"three": 2002`) {
		t.Errorf("memory: %s", m)
	}
	if info, err := os.Stat(r.path(memoryPath)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("memory: %v, %v", info, err)
	}
}

func TestUsersThatGo(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	p := people()
	s.must(t, p)
	p.Users = p.Users[2:]
	p.Groups = nil
	p.Keys = nil
	s.must(t, p)
	shadow := r.read(t, "/etc/shadow")
	if !strings.Contains(shadow, "\nkeeper:!*:19700:0:99999:7:7:1:\n") {
		t.Errorf("not locked: %s", shadow)
	}
	if d := cmp.Diff([]string{"user keeper is not in the configuration any more: locked; its home stays"}, s.status.Notes); d != "" {
		t.Error(d)
	}
	if exists(r.path(sudoFile)) || exists(r.path("/etc/ssh/authorized_keys.d/keeper")) || !exists(r.path("/home/keeper/.profile")) {
		t.Error("rules or keys stay, or the home does not")
	}
	group := r.read(t, "/etc/group")
	if strings.Contains(group, "keeper,") || !strings.Contains(group, "docker:x:1102:other,rancher\n") || !strings.Contains(group, "cargo:x:2001:\n") {
		t.Errorf("groups: %s", group)
	}
	// Back again, it is let in.
	s.must(t, people())
	if shadow := r.read(t, "/etc/shadow"); !strings.Contains(shadow, "\nkeeper:*:19700:0:99999:7:7:21916:\n") {
		t.Errorf("still locked: %s", shadow)
	}
}

func TestBadUsers(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	s.must(t, Plan{Accounts: Accounts{
		Groups: []osconfig.Group{{Name: "a:b"}, {Name: "empty", Members: []string{"nobody-here"}}},
		Users: []osconfig.User{
			{Name: "../etc"}, {Name: "clash", UID: 991}, {Name: "when", ExpireDate: "soon"},
			{Name: "sly", Sudo: []string{"BAD rule"}}, {Name: "fine", Sudo: []string{"ALL=(ALL) ALL\nsly ALL=(ALL) ALL", "false"}},
		},
		Chpasswd: osconfig.Chpasswd{List: []string{"nobody-here:x", "no colon"}},
	}},
		`group a:b: "a:b" is no name of an account or group`,
		`user ../etc: "../etc" is no name of an account or group`,
		"user clash: number 991 is another account's",
		`user when: expiredate "soon": want YYYY-MM-DD`,
		`group empty: user "nobody-here": unknown`,
		"chpasswd: a line of list is not NAME:PASSWORD",
		`password: user "nobody-here": unknown`,
		"user sly: sudo rules are left out: visudo: syntax error: exit 1",
	)
	if got := r.read(t, sudoFile); got != "# Made by ros-console from users.\nfine ALL=(ALL) ALL sly ALL=(ALL) ALL\n" {
		t.Errorf("sudo rules %q", got)
	}
}

func TestKeysOfRoot(t *testing.T) {
	r := newRoom(t)
	s := r.setup()
	p := Plan{Keys: []string{"k1"}, SSH: SSH{Root: true}, Accounts: Accounts{Users: []osconfig.User{{Name: "root", SSHAuthorizedKeys: []string{"k2"}}}}}
	s.must(t, p)
	if got := r.read(t, "/etc/ssh/authorized_keys.d/root"); got != "k1\nk2\n" {
		t.Errorf("root's keys %q", got)
	}
	if !strings.HasPrefix(r.read(t, "/etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n") {
		t.Error("root is another one")
	}
	if c := string(sshdConfig(p, nil)); !strings.Contains(c, "\nPermitRootLogin prohibit-password\n") {
		t.Error(c)
	}
}
