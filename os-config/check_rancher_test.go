package osconfig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// pairPEM makes a certificate and its key.
func pairPEM(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "box"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// said are the problems of a document that holds value at a path below
// rancher, and of what is not carried out yet nothing.
func said(t *testing.T, path string, value *Node) Report {
	t.Helper()
	keys := append([]string{"rancher"}, strings.Split(path, ".")...)
	_, report := Decode(Merge(NewLayer("x", "x", nested(Pos{File: "x", Line: 1, Col: 1}, value, keys...))))
	return slices.DeleteFunc(report, func(p Problem) bool { return p.Kind == Unsupported })
}

func TestEngineCertificates(t *testing.T) {
	cert, key := pairPEM(t)
	other, otherKey := pairPEM(t)
	text := func(s string) *Node { return NewString(Pos{}, s) }
	docker := func(ca, cert, key string) *Node {
		return NewMap(Pos{}, Entry{Key: "tls", Value: ResolvePlain(Pos{}, "true")}, Entry{Key: "ca_cert", Value: text(ca)},
			Entry{Key: "server_cert", Value: text(cert)}, Entry{Key: "server_key", Value: text(key)})
	}
	for _, tt := range []struct{ ca, cert, key, want string }{
		{other, cert, key, ""},
		{other + cert, cert, key, ""},
		{other, cert, otherKey, "it is not the key of server_cert"},
		{key, cert, key, "this is a private key, not a certificate"},
		{other, cert, cert, "this is a certificate, not a private key"},
	} {
		report := said(t, "docker", docker(tt.ca, tt.cert, tt.key))
		if (tt.want == "") != (len(report) == 0) || !strings.Contains(report.String(), tt.want) {
			t.Errorf("want %q, got %s", tt.want, report)
		}
		if strings.Contains(report.String(), "BEGIN PRIVATE") {
			t.Error("a key is printed")
		}
	}
	alone := NewMap(Pos{}, Entry{Key: "server_cert", Value: text(cert)})
	if report := said(t, "docker", alone); !strings.Contains(report.String(), "server_key is missing") {
		t.Errorf("a certificate alone: %s", report)
	}
}

func TestHostKeyTexts(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, another, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(k ed25519.PrivateKey) string {
		block, err := ssh.MarshalPrivateKey(k, "")
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(block))
	}
	pub, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	line := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(pub)))
	keys := func(private, public string) *Node {
		return NewMap(Pos{}, Entry{Key: "ed25519", Value: NewString(Pos{}, private)}, Entry{Key: "ed25519-pub", Value: NewString(Pos{}, public)})
	}
	for _, tt := range []struct{ private, public, want string }{
		{encode(private), line, ""},
		{encode(another), line, "it does not belong to ed25519-pub"},
		{line, line, "its place is ed25519-pub"},
		{encode(private), encode(private), "its place is ed25519"},
		{encode(private)[:60], line, "damaged"},
	} {
		report := said(t, "ssh.keys", keys(tt.private, tt.public))
		if (tt.want == "") != (len(report) == 0) || !strings.Contains(report.String(), tt.want) {
			t.Errorf("want %q, got %s", tt.want, report)
		}
	}
}

// TestVariablesBeforeExpansion: a file is checked before anybody knows the
// machine's addresses.
func TestVariablesBeforeExpansion(t *testing.T) {
	for path, value := range map[string]string{
		"network.interfaces.eth0.address":      "$private_ipv4/24",
		"network.interfaces.eth0.gateway":      "${public_ipv4}",
		"network.interfaces.eth0.gateway_ipv6": "$public_ipv6",
		"network.http_proxy":                   "http://$private_ipv4:3128",
		"ssh.listen_address":                   "$private_ipv6",
		"docker.insecure_registry":             "$public_ipv4:5000",
	} {
		n := NewString(Pos{}, value)
		if path == "docker.insecure_registry" {
			n = NewList(Pos{}, n)
		}
		if report := said(t, path, n); report.HasErrors() {
			t.Errorf("%s: %s: %s", path, value, report)
		}
	}
	report := said(t, "docker.host", NewList(Pos{}, NewString(Pos{}, "tcp://$private_ipv4:2375")))
	if report.HasErrors() || !strings.Contains(report.String(), "tcp://$private_ipv4:2375") {
		t.Errorf("%s", report)
	}
	for path, value := range map[string]string{
		"network.interfaces.eth0.address": "$private_ipv4",
		"network.interfaces.eth0.gateway": "$private_ipv6",
		"ssh.listen_address":              "$private_ipv4_old",
	} {
		report := said(t, path, NewString(Pos{}, value))
		if !report.HasErrors() || !strings.Contains(report.String(), value) {
			t.Errorf("%s: %s: %s", path, value, report)
		}
	}
}

// TestSecrets: every key below rancher that holds a secret is left out of
// exports, and only those.
func TestSecrets(t *testing.T) {
	var got []string
	for _, p := range allPaths() {
		if strings.HasPrefix(p, "rancher.") && isSecret(p) && !strings.HasPrefix(p, "rancher.defaults.") {
			got = append(got, p)
		}
	}
	want := []string{
		"rancher.network.interfaces.*.private_key", "rancher.network.interfaces.*.peers[].preshared_key",
		"rancher.network.wifi_networks.*.psk", "rancher.network.wifi_networks.*.private_key_passwds",
		"rancher.network.wifi_networks.*.password", "rancher.docker.server_key", "rancher.docker.ca_key",
		"rancher.docker.swarm.join.token", "rancher.ssh.keys",
		"rancher.registry_auths.*.auth", "rancher.registry_auths.*.password", "rancher.registry_auths.*.identitytoken",
		"rancher.registry_auths.*.registrytoken", "rancher.password",
	}
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("secrets: %s", strings.Join(got, "\n"))
	}
	l := mustParse(t, "x", `
rancher:
  registry_auths: {"r.example:5000": {username: robot, password: hidden}}
  network:
    interfaces: {wg0: {type: wireguard, private_key: hidden, peers: [{public_key: open, preshared_key: hidden}]}}
    wifi_networks: {a.b: {ssid: open, psk: hidden, private_key_passwds: [hidden]}}
  docker: {swarm: {join: {token: hidden}}}
  defaults: {docker: {server_key: hidden}}
  ssh: {keys: {rsa: hidden}}
`)
	if out := Merge(l).Export(true, false); strings.Contains(out, "hidden") || strings.Count(out, "open") != 2 {
		t.Errorf("export:\n%s", out)
	}
}

// TestEveryTextIsChecked: every text below rancher has a rule, or is listed
// here as free.
func TestEveryTextIsChecked(t *testing.T) {
	free := strings.Fields(`network.interfaces.*.wifi_network network.wifi_networks.*.private_key_passwds[]
		docker.log_opts registry_auths.*.email registry_auths.*.identitytoken registry_auths.*.registrytoken
		services.*.log_opt services.*.volume_driver`)
	known := rules(nil, time.Now())
	for _, p := range textPaths() {
		short := strings.TrimPrefix(p, "rancher.")
		r, ok := known[p]
		if !ok {
			r, ok = known[strings.TrimSuffix(p, ".*")]
		}
		if !ok && strings.HasSuffix(p, "[]") {
			_, ok = known[strings.TrimSuffix(p, "[]")]
		}
		if !ok && !slices.Contains(free, strings.TrimSuffix(short, ".*")) && !strings.HasPrefix(p, "rancher.network.interfaces.*.routes[].") &&
			!strings.HasPrefix(p, "rancher.network.rules[].") {
			t.Errorf("%s has no rule (%v)", p, r.check == nil)
		}
	}
}

// textPaths are the places below rancher where texts stand, defaults left
// out: they have the rules of what they stand for.
func textPaths() []string {
	var out []string
	var walk func(typ reflect.Type, at string)
	walk = func(typ reflect.Type, at string) {
		switch {
		case typ == reflect.TypeFor[Command](), at == "rancher.defaults":
		case isSection(typ):
			for _, f := range fieldsOf(typ) {
				walk(f.typ, join(at, f.name))
			}
		case typ.Kind() == reflect.Pointer:
			walk(typ.Elem(), at)
		case typ.Kind() == reflect.Map:
			walk(typ.Elem(), join(at, "*"))
		case typ.Kind() == reflect.Slice:
			walk(typ.Elem(), at+"[]")
		case typ.Kind() == reflect.String:
			out = append(out, at)
		}
	}
	walk(reflect.TypeFor[Rancher](), "rancher")
	return out
}

// TestSchedules are the forms of cron.schedule.
func TestSchedules(t *testing.T) {
	for s, want := range map[string]string{
		"@hourly": "", "@every 1h30m": "", "0 */5 * * * *": "", "0 0 3 * * MON-FRI": "", "TZ=UTC 0 0 0 1 1 *": "", "CRON_TZ=UTC @daily": "",
		"*/5 * * * *": "write \"0 */5 * * * *\"", "": "no schedule", "TZ=0": "no schedule", "TZ=": "no schedule", "TZ=UTC ": "no schedule",
		"@every": "no schedule", "60 * * * * *": "no schedule", "* * * * * * *": "no schedule", "0 0 0 */0 * *": "no schedule",
	} {
		got := schedule(s)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("schedule(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1024": 1024, "1k": 1 << 10, "64m": 64 << 20, "64MB": 64 << 20, "64MiB": 64 << 20, "2g": 2 << 30, "1.5g": 3 << 29, "1t": 1 << 40, "5b": 5,
	} {
		if got, ok := bytesOf(s); !ok || got != want {
			t.Errorf("bytesOf(%q) = %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "m", "-1", "1e9", "NaN", "inf", "1 gig", "9999999999999t", "0x10", "1mm"} {
		if got, ok := bytesOf(s); ok {
			t.Errorf("bytesOf(%q) = %d", s, got)
		}
	}
}

func TestImageNames(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	for _, s := range []string{
		"a", "busybox:1.37", "library/nginx", "ghcr.example.net/a/b_c/d--e:v1", "localhost/a", "localhost:5000/a:b", "10.0.0.1:5000/a",
		"[fd00::1]:5000/a", "a@" + digest, "r.example/a:b@" + digest, "a__b/c.d",
	} {
		if problem := imageName(s); problem != "" {
			t.Errorf("%s: %s", s, problem)
		}
	}
	for _, s := range []string{
		"", ":", "a:", "/a", "a/", "a//b", "A", "a/B", "-a", "a-", "a..b", "a___b", "a:b:c", "a@sha256:00", "a@", "http://a/b", "a b", "a:b c",
		"r.example:port/a", fmt.Sprintf("a:%0200d", 1),
	} {
		if imageName(s) == "" {
			t.Errorf("%q is an image", s)
		}
	}
}
