package wifi

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Config renders wpa_supplicant.conf(5) for a link that is to join one
// network. Errors hold no secrets.
//
// A pass phrase is turned into the key that it stands for (IEEE 802.11i, H.4):
// wpa_supplicant's parser takes some of its characters for its own. Other
// texts are written in hex when they have such characters.
func Config(w osconfig.WifiNetwork) (string, error) {
	if w.SSID == "" {
		return "", errors.New("ssid is missing: the name of the network")
	}
	c := &config{}
	c.text("ssid", w.SSID)
	c.number("scan_ssid", w.ScanSSID)
	c.number("priority", w.Priority)
	keys := strings.Fields(strings.ToUpper(w.KeyMgmt))
	if len(keys) == 0 && w.PSK == "" && w.EAP == "" {
		keys = []string{"NONE"} // the program's own default is a network with a key
	}
	c.words("key_mgmt", strings.Join(keys, " "))
	if err := c.key(w, keys); err != nil {
		return "", err
	}
	c.words("pairwise", w.Pairwise)
	c.words("group", w.Group)
	c.words("eap", w.EAP)
	c.text("identity", w.Identity)
	c.text("anonymous_identity", w.AnonymousIdentity)
	c.text("password", w.Password)
	c.paths("ca_cert", w.CACerts)
	c.paths("client_cert", w.ClientCerts)
	c.paths("private_key", w.PrivateKeys)
	for i, s := range w.PrivateKeyPasswds {
		c.text(numbered("private_key", i)+"_passwd", s)
	}
	c.phases(w.Phases)
	c.words("eapol_flags", w.EAPOLFlags)
	return c.result()
}

// head begins a configuration. For Wi-Fi Direct, which nobody here uses, the
// program would add an interface of its own beside that of each radio.
const head = "# Written by rosd from rancher.network.wifi_networks.\np2p_disabled=1\nnetwork={\n\t"

// config collects lines. What is wrong is collected, too.
type config struct {
	lines []string
	errs  []error
}

func (c *config) result() (string, error) {
	if err := errors.Join(c.errs...); err != nil {
		return "", err
	}
	return head + strings.Join(c.lines, "\n\t") + "\n}\n", nil
}

func (c *config) add(name, value string) { c.lines = append(c.lines, name+"="+value) }

func (c *config) number(name string, n int) {
	if n != 0 {
		c.add(name, fmt.Sprint(n))
	}
}

// words are names and numbers, which are never quoted.
func (c *config) words(name, s string) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), " "))
	switch {
	case s == "":
	case strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789- ") != "":
		c.errs = append(c.errs, fmt.Errorf("%s: only names with spaces between", name))
	default:
		c.add(name, s)
	}
}

// text is any text: quoted, or in hex if the parser could take something in
// it for its own.
func (c *config) text(name, s string) {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._@:/=,+-"
	switch {
	case s == "":
	case strings.Trim(s, plain) == "":
		c.add(name, `"`+s+`"`)
	default:
		c.add(name, hex.EncodeToString([]byte(s)))
	}
}

// key is what the network is protected by.
func (c *config) key(w osconfig.WifiNetwork, keys []string) error {
	const keyLength, rounds = 32, 4096 // bytes; of IEEE 802.11i
	uses := func(kind string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, kind) })
	}
	raw, err := hex.DecodeString(w.PSK)
	isKey := err == nil && len(raw) == keyLength
	switch {
	case w.PSK == "":
	case isKey:
		c.add("psk", strings.ToLower(w.PSK))
	case len(w.PSK) < 8 || len(w.PSK) > 63:
		return fmt.Errorf("psk: %d characters; a pass phrase has 8 to 63, a key 64 hex digits", len(w.PSK))
	default:
		k, err := pbkdf2.Key(sha1.New, w.PSK, []byte(w.SSID), rounds, keyLength)
		if err != nil {
			return fmt.Errorf("psk: %w", err)
		}
		c.add("psk", hex.EncodeToString(k))
	}
	if uses("SAE") { // WPA3 has no use for the derived key
		if isKey {
			return errors.New("psk: SAE needs the pass phrase, not the key")
		}
		c.text("sae_password", w.PSK)
	}
	// Protected management frames: WPA3, OWE and Suite B require them, others
	// may have them where a network takes both kinds of clients.
	if uses("SAE") || uses("OWE") || uses("SUITE-B") {
		demanded := 2
		if slices.ContainsFunc(keys, func(k string) bool { return strings.HasSuffix(k, "PSK") || k == "WPA-EAP" }) {
			demanded = 1
		}
		c.number("ieee80211w", demanded)
	}
	return nil
}

// numbered is the name of the key for the certificate at an index: inner
// authentication has a second one.
func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return fmt.Sprintf("%s%d", name, i+1)
}

func (c *config) paths(name string, list []string) {
	for i, s := range list {
		if _, ok := visible(s); !ok {
			c.errs = append(c.errs, fmt.Errorf("%s: %s is not seen by the Wi-Fi service: put certificates and keys into a directory below /opt, /var or /home", name, s))
			continue
		}
		c.text(numbered(name, i), s)
	}
}

// visible is the directory of a file, if the service can be given it.
func visible(file string) (dir string, ok bool) {
	dir = path.Dir(path.Clean(file))
	for _, root := range []string{"/opt/", "/var/", "/home/"} {
		if strings.HasPrefix(dir, root) {
			return dir, true
		}
	}
	return "", false
}

// phases are RancherOS's: the settings of phase 1, then those of phase 2; a
// text may begin with the key itself.
func (c *config) phases(list []string) {
	for i, s := range list {
		name := fmt.Sprintf("phase%d", i+1)
		if key, value, ok := strings.Cut(s, "="); ok && (key == "phase1" || key == "phase2") {
			name, s = key, strings.Trim(value, `"`)
		}
		if name != "phase1" && name != "phase2" {
			c.errs = append(c.errs, errors.New("phases: there are two"))
			continue
		}
		c.text(name, s)
	}
}

// Directories are those of the certificates and keys that networks name,
// sorted. The service gets to see these and no others.
func Directories(networks map[string]osconfig.WifiNetwork) []string {
	var out []string
	for _, w := range networks {
		for _, file := range slices.Concat(w.CACerts, w.ClientCerts, w.PrivateKeys) {
			if dir, ok := visible(file); ok {
				out = append(out, dir)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
