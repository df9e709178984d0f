package setup

import (
	"regexp"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// shadowOf is the hash and the day of the last change.
func (r *room) shadowOf(t *testing.T, name string) (hash, changed string) {
	t.Helper()
	f, err := r.setup().lookup("/etc/shadow", name)
	if err != nil {
		t.Fatal(err)
	}
	return f[1], f[2]
}

func TestPasswords(t *testing.T) {
	const hash = "$6$salt$hash"
	yes, no := true, false
	cases := map[string]struct {
		accounts Accounts
		want     string
		expired  bool
	}{
		"none":                {want: "*"},
		"plain":               {accounts: Accounts{Password: "lantern"}, want: "$y$of(lantern)"},
		"hash":                {accounts: Accounts{Password: hash}, want: hash},
		"expires":             {accounts: Accounts{Password: "lantern", Expire: true}, want: "$y$of(lantern)", expired: true},
		"a hash never":        {accounts: Accounts{Password: hash, Expire: true}, want: hash},
		"user, hash":          {accounts: Accounts{Users: []osconfig.User{{Name: "default", Passwd: hash}}}, want: hash},
		"user, newer key":     {accounts: Accounts{Users: []osconfig.User{{Name: "rancher", Passwd: "$1$a$b", HashedPasswd: hash}}}, want: hash},
		"user, plain":         {accounts: Accounts{Users: []osconfig.User{{Name: "rancher", PlainTextPasswd: "a:b"}}}, want: "$y$of(a_b)"},
		"user, unlocked":      {accounts: Accounts{Users: []osconfig.User{{Name: "rancher", Passwd: hash, LockPasswd: &no}}}, want: hash},
		"user, locked":        {accounts: Accounts{Users: []osconfig.User{{Name: "rancher", Passwd: hash, LockPasswd: &yes}}}, want: "*"},
		"list":                {accounts: Accounts{Chpasswd: osconfig.Chpasswd{List: []string{"rancher:lantern"}}}, want: "$y$of(lantern)", expired: true},
		"list wins":           {accounts: Accounts{Password: "other", Chpasswd: osconfig.Chpasswd{List: []string{"rancher:" + hash}}}, want: hash},
		"list, kept":          {accounts: Accounts{Chpasswd: osconfig.Chpasswd{Expire: &no, List: []string{"rancher:lantern"}}}, want: "$y$of(lantern)"},
		"users, text":         {accounts: Accounts{Chpasswd: osconfig.Chpasswd{Expire: &no, Users: []osconfig.Password{{Name: "rancher", Password: "l", Type: "text"}}}}, want: "$y$of(l)"},
		"users, hash":         {accounts: Accounts{Chpasswd: osconfig.Chpasswd{Users: []osconfig.Password{{Name: "default", Password: hash}}}}, want: hash},
		"plain, looks hashed": {accounts: Accounts{Chpasswd: osconfig.Chpasswd{Expire: &no, Users: []osconfig.Password{{Name: "rancher", Password: "$a$b$c", Type: "text"}}}}, want: "$y$of($a$b$c)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			p := Plan{Accounts: c.accounts}
			r.setup().must(t, p)
			if got, changed := r.shadowOf(t, "rancher"); got != c.want || (changed == "0") != c.expired {
				t.Errorf("shadow %q, changed %q", got, changed)
			}
		})
	}
}

// TestPasswordsOfPeople: who changed a password keeps it over a boot, until
// the configuration or the instance is another one.
func TestPasswordsOfPeople(t *testing.T) {
	r := newRoom(t)
	p := Plan{InstanceID: "i-1", Accounts: Accounts{Password: "first", Expire: true}}
	s := r.setup()
	s.must(t, p)
	if err := s.editShadow("rancher", func(f []string) { f[1], f[2] = "$y$mine", "20000" }); err != nil { // passwd(1)
		t.Fatal(err)
	}
	s.must(t, p) // a SIGHUP leaves it
	if err := s.learnPasswords(); err != nil {
		t.Fatal(err)
	}
	check := func(step, hash, changed string) {
		t.Helper()
		if h, c := r.shadowOf(t, "rancher"); h != hash || c != changed {
			t.Errorf("%s: %q changed %q, want %q %q", step, h, c, hash, changed)
		}
	}
	check("SIGHUP", "$y$mine", "20000")
	s = r.again(t)
	s.must(t, p)
	check("boot", "$y$mine", "20000")
	p.InstanceID = ""
	r.again(t).must(t, p)
	check("boot without the metadata", "$y$mine", "20000")
	p.InstanceID = "i-2"
	r.again(t).must(t, p)
	check("another instance", "$y$of(first)", "0")
	p.Password = "second"
	s = r.again(t)
	s.must(t, p)
	check("another password", "$y$of(second)", "0")
	p.Password = ""
	s.must(t, p)
	check("none", "*", "0")
	if memory := r.read(t, memoryPath); strings.Contains(memory, "of(") || strings.Contains(memory, "first") {
		t.Errorf("memory: %s", memory)
	}
}

func TestRandomPassword(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/dev/ttyS0", "")
	p := Plan{Accounts: Accounts{Chpasswd: osconfig.Chpasswd{List: []string{"rancher:RANDOM"}}}}
	r.setup().must(t, p)
	m := regexp.MustCompile(`Password of rancher: (\w{20})\r\n`).FindStringSubmatch(r.read(t, "/dev/ttyS0"))
	if m == nil {
		t.Fatalf("console: %q", r.read(t, "/dev/ttyS0"))
	}
	if got, changed := r.shadowOf(t, "rancher"); got != "$y$of("+m[1]+")" || changed != "0" {
		t.Errorf("shadow %q, changed %q", got, changed)
	}
	// The next boot has the same one and does not print it.
	before := r.read(t, "/dev/ttyS0")
	r.again(t).must(t, p)
	if got, _ := r.shadowOf(t, "rancher"); got != "$y$of("+m[1]+")" || r.read(t, "/dev/ttyS0") != before {
		t.Error("another one after a boot")
	}
}

// TestEmptyPassword: an empty password would let everybody in.
func TestEmptyPassword(t *testing.T) {
	for _, a := range []Accounts{
		{Chpasswd: osconfig.Chpasswd{Users: []osconfig.Password{{Name: "rancher"}}}},
		{Chpasswd: osconfig.Chpasswd{Users: []osconfig.Password{{Name: "rancher", Type: "text"}}}},
	} {
		r := newRoom(t)
		s := r.setup()
		if err := s.everybody(t.Context(), Plan{Accounts: a}); err == nil || !strings.Contains(err.Error(), "it is empty") {
			t.Error(err)
		}
		if got, _ := r.shadowOf(t, "rancher"); got != "*" {
			t.Errorf("%q", got)
		}
	}
}
