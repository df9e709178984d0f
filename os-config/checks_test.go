package osconfig

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestUnitChecker: what is wrong in the text of a unit is said at its line in
// the file, and of a text that is no block at its begin.
func TestUnitChecker(t *testing.T) {
	const file = `#cloud-config
coreos:
  units:
    - name: a.service
      content: |
        [Service]

        Bad=1
      drop-ins:
        - name: 10.conf
          content: |2
              Bad=2
    - name: b.service
      content: "[Service]\nBad=3\n"
    - name: c.service
      content: >
        [Service]

        Bad=4
`
	var asked []string
	dec := Decoder{Units: func(name, content string) []UnitProblem {
		asked = append(asked, name)
		var out []UnitProblem
		for i, line := range strings.Split(content, "\n") {
			if at := strings.Index(line, "Bad"); at >= 0 {
				out = append(out, UnitProblem{Line: i + 1, Col: at + 1, Severity: Error, Text: line})
			}
		}
		return out
	}}
	var got []string
	for _, p := range dec.Validate(Merge(mustParse(t, "u", file))) {
		if p.Kind != Unsupported {
			got = append(got, p.String())
		}
	}
	want := []string{
		"u.yml:8:9: error: coreos.units[0].content: Bad=1",
		"u.yml:12:15: error: coreos.units[0].drop_ins[0].content:   Bad=2",
		"u.yml:14:16: error: coreos.units[1].content: Bad=3",
		"u.yml:16:16: error: coreos.units[2].content: Bad=4",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.service", "a.service", "b.service", "c.service"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	cfg, _, _ := dec.DecodeLenient(mustParse(t, "u", file))
	if len(cfg.CoreOS.Units) != 0 {
		t.Errorf("at boot these units are used: %+v", cfg.CoreOS.Units)
	}
}

// TestCheckPanics: a mistake in a check is a problem of the value, not the end.
func TestCheckPanics(t *testing.T) {
	dec := Decoder{Units: func(string, string) []UnitProblem { panic("oops") }}
	report := dec.Validate(Merge(mustParse(t, "u", "hostname: box\ncoreos: {units: [{name: a.service, content: x}]}\n")))
	if !strings.Contains(report.String(), "coreos.units[0]: not checkable (oops)") {
		t.Error(report)
	}
}

// TestSecretsAreNotPrinted: no message repeats what is secret, whatever is
// wrong with it, and no export without private holds it.
func TestSecretsAreNotPrinted(t *testing.T) {
	const secret = "s3cr3tw0rd"
	for _, format := range []string{
		"password: {a: %s}", "password: [%s]", "password: '$6$%s'", "password: \"%s\\0\"",
		"chpasswd: {list: ['%s']}", "chpasswd: {list: {a: %s}}", "chpasswd: {list: [[%s]]}", "chpasswd: {list: \"a:$6$%s\\n%[1]s\"}",
		"chpasswd: {users: [{name: a, password: %s}]}", "chpasswd: {users: [{name: a, password: [%s]}]}",
		"users: [{name: a, passwd: %s}]", "users: [{name: a, passwd: $6$x$%s}]", "users: [{name: a, hashed_passwd: %s x}]",
		"users: [{name: a, plain_text_passwd: \"%s\\n\"}]", "users: [{name: a, passwd: [%s]}]", "users: [{name: a, passwd: {%s: x}}]",
		"ssh_keys: {rsa_private: %s}", "ssh_keys: {rsa_public: %s}", "ssh_keys: %s", "ssh_keys: [%s]",
		"ssh_keys: {rsa_private: '-----BEGIN %s'}", "phone_home: {url: 'https://me:%s@example.com/'}", "phone_home: {url: 'ftp://me:%s@example.com/'}",
	} {
		layer, report := Parse("x", "x", fmt.Appendf(nil, format, secret))
		doc := Merge(layer)
		report = append(report, Validate(doc)...)
		if text := report.String(); strings.Contains(text, secret) {
			t.Errorf("%s: %s", format, text)
		}
		if text := doc.Export(true, false); strings.Contains(text, secret) {
			t.Errorf("%s: the export has it:\n%s", format, text)
		}
	}
}

// TestNotCarriedOut: a key that does nothing yet is said once, and only where
// a file has it.
func TestNotCarriedOut(t *testing.T) {
	undone := ""
	for _, p := range allPaths() {
		if undone == "" && notCarriedOut(p) != "" && !strings.ContainsAny(p, "[*") {
			undone = p
		}
	}
	if undone == "" {
		return // everything is carried out
	}
	d := Decoder{}.decoder()
	for range 3 {
		d.sayUndone(Entry{Key: undone, Value: NewString(Pos{}, "x")}, place{undone, undone})
	}
	d.sayUndone(Entry{Key: undone}, place{undone, undone})
	if len(d.report) != 1 || d.report[0].Kind != Unsupported || !strings.HasPrefix(d.report[0].Text, "not carried out yet: ") {
		t.Error(d.report)
	}
}

// TestDates: what is past depends on the clock that the decoder is given.
func TestDates(t *testing.T) {
	layer := mustParse(t, "x", "users: [{name: a, expiredate: '2030-06-01'}]\n")
	for year, want := range map[int]bool{2029: false, 2031: true} {
		dec := Decoder{Now: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}
		if got := strings.Contains(dec.Validate(Merge(layer)).String(), "in the past"); got != want {
			t.Errorf("in %d: %v", year, got)
		}
	}
}

// TestCanonicalValues: short and old spellings come out as Config has them.
func TestCanonicalValues(t *testing.T) {
	decode := func(text string) Config {
		cfg, report := Decode(Merge(mustParse(t, "x", text)))
		if report.HasErrors() {
			t.Error(report)
		}
		return cfg
	}
	if got := decode("fqdn: box.example.com\n"); got.Hostname != "box" || got.FQDN != "box.example.com" {
		t.Errorf("fqdn alone: %q %q", got.Hostname, got.FQDN)
	}
	if got := decode("fqdn: box.example.com\nhostname: other\n"); got.Hostname != "other" {
		t.Errorf("hostname too: %q", got.Hostname)
	}
	weak, strong := mustParse(t, "weak", "hostname: droplet\n"), mustParse(t, "strong", "fqdn: box.example.com\n")
	if cfg, _ := Decode(Merge(weak, strong)); cfg.Hostname != "box" {
		t.Errorf("the cloud's name wins over fqdn: %q", cfg.Hostname)
	}
	mounts := decode("mounts:\n- [sdb1, /a]\n- [LABEL=b, /b, xfs]\n- xvdc\nmount_default_fields: [~, None, ext4, noatime, '0', '2']\n").Mounts
	want := []Mount{
		{Device: "/dev/sdb1", Point: "/a", FSType: "ext4", Options: "noatime"},
		{Device: "LABEL=b", Point: "/b", FSType: "xfs", Options: "noatime"},
		{Device: "/dev/xvdc", FSType: "ext4", Options: "noatime"},
	}
	if diff := cmp.Diff(want, mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}
