package setup

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func newCert(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCACerts(t *testing.T) {
	r := newRoom(t)
	own, mine, other := newCert(t), newCert(t), newCert(t)
	r.write(t, bundleFile, own)
	s := r.setup()
	steps := []struct {
		certs   osconfig.CACerts
		want    string
		problem string
	}{
		{osconfig.CACerts{}, own, ""},
		{osconfig.CACerts{Trusted: []string{"comment\n" + mine + other}}, own + mine + other, ""},
		{osconfig.CACerts{Trusted: []string{other, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}}, own + other, "ca_certs: trusted[1] is no certificate in PEM form"},
		{osconfig.CACerts{Trusted: []string{mine}, RemoveDefaults: true}, mine, ""},
		{osconfig.CACerts{}, own, ""},
	}
	for i, step := range steps {
		err := s.caCerts(step.certs)
		if step.problem == "" && err != nil || step.problem != "" && (err == nil || err.Error() != step.problem) {
			t.Errorf("step %d: %v", i, err)
		}
		if got := r.read(t, bundleFile); got != step.want {
			t.Errorf("step %d: bundle of %d bytes, want %d", i, len(got), len(step.want))
		}
	}
}

func TestRegistries(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/home/rancher/.docker/config.json", `{"credsStore": "x", "auths": {"kept.example.org": {"auth": "a"}}}`)
	s := r.setup()
	auths := map[string]osconfig.RegistryAuth{
		"docker.io":   {Username: "me", Password: "secret"},
		"example.org": {Auth: "dTpw", Email: "e@x"},
		"named":       {ServerAddress: "https://other.example.org", IdentityToken: "token"},
	}
	if err := s.registries(auths); err != nil {
		t.Fatal(err)
	}
	const entries = `		"example.org": {
			"auth": "dTpw",
			"email": "e@x"
		},
		"https://index.docker.io/v1/": {
			"auth": "bWU6c2VjcmV0"
		},
		"https://other.example.org": {
			"identitytoken": "token"
		}`
	if d := cmp.Diff("{\n\t\"auths\": {\n"+entries+"\n\t}\n}\n", r.read(t, "/root/.docker/config.json")); d != "" {
		t.Error(d)
	}
	want := "{\n\t\"auths\": {\n" + entries + ",\n\t\t\"kept.example.org\": {\n\t\t\t\"auth\": \"a\"\n\t\t}\n\t},\n\t\"credsStore\": \"x\"\n}\n"
	if d := cmp.Diff(want, r.read(t, "/home/rancher/.docker/config.json")); d != "" {
		t.Error(d)
	}
	info, err := os.Stat(r.path("/home/rancher/.docker/config.json"))
	if err != nil || info.Mode().Perm() != 0o600 || r.owned["/home/rancher/.docker/config.json"] != "1100:1100" || r.owned["/root/.docker"] != "0:0" {
		t.Errorf("%v, owners %v, %v", info.Mode(), r.owned, err)
	}
	s = r.setup() // of the next boot
	if err := s.registries(nil); err != nil {
		t.Fatal(err)
	}
	if got := r.read(t, "/home/rancher/.docker/config.json"); strings.Contains(got, "index.docker.io") || !strings.Contains(got, "kept.example.org") {
		t.Errorf("after they went: %s", got)
	}
	r.write(t, "/root/.docker/config.json", "{ not JSON")
	if err := s.registries(auths); err == nil || !strings.Contains(err.Error(), "registry_auths: /root/.docker/config.json: ") {
		t.Errorf("error %v", err)
	}
	if got := r.read(t, "/root/.docker/config.json"); got != "{ not JSON" {
		t.Errorf("overwritten: %q", got)
	}
	r.write(t, "/root/.docker/config.json", "null")
	if err := s.registries(auths); err != nil {
		t.Error(err)
	}
}

func TestTimezoneAndLocale(t *testing.T) {
	r := newRoom(t)
	r.write(t, "/usr/share/zoneinfo/Europe/Berlin", "TZif2")
	r.write(t, "/usr/share/zoneinfo/Etc/UTC", "TZif2")
	r.write(t, "/usr/share/zoneinfo/tzdata.zi", "# no zone")
	r.write(t, "/etc/environment", "PATH=/bin\nLANG=C.UTF-8\n")
	s := r.setup()
	apply := func(p Plan, problem, link string) {
		t.Helper()
		err := s.settings(p)
		if problem == "" && err != nil || problem != "" && (err == nil || err.Error() != problem) {
			t.Errorf("%q: %v", p.Timezone, err)
		}
		if got, _ := os.Readlink(r.path("/etc/localtime")); got != link {
			t.Errorf("%q: localtime is %q", p.Timezone, got)
		}
		s.plan = p
	}
	apply(Plan{}, "", "")
	apply(Plan{Timezone: "Europe/Berlin", Locale: "de_DE.UTF-8"}, "", "/usr/share/zoneinfo/Europe/Berlin")
	if got := r.read(t, "/etc/timezone"); got != "Europe/Berlin\n" {
		t.Errorf("timezone %q", got)
	}
	if d := cmp.Diff([]string{"locale de_DE.UTF-8 is not in the console; sessions have C.UTF-8"}, s.status.Notes); d != "" {
		t.Error(d)
	}
	apply(Plan{Timezone: "Europe/Nowhere"}, `timezone "Europe/Nowhere": the console knows no such zone`, "/usr/share/zoneinfo/Europe/Berlin")
	apply(Plan{Timezone: "../../../etc/passwd"}, `timezone "../../../etc/passwd": the console knows no such zone`, "/usr/share/zoneinfo/Europe/Berlin")
	r.write(t, "/usr/lib/locale/de_DE.utf8/LC_TIME", "")
	apply(Plan{Locale: "de_DE.UTF-8"}, "", "/usr/share/zoneinfo/Etc/UTC")
	if got := r.read(t, "/etc/environment"); got != "PATH=/bin\nLANG=de_DE.UTF-8\n" {
		t.Errorf("environment %q", got)
	}
	if got := r.read(t, "/etc/profile.d/50-pharos.sh"); !strings.Contains(got, "\nLANG='de_DE.UTF-8'\nexport LANG\n") {
		t.Errorf("profile %q", got)
	}
}

func TestHostKeysOfInstances(t *testing.T) {
	r := newRoom(t)
	key := func(instance string) string {
		t.Helper()
		keys, err := r.setup().hostKeyFiles(Plan{InstanceID: instance})
		if err != nil || len(keys) != 2 {
			t.Fatalf("%v, %v", keys, err)
		}
		return r.read(t, keys[0])
	}
	first := key("")
	for _, instance := range []string{"i-1", "", "i-1"} {
		if key(instance) != first {
			t.Errorf("other keys for %q", instance)
		}
	}
	second := key("i-2")
	if second == first || key("") != second {
		t.Error("a copy of the machine has its keys")
	}
	if key("i-1") == first {
		t.Error("old keys are kept")
	}
}

func TestGivenHostKeys(t *testing.T) {
	r := newRoom(t)
	own, err := r.setup().ensureKeys("")
	if err != nil {
		t.Fatal(err)
	}
	p := FromConfig(osconfig.Config{
		SSHKeys: map[string]string{"ed25519_private": r.read(t, own[0]), "ed25519_public": "ssh-ed25519 AAAA x", "rsa_private": "no key"},
		Rancher: osconfig.Rancher{SSH: osconfig.SSH{Keys: map[string]string{"ecdsa": r.read(t, own[1]), "ecdsa-pub": "ecdsa x"}}},
	}, "")
	s := r.setup()
	keys, err := s.hostKeyFiles(p)
	if err == nil || !strings.HasPrefix(err.Error(), "host key ssh_host_rsa_key of the configuration is left out: ") {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff([]string{keyGiven + "/ssh_host_ecdsa_key", keyGiven + "/ssh_host_ed25519_key"}, keys); d != "" {
		t.Error(d)
	}
	if info, err := os.Stat(r.path(keys[0])); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got := s.publicKey(p, "ed25519"); got != "ssh-ed25519 AAAA x" {
		t.Errorf("public key %q", got)
	}
	// None of the configuration's any more.
	if keys, err = s.hostKeyFiles(Plan{}); err != nil || keys[0] != own[0] || exists(r.path(keyGiven)) {
		t.Errorf("%v, %v", keys, err)
	}
}
