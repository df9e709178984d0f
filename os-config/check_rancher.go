package osconfig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// Checks of rancher.* beside the network and services.

// datasourceEntry checks one entry of datasources, "type[:place]".
func datasourceEntry(n *Node) []finding {
	kind, place, placed := strings.Cut(n.Text, ":")
	known := []string{
		"aliyun", "azure", "cloudstack", "cmdline", "configdrive", "digitalocean", "ec2", "equinix", "exoscale", "file",
		"fwcfg", "gce", "hetzner", "linode", "nocloud", "none", "openstack", "oracle", "packet", "proxmox", "scaleway",
		"url", "vmware", "vultr", "*",
	}
	switch {
	case kind == "tftp":
		return doubtful("datasource tftp is not supported; it has no effect: use url:http://…")
	case !slices.Contains(known, kind):
		return wrong(fmt.Sprintf("%s is no datasource%s", quote(kind), nearest(kind, known)))
	case kind == "file":
		if place == "" {
			return wrong("the path is missing; write file:/PATH")
		}
		return wrong(absolutePath(place))
	case kind == "url" && place == "":
		return wrong("the address is missing; write url:https://HOST/PATH")
	case kind == "url":
		return wrong(webURL(place))
	case placed && place == "":
		return doubtful(fmt.Sprintf("nothing after %s:", kind))
	}
	return nil
}

// upgradeURL checks where the list of releases is: a URL, or a file.
func upgradeURL(s string) string {
	if s == "" {
		return ""
	}
	if strings.HasPrefix(s, "/") {
		return absolutePath(s)
	}
	return webURL(s)
}

// consoleName checks a name of a console, or where its definition is.
func consoleName(s string) string {
	if s == "" {
		return ""
	}
	return serviceName(s, nil)
}

func repositoryName(key string, _ *Node) string { return serviceWord(key) }

func registryAddress(s string) string {
	if s == "" {
		return ""
	}
	return registryName(s, nil)
}

func stateDisk(s string) string {
	if !strings.HasPrefix(s, "/dev/") {
		return fmt.Sprintf("%s is no disk, like /dev/sda", quote(s))
	}
	return absolutePath(s)
}

// registryName checks a key of registry_auths: HOST[:PORT], or the URL that
// Docker's own registry goes by.
func registryName(key string, _ *Node) string {
	if strings.Contains(key, "://") {
		return webURL(key)
	}
	host, _, _ := strings.Cut(key, "/")
	return registry(host)
}

// registryCredentials checks auth.
func registryCredentials(s string) string {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	switch {
	case s == "":
		return ""
	case err != nil && strings.Contains(s, ":"):
		return "it is not encoded; write what printf %s USER:PASSWORD | base64 says, or use username and password"
	case err != nil:
		return "it is no base64; write what printf %s USER:PASSWORD | base64 says"
	}
	user, _, ok := strings.Cut(string(raw), ":")
	if !ok || user == "" || !utf8.Valid(raw) {
		return "it holds no USER:PASSWORD; write what printf %s USER:PASSWORD | base64 says"
	}
	if strings.ContainsAny(string(raw), "\n\r") {
		return "it holds a line break; printf %s, not echo, leaves it out"
	}
	return ""
}

// hostKeyPart checks a key of rancher.ssh.keys: TYPE or TYPE-pub.
func hostKeyPart(key string, _ *Node) string {
	kind := strings.TrimSuffix(key, "-pub")
	known := []string{"rsa", "dsa", "ecdsa", "ed25519"}
	if slices.Contains(known, kind) {
		return ""
	}
	other := strings.NewReplacer("_private", "", "_public", "-pub", "_", "-").Replace(key)
	if slices.Contains(known, strings.TrimSuffix(other, "-pub")) {
		return fmt.Sprintf("%s is written %s here", quote(key), other)
	}
	return fmt.Sprintf("%s is no host key: rsa, rsa-pub, ecdsa, ecdsa-pub, ed25519, ed25519-pub", quote(key))
}

// hostKeyTexts checks the values of rancher.ssh.keys.
func hostKeyTexts(n *Node) []finding {
	var out found
	for _, e := range n.Map {
		if e.Value.IsNull() || !e.Value.Scalar() || hostKeyPart(e.Key, nil) != "" {
			continue
		}
		kind, public := strings.CutSuffix(e.Key, "-pub")
		switch {
		case kind == "dsa":
			out.doubtful(e.Key, "DSA keys are gone from OpenSSH; it has no effect")
		case public:
			out.wrong(e.Key, publicHostKey(kind, e.Value.Text))
		default:
			var pair ssh.PublicKey
			if pub := n.Child(kind + "-pub"); pub != nil {
				pair, _, _, _, _ = ssh.ParseAuthorizedKey([]byte(pub.Text))
			}
			text := privateKey(e.Value.Text, kind, pair)
			out.wrong(e.Key, strings.NewReplacer(kind+"_public", kind+"-pub", kind+"_private", kind).Replace(text))
		}
	}
	return out
}

func publicHostKey(kind, s string) string {
	if strings.Contains(s, "PRIVATE KEY") {
		return fmt.Sprintf("this is a private key; its place is %s", kind)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	switch {
	case err != nil:
		return "no OpenSSH public key: TYPE BASE64 [COMMENT]"
	case keyKind(key) != kind:
		return fmt.Sprintf("a key of the type %s", key.Type())
	}
	return ""
}

// certificatePEM checks one or more certificates in PEM form.
func certificatePEM(s string) string {
	rest, found := []byte(s), false
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && found:
			return ""
		case block == nil:
			return "no certificate in PEM form: it begins with -----BEGIN CERTIFICATE-----"
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return "this is a private key, not a certificate"
		case block.Type != "CERTIFICATE":
			return fmt.Sprintf("%s instead of a certificate", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "a damaged certificate"
		}
		found = true
	}
}

// keyPEM checks a private key in PEM form. It never repeats it.
func keyPEM(s string) string {
	block, _ := pem.Decode([]byte(s))
	switch {
	case block == nil:
		return "no private key in PEM form: it begins with -----BEGIN … PRIVATE KEY-----"
	case block.Type == "CERTIFICATE":
		return "this is a certificate, not a private key"
	case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return fmt.Sprintf("%s instead of a private key", block.Type)
	case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
		return "the key is encrypted; nobody can type its password at boot"
	}
	_, err1 := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, err2 := x509.ParsePKCS1PrivateKey(block.Bytes)
	_, err3 := x509.ParseECPrivateKey(block.Bytes)
	if err1 != nil && err2 != nil && err3 != nil {
		return "a damaged private key"
	}
	return ""
}

// engineConflicts looks at the engine's options of a whole document.
func engineConflicts(n *Node) []finding {
	var out []finding
	set := func(key string) bool { c := n.Child(key); return !c.IsNull() && c.Text != "" }
	say := func(severity Severity, key, text string) {
		out = append(out, finding{severity: severity, kind: Conflict, key: key, text: text})
	}
	if set("bridge") && set("bip") {
		say(Error, "bip", "bridge is set too; Docker takes one of the two")
	}
	if !saysYes(n.Child("tls")) {
		if set("tls_args") {
			say(Warning, "tls_args", "they have no effect without tls: true")
		}
		for _, host := range items(n.Child("host")) {
			if openToAll(host.Text) {
				out = append(out, finding{severity: Warning, kind: Value, key: "host", node: host, text: fmt.Sprintf(
					"whoever reaches %s is root on this machine; set tls: true, or listen on 127.0.0.1", quote(host.Text))})
			}
		}
	}
	return append(out, enginePair(n, set)...)
}

// enginePair looks at the certificates and keys of the engine together.
func enginePair(n *Node, set func(string) bool) []finding {
	var missing []string
	for _, key := range []string{"ca_cert", "server_cert", "server_key"} {
		if !set(key) {
			missing = append(missing, key)
		}
	}
	conflict := func(severity Severity, key, text string) []finding {
		return []finding{{severity: severity, kind: Conflict, key: key, text: text}}
	}
	tlsOn := saysYes(n.Child("tls"))
	switch {
	case tlsOn && len(missing) > 0:
		return conflict(Warning, "tls", fmt.Sprintf("%s missing: ros tls generate makes them", listed(missing)))
	case set("server_cert") != set("server_key"):
		have, lack := "server_cert", "server_key"
		if set(lack) {
			have, lack = lack, have
		}
		return conflict(Error, have, fmt.Sprintf("%s is missing", lack))
	case !set("server_cert") || certificatePEM(textAt(n, "server_cert")) != "" || keyPEM(textAt(n, "server_key")) != "":
		return nil
	}
	if _, err := tls.X509KeyPair([]byte(textAt(n, "server_cert")), []byte(textAt(n, "server_key"))); err != nil {
		return conflict(Error, "server_key", "it is not the key of server_cert")
	}
	return nil
}

// listed is "a, b and c are" or "a is".
func listed(words []string) string {
	if len(words) == 1 {
		return words[0] + " is"
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last] + " are"
}

// openToAll says whether a socket of the engine is one that others reach.
func openToAll(s string) bool {
	rest, ok := strings.CutPrefix(s, "tcp://")
	if !ok {
		return false
	}
	host := rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host = rest[:i]
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err != nil || !a.IsLoopback()
}

// items are the values of a list, or a single value that stands for one.
func items(n *Node) []*Node {
	switch {
	case n.IsNull():
		return nil
	case n.Scalar():
		return []*Node{n}
	}
	return slices.DeleteFunc(slices.Clone(n.List), func(i *Node) bool { return i.IsNull() || !i.Scalar() })
}

// engineName says which engines there are.
func engineName(n *Node) []finding {
	if n.Text == "" || n.Text == "docker" {
		return nil
	}
	return []finding{{severity: Warning, kind: Unsupported, text: fmt.Sprintf(
		"not carried out yet: %s is not used, the engine is the docker of this version", quote(n.Text))}}
}
