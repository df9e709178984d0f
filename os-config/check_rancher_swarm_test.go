package osconfig

import (
	"strings"
	"testing"
)

const testToken = "SWMTKN-1-49nj1cmql0jkz5s954yi3oex3nedyz0fb0xx14ie39trti4wxv-8vxv8rssmk743ojnwacrr2e7c"

// TestSwarmAtBoot: a swarm that errors left without a half is not another
// swarm than the one that was asked for.
func TestSwarmAtBoot(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		on   bool
	}{
		"init":               {"{init: true}", true},
		"join":               {"{join: {remote: 10.0.0.5, token: " + testToken + "}}", true},
		"both":               {"{init: true, join: {remote: 10.0.0.5, token: " + testToken + "}}", false},
		"a damaged token":    {"{join: {remote: 10.0.0.5, token: SWMTKN-1-x}}", false},
		"no token":           {"{join: {remote: 10.0.0.5}}", false},
		"a remote of two":    {"{join: {remote: ['a b', 10.0.0.5], token: " + testToken + "}}", true},
		"an address is none": {"{init: true, advertise_addr: 0.0.0.0}", true},
		"turned off":         {"{join: {remote: [], token: " + testToken + "}}", false},
		"labels alone":       {"{labels: {a: b}}", false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, report := DecodeLenient(mustParse(t, "x", "rancher: {docker: {swarm: "+tc.text+"}}"))
			if got := cfg.Rancher.Docker.Swarm; got.On() != tc.on {
				t.Errorf("on %v: %+v\n%s", got.On(), got, report)
			}
		})
	}
}

// TestSwarmLayers: the token may come from another layer than the address.
func TestSwarmLayers(t *testing.T) {
	cfg, _, report := DecodeLenient(
		mustParse(t, "image", "rancher: {docker: {swarm: {join: {remote: [10.0.0.5]}}}}"),
		mustParse(t, "user", "rancher: {docker: {swarm: {join: {token: "+testToken+"}}}}"))
	if len(report) > 0 || !cfg.Rancher.Docker.Swarm.On() {
		t.Errorf("%+v\n%s", cfg.Rancher.Docker.Swarm, report)
	}
}

// TestTokenIsNotPrinted: neither what is wrong with it nor where it does not
// belong repeats a token.
func TestTokenIsNotPrinted(t *testing.T) {
	for _, text := range []string{"{join: {token: SWMTKN-1-hidden}}", "{join: SWMTKN-1-hidden}", "SWMTKN-1-hidden", "{join: {token: [SWMTKN-1-hidden]}}", "{token: SWMTKN-1-hidden}"} {
		l, report := Parse("x", "x", []byte("rancher: {docker: {swarm: "+text+"}}"))
		_, more := Decode(Merge(l))
		if report = append(report, more...); len(report) == 0 || strings.Contains(report.String(), "hidden") {
			t.Errorf("%s: %s", text, report)
		}
	}
}
