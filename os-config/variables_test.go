package osconfig

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpandText(t *testing.T) {
	vars := map[string]string{"public_ipv4": "1.2.3.4", "private_ipv4": "10.0.0.4", "public_ipv6": "2001:db8::4"}
	for in, want := range map[string]string{
		"":                                   "",
		"plain":                              "plain",
		"$public_ipv4":                       "1.2.3.4",
		"${public_ipv4}":                     "1.2.3.4",
		"$private_ipv4/24":                   "10.0.0.4/24",
		"tcp://$private_ipv4:2375":           "tcp://10.0.0.4:2375",
		"[$public_ipv6]:80":                  "[2001:db8::4]:80",
		"$private_ipv6":                      "",
		"a${private_ipv6}b":                  "ab",
		`\$public_ipv4`:                      "$public_ipv4",
		`\${public_ipv4}`:                    "${public_ipv4}",
		`\\$public_ipv4`:                     `\$public_ipv4`,
		`$public_ipv4\$public_ipv4`:          "1.2.3.4$public_ipv4",
		"$public_ipv4$private_ipv4":          "1.2.3.410.0.0.4",
		"$$public_ipv4":                      "$1.2.3.4",
		"$public_ipv4_old $public_ipv45":     "$public_ipv4_old $public_ipv45",
		"${public_ipv4":                      "${public_ipv4",
		"${public_ipv4:-x} $PUBLIC_IPV4 $ip": "${public_ipv4:-x} $PUBLIC_IPV4 $ip",
		"public_ipv4 $":                      "public_ipv4 $",
		"echo \"$public_ipv4\" >/tmp/x\n$y":  "echo \"1.2.3.4\" >/tmp/x\n$y",
	} {
		if got := expandText(in, vars, nil); got != want {
			t.Errorf("expandText(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	l := mustParse(t, "user-data", `
hostname: $public_ipv4
write_files: [{path: /a, content: "ip=${private_ipv4}\n"}, {path: /b, content: "$x"}]
rancher: {environment: {$public_ipv4: 1, A: 5, B: $public_ipv6}}
`)
	before := FormatYAML(l.Doc)
	got := Expand(l.Doc, map[string]string{"public_ipv4": "1.2.3.4", "private_ipv4": "10.0.0.4"})
	if diff := cmp.Diff(before, FormatYAML(l.Doc)); diff != "" {
		t.Errorf("the document itself changed:\n%s", diff)
	}
	const want = `hostname: 1.2.3.4
write_files:
  - path: /a
    content: "ip=10.0.0.4\n"
  - path: /b
    content: "$x"
rancher:
  environment:
    "$public_ipv4": 1
    A: 5
    B: ""
`
	if diff := cmp.Diff(want, FormatYAML(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if a, b := got.Child("hostname").Pos, l.Doc.Child("hostname").Pos; a != b || a.Line != 2 {
		t.Errorf("position %v became %v", b, a)
	}
	report := Unset(l.Doc, map[string]string{"public_ipv4": "1.2.3.4"})
	wantReport := "user-data.yml:3:35: warning: write_files[0].content: $private_ipv4 is empty: the datasource tells no such address\n" +
		"user-data.yml:4:51: warning: rancher.environment.B: $public_ipv6 is empty: the datasource tells no such address\n"
	if diff := cmp.Diff(wantReport, report.String()); diff != "" {
		t.Errorf("Unset (-want +got):\n%s", diff)
	}
}

// TestExpandLeavesTheRest: texts without the names are as they were, and
// documents without them are the same nodes.
func TestExpandLeavesTheRest(t *testing.T) {
	pieces := []string{"$", "{", "}", "\\", "ipv4", "public", "_", " ", "$x", "${HOME}", "public_ipv", "10.0.0.1", "\n", "ü"}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 7))
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		s := b.String()
		named := false
		for _, v := range Variables() {
			named = named || strings.Contains(s, v)
		}
		n := NewMap(Pos{}, Entry{Key: "a", Value: NewList(Pos{}, NewString(Pos{}, s))})
		if got := Expand(n, samples()); !named && got != n {
			t.Fatalf("%q became %q", s, got.Child("a").List[0].Text)
		}
	}
	if Expand(nil, nil) != nil {
		t.Error("nil became something")
	}
}
