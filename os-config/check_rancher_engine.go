package osconfig

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"strings"
)

// Checks of rancher.docker beside those of its single values.

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
		for i, host := range items(n.Child("host")) {
			if openToAll(host.Text) {
				out = append(out, finding{severity: Warning, kind: Value, key: fmt.Sprintf("host[%d]", i), node: host, text: fmt.Sprintf(
					"whoever reaches %s is root on this machine; set tls: true, or listen on 127.0.0.1", quote(host.Text))})
			}
		}
	}
	out = append(out, swarmConflicts(n)...)
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
		return conflict(Warning, "tls", fmt.Sprintf("%s missing: make them with openssl, as for any TLS server", listed(missing)))
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

// engineName says which engines there are.
func engineName(n *Node) []finding {
	if n.Text == "" || n.Text == "docker" {
		return nil
	}
	return []finding{{severity: Warning, kind: Unsupported, text: fmt.Sprintf(
		"not carried out yet: %s is not used, the engine is the docker of this version", quote(n.Text))}}
}
