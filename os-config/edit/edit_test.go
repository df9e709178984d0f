package edit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH2wMqkvC9xUT0pky/Ou0fDuhjgApqz1Gk++QdbMKUN"
)

// house is a file as people write them.
const house = `#cloud-config
# The router of the house.

hostname: lake  # by the lake

ssh_authorized_keys:
- ` + keyA + ` ann@desk
# the one in the cupboard
- ` + keyB + ` bob@attic

rancher:
  # no telnet
  docker:
    debug: true   # until it works
    log_opts: {max-size: 10m, max-file: "3"}

  network:
    interfaces:
      eth0:
        dhcp: true
      eth0.100:  # the cameras
        address: 10.0.0.1/24
# users of the house
users:
  - name: ann
    groups: [docker]  # may use docker
  - name: bob

    shell: /bin/zsh
write_files:
- path: /etc/motd
  content: |
    # welcome

    to the lake
# the end
`

type step struct{ verb, key, value string }

func (s step) do(text []byte) ([]byte, error) {
	switch s.verb {
	case "unset":
		return Unset(text, "f", s.key)
	case "remove":
		return Remove(text, "f", s.key, s.value, nil)
	case "merge":
		return Merge(text, "f", []byte(s.value), "merge")
	}
	v, err := Value(s.value)
	switch {
	case err != nil:
		return nil, err
	case s.verb == "append":
		return Append(text, "f", s.key, v, nil)
	}
	return Set(text, "f", s.key, v)
}

// What changes in the text of house, as - and + lines.
func TestEdits(t *testing.T) {
	for _, tc := range []struct {
		step
		want string
	}{
		{step{"set", "hostname", "sea"}, "-hostname: lake  # by the lake\n+hostname: sea  # by the lake\n"},
		{step{"set", "hostname", "lake"}, ""},
		{step{"set", "fqdn", "lake.example"}, "+fqdn: lake.example\n"},
		{step{"set", "hostname", "'12'"}, "-hostname: lake  # by the lake\n+hostname: \"12\"  # by the lake\n"},
		{step{"set", "timezone", "Europe/Berlin"}, "+timezone: Europe/Berlin\n"},
		{step{"set", "rancher.docker.debug", "false"}, "-    debug: true   # until it works\n+    debug: false   # until it works\n"},
		{step{"set", "rancher.docker.bip", "172.30.0.1/16"}, "+    bip: 172.30.0.1/16\n"},
		{step{"set", "rancher.docker.log_opts.max-size", "20m"}, "-    log_opts: {max-size: 10m, max-file: \"3\"}\n+    log_opts: {max-size: \"20m\", max-file: \"3\"}\n"},
		{step{"set", "rancher.docker.log_opts.tag", "x"}, "-    log_opts: {max-size: 10m, max-file: \"3\"}\n+    log_opts:\n+      max-size: \"10m\"\n+      max-file: \"3\"\n+      tag: x\n"},
		{step{"set", "rancher.network.interfaces.eth0.100.mtu", "1400"}, "+        mtu: 1400\n"},
		{step{"set", "rancher.network.interfaces.eth1", "{dhcp: true}"}, "+      eth1:\n+        dhcp: true\n"},
		{step{"set", "rancher.sysctl.net.ipv4.ip_forward", "1"}, "+  sysctl:\n+    net.ipv4.ip_forward: 1\n"},
		{step{"set", "rancher.environment", "{A: b}"}, "+  environment:\n+    A: b\n"},
		{step{"set", "users[1].shell", "/bin/bash"}, "-    shell: /bin/zsh\n+    shell: /bin/bash\n"},
		{step{"set", "users.0.uid", "1200"}, "+    uid: 1200\n"},
		{step{"set", "write_files[0].content", "line 1\nline 2\n"}, "-    # welcome\n-\n-    to the lake\n+    line 1\n+    line 2\n"},
		{step{"set", "write_files[0].path", "/etc/issue"}, "-- path: /etc/motd\n+- path: /etc/issue\n"},
		{step{"unset", "hostname", ""}, "-hostname: lake  # by the lake\n"},
		{step{"set", "hostname", "null"}, "-hostname: lake  # by the lake\n"},
		{step{"unset", "rancher.docker.debug", ""}, "-    debug: true   # until it works\n"},
		{step{"unset", "rancher.network.interfaces.eth0.100", ""}, "-      eth0.100:  # the cameras\n-        address: 10.0.0.1/24\n"},
		{step{"unset", "rancher.network.interfaces.eth0.100.address", ""}, "-      eth0.100:  # the cameras\n-        address: 10.0.0.1/24\n"},
		{step{"unset", "users[0].groups", ""}, "-    groups: [docker]  # may use docker\n"},
		{step{"unset", "write_files[0]", ""}, "-write_files:\n-- path: /etc/motd\n-  content: |\n-    # welcome\n-\n-    to the lake\n"},
		{step{"append", "users", "carol"}, "+  - name: carol\n"},
		{step{"append", "users", "{name: bob, uid: 7000}"}, "-    shell: /bin/zsh\n+    uid: 7000\n"},
		{step{"append", "ssh_authorized_keys", keyA}, "-- " + keyA + " ann@desk\n+- " + keyA + "\n"},
		{step{"append", "runcmd", "[echo, hi]"}, "+runcmd:\n+  - echo\n+  - hi\n"},
		{step{"append", "users[0].groups", "sudo"}, "-    groups: [docker]  # may use docker\n+    groups:\n+      - docker\n+      - sudo\n"},
		{step{"append", "users[0].groups", "docker"}, ""},
		{step{"remove", "users", "bob"}, "-  - name: bob\n-\n-    shell: /bin/zsh\n"},
		{step{"remove", "ssh_authorized_keys", "bob@attic"}, "-- " + keyB + " bob@attic\n"},
		{step{"remove", "ssh_authorized_keys", keyA + " other"}, "-- " + keyA + " ann@desk\n"},
		{step{"remove", "write_files", "/etc/motd"}, "-write_files:\n-- path: /etc/motd\n-  content: |\n-    # welcome\n-\n-    to the lake\n"},
		{step{"remove", "rancher.network.interfaces", "eth0"}, "-      eth0:\n-        dhcp: true\n"},
		{step{"remove", "users[0].groups", "docker"}, "-    groups: [docker]  # may use docker\n"},
		{step{"merge", "", "rancher: {docker: {debug: false, bip: 10.9.0.1/16}, ssh: {port: 2222}}\nlocale: de_DE.UTF-8\n"},
			"-    debug: true   # until it works\n+    debug: false   # until it works\n+    bip: 10.9.0.1/16\n+  ssh:\n+    port: 2222\n+locale: de_DE.UTF-8\n"},
	} {
		t.Run(tc.verb+" "+tc.key, func(t *testing.T) {
			out, err := tc.do([]byte(house))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, lineDiff(house, string(out))); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, out)
			}
		})
	}
}

// lineDiff is the lines that only one of the two texts has, in order.
func lineDiff(a, b string) string {
	x, y := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	// The longest common subsequence, by the book.
	l := make([][]int, len(x)+1)
	for i := range l {
		l[i] = make([]int, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				l[i][j] = l[i+1][j+1] + 1
			} else {
				l[i][j] = max(l[i+1][j], l[i][j+1])
			}
		}
	}
	var out strings.Builder
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || l[i+1][j] >= l[i][j+1]):
			out.WriteString("-" + x[i])
			i++
		default:
			out.WriteString("+" + y[j])
			j++
		}
	}
	return out.String()
}

func TestFromNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "#cloud-config\n", "#cloud-config\r\n", "# mine\n\n", "---\n", "{}\n", "\ufeff#cloud-config\n", "hostname:\n", "null\n"} {
		v, err := Value("[1.1.1.1, 9.9.9.9]")
		if err != nil {
			t.Fatal(err)
		}
		out, err := Set([]byte(text), "f", "rancher.network.dns.nameservers", v)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := get(t, out, "rancher.network.dns.nameservers"); got != "- 1.1.1.1\n- 9.9.9.9" {
			t.Errorf("%q: %q", text, got)
		}
		if !strings.HasPrefix(string(out), "#") && strings.Contains(text, "#") {
			t.Errorf("%q: the comment went: %q", text, out)
		}
		back, err := Unset(out, "f", "rancher.network.dns.nameservers")
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if layer, report := osconfig.Parse("", "f", back); layer.Doc.Child("rancher") != nil || report.HasErrors() {
			t.Errorf("%q: left %q", text, back)
		}
	}
}

func get(t *testing.T, text []byte, key string) string {
	t.Helper()
	layer, report := osconfig.Parse("", "f", text)
	if layer.Doc == nil {
		t.Fatalf("%s\n%s", report, text)
	}
	got, _ := osconfig.Merge(layer).Get(key)
	return got
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct {
		text string
		step
		want string
	}{
		{"a: [\n", step{"set", "hostname", "x"}, "f:1:"},
		{house, step{"set", "hostname.x", "x"}, "hostname is a single value, which has no key x; unset it first"},
		{house, step{"set", "users.ann.uid", "1"}, "users is a list: its items are users[0], users[1], …"},
		{house, step{"set", "users[7].uid", "1"}, "users has 2 items, no item 7; append adds one"},
		{house, step{"set", "", "1"}, "the key is empty"},
		{house, step{"set", "a..b", "1"}, "empty part"},
		{house, step{"set", "hostname", "@x"}, "put a text with special characters into quotes"},
		{house, step{"set", "hostname", "#x"}, "is a comment of YAML"},
		{house, step{"unset", "timezone", ""}, "timezone is not set in f"},
		{house, step{"remove", "users", "carol"}, `"carol" is not set at users in f`},
		{house, step{"append", "rancher.docker", "x"}, "rancher.docker is a mapping, not a list"},
		{house, step{"merge", "", "a: ["}, "merge:1:"},
	} {
		_, err := tc.do([]byte(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.step, err, tc.want)
		}
	}
	if _, err := Unset([]byte(house), "f", "timezone"); !errors.Is(err, ErrNotThere) {
		t.Error("unset of nothing is not ErrNotThere")
	}
}

// The host name that parsing takes from fqdn stands nowhere in the file.
func TestHostnameOfFQDN(t *testing.T) {
	const text = "# mine\nfqdn: a.example # the name\n\n# end\nlocale: C\n"
	for _, tc := range []struct {
		step
		want string
	}{
		{step{"set", "timezone", "UTC"}, "+timezone: UTC\n"},
		{step{"set", "fqdn", "b.example"}, "-fqdn: a.example # the name\n+fqdn: b.example # the name\n"},
		{step{"set", "hostname", "a"}, "+hostname: a\n"},
		{step{"set", "hostname", "b"}, "+hostname: b\n"},
	} {
		out, err := tc.do([]byte(text))
		if diff := cmp.Diff(tc.want, lineDiff(text, string(out))); diff != "" || err != nil {
			t.Errorf("%v: %v %s", tc.step, err, diff)
		}
	}
	if _, err := Unset([]byte(text), "f", "hostname"); !errors.Is(err, ErrNotThere) {
		t.Error(err)
	}
}

// Odd but right YAML: whatever becomes of the layout, the values hold.
func TestOddTexts(t *testing.T) {
	for _, text := range []string{
		"{hostname: a, rancher: {debug: true}}\n",
		`{"hostname": "a", "rancher": {"debug": true}}`,
		"hostname: &h a\nfqdn: *h\n",
		"x: &x {dhcp: true}\nrancher: {network: {interfaces: {eth0: *x}}}\n",
		"x: &x\n  dhcp: true\nrancher:\n  network:\n    interfaces:\n      eth0:\n        <<: *x\n        mtu: 1400\n",
		"\"hostname\": a\n? rancher\n: debug: true\n",
		"---\nhostname: a\n...\n",
		"hostname: a\nhostname: b\n",
		"hostname: a\nfqdn: >\n  a.b\n\nwrite_files:\n  - path: /a\n    content: |+\n      x\n\n\n",
		"hostname:\n  a\n",
		"hostname: \"a\n  b\"\nfqdn: x\n",
		"users:\n- ann\n- bob: x\n",
		"users: ann, bob\ngroups: {a: [b]}\n",
		"mounts:\n- - LABEL=a\n  - /a\n- [LABEL=b, /b]\n",
		"# ü\nlocale: ü # ü\nhostname: a\n",
		"hostname: a #x\n   \n# c\n  # d\nrancher:\n # e\n debug: true\n",
	} {
		for _, s := range []step{
			{"set", "hostname", "sea"}, {"set", "rancher.network.interfaces.eth0.mtu", "1500"}, {"set", "fqdn", "a b: c"},
			{"append", "users", "carol"}, {"append", "mounts", "[[LABEL=c, /c]]"}, {"set", "locale", "C"},
			{"set", "write_files", "[{path: /b, content: x}]"}, {"unset", "hostname", ""}, {"unset", "rancher", ""},
		} {
			checkEdit(t, []byte(text), s)
		}
	}
}

// checkEdit carries a step out and checks the laws: the result parses, what
// was set is there, what was unset is not, and nothing else has changed.
func checkEdit(t *testing.T, text []byte, s step) {
	t.Helper()
	before, broken := Parse(text, "f")
	out, err := s.do(text)
	if err != nil || broken != nil {
		return
	}
	after, err := Parse(out, "f")
	if err != nil {
		t.Fatalf("%v of %q: %v\n%s", s, text, err, out)
	}
	keys, want, err := wanted(s)
	if err != nil {
		return
	}
	got := find(after, keys)
	switch s.verb {
	case "unset":
		if got != nil && len(keys) > 0 && !digits(keys[len(keys)-1]) {
			t.Errorf("%v of %q: still there: %q", s, text, out)
		}
	case "set":
		if !same(got, want) {
			t.Errorf("%v of %q: %q", s, text, out)
		}
	}
	top := keys[0]
	for _, e := range before.Map {
		if e.Key != top && !same(e.Value, after.Child(e.Key)) {
			t.Errorf("%v of %q changes %s: %q", s, text, e.Key, out)
		}
	}
	for _, e := range after.Map {
		if e.Key != top && !has(before, e.Key) {
			t.Errorf("%v of %q adds %s: %q", s, text, e.Key, out)
		}
	}
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// wanted is where a step changes what, in the form of parsed documents.
func wanted(s step) ([]string, *osconfig.Node, error) {
	v, err := Value(s.value)
	if err != nil {
		return nil, nil, err
	}
	return canonicalKey(s.key, v)
}

// Every key that the schema has can be set and taken away again, and the rest
// of the file stays.
func TestEveryKey(t *testing.T) {
	n := 0
	for _, key := range osconfig.Paths() {
		if strings.ContainsAny(key, "*[") {
			continue
		}
		n++
		for _, s := range []step{{"set", key, "x"}, {"set", key, "[x, y]"}, {"set", key, "{a: b}"}, {"unset", key, ""}} {
			checkEdit(t, []byte(house), s)
		}
	}
	if n < 150 {
		t.Errorf("only %d keys", n)
	}
}

func FuzzEdit(f *testing.F) {
	for _, text := range []string{house, "", "{a: b}", "a: &x [1]\nb: *x\n", "hostname: |+\n  a\n\n", "users:\n- a\n"} {
		f.Add(text, "hostname", "x")
		f.Add(text, "users[0].uid", "1")
		f.Add(text, "rancher.sysctl.a.b", "[a, {b: c}]")
		f.Add(text, "users", "a\nb")
	}
	f.Fuzz(func(t *testing.T, text, key, value string) {
		if len(text)+len(value) > 4096 || len(key) > 256 {
			return
		}
		for _, verb := range []string{"set", "unset", "append", "remove", "merge"} {
			s := step{verb, key, value}
			if verb == "append" || verb == "remove" || verb == "merge" || !plainKey(key) {
				if out, err := s.do([]byte(text)); err == nil {
					if layer, r := osconfig.Parse("", "f", out); layer.Doc == nil && len(out) > 0 {
						t.Errorf("%v: %s%q", s, r, out)
					}
				}
				continue
			}
			checkEdit(t, []byte(text), s)
		}
	})
}

// plainKey reports a key whose place does not depend on lists or on the forms
// that parsing gives to short values.
func plainKey(key string) bool {
	return !strings.ContainsAny(key, "[]0123456789-") && !strings.HasPrefix(key, "users") && !strings.HasPrefix(key, "groups")
}

func TestValue(t *testing.T) {
	for text, want := range map[string]string{
		"true": "true", "[a,b]": "- a\n- b", "a: b": "a: b", "": `""`, "0644": "0644", `"0644"`: `"0644"`, "a b": "a b",
		"-----BEGIN X-----\nabc\n-----END X-----\n": "-----BEGIN X-----\nabc\n-----END X-----\n", "null": "null",
		"|\n  a\n   b\n": "a\n b\n", "- a\n- b: c\n": "- a\n- b: c",
	} {
		v, err := Value(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := strings.TrimSuffix(osconfig.FormatYAML(v), "\n")
		if v.Kind == osconfig.String && strings.Contains(v.Text, "\n") {
			got = v.Text
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	parse := func(text string) *osconfig.Node {
		n, err := Parse([]byte(text), "f")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tc := range []struct{ before, after, want string }{
		{"a: 1\n", "a: 1\n", "no change"},
		{"hostname: a\npassword: x\n", "hostname: b\nrancher: {debug: true, ssh: {port: 1}}\n", "set rancher; changed hostname; unset password"},
		{"a: 1\n", "b: 1\nc: 1\nd: 1\ne: 1\nf: 1\n", "set b, c, d, e and 1 more; unset a"},
	} {
		if got := Summary(parse(tc.before), parse(tc.after)); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

// Every good and every bad file of the validator's corpus: whatever stands in
// it, a change reads back, touches nothing else, and keeps the comments.
func TestCorpus(t *testing.T) {
	n := 0
	for _, dir := range []string{"good", "bad"} {
		err := filepath.WalkDir("../testdata/"+dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yml" && filepath.Ext(path) != ".yaml" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			n++
			for _, s := range []step{
				{"set", "hostname", "sea"}, {"set", "rancher.docker.debug", "true"}, {"set", "rancher.sysctl.a.b", "'1'"},
				{"set", "ntp.servers", "[a, b]"}, {"unset", "hostname", ""}, {"unset", "rancher.network", ""},
			} {
				checkEdit(t, text, s)
			}
			checkComments(t, path, text)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 100 {
		t.Errorf("only %d files", n)
	}
}

// checkComments sets a key that the file does not have: that must not cost a
// line of a good file in block style.
func checkComments(t *testing.T, path string, text []byte) {
	t.Helper()
	layer, report := osconfig.Parse("", path, text)
	if layer.Doc == nil || report.HasErrors() || len(layer.Doc.Map) == 0 || bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return
	}
	v := osconfig.NewString(osconfig.Pos{}, "x")
	out, err := Set(text, path, "brand_new", v)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	for line := range strings.Lines(plainText(text)) {
		if strings.TrimSpace(line) != "" && !strings.Contains(string(out), line) {
			t.Errorf("%s: the line %q went", path, line)
			return
		}
	}
}
