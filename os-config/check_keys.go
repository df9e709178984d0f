package osconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Checks of SSH keys and certificates.

func authorizedKey(n *Node) []finding {
	s := strings.TrimSpace(n.Text)
	switch {
	case s == "":
		return wrong("an empty key")
	case strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY"):
		return wrong("this is a private key; put the public one here (the file that ends in .pub), and make a new pair")
	case strings.HasPrefix(s, "-----BEGIN"), strings.HasPrefix(s, "---- BEGIN"):
		return wrong("this is not the format of OpenSSH; ssh-keygen -i -f FILE converts it")
	case strings.ContainsAny(s, "\n\r"):
		return wrong("more than one line; each entry is one key")
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	if err != nil {
		return wrong(fmt.Sprintf("%s is no OpenSSH public key%s", quote(s), keyFault(s)))
	}
	if key.Type() == "ssh-dss" {
		return doubtful("a DSA key; OpenSSH does not accept these any more")
	}
	return nil
}

// keyFault guesses why a key does not parse.
func keyFault(s string) string {
	fields := strings.Fields(s)
	i := slices.IndexFunc(fields, func(f string) bool {
		return matches(`(ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9-]+(@openssh\.com)?`, f)
	})
	switch {
	case i < 0:
		return ": it names no key type (ssh-ed25519 …)"
	case i+1 >= len(fields):
		return ": nothing follows the key type"
	}
	if _, err := base64.StdEncoding.DecodeString(fields[i+1]); err != nil {
		return ": its base64 is damaged or cut short"
	}
	return ""
}

// hostKeyName checks a key of ssh_keys, like ed25519_private.
func hostKeyName(key string, _ *Node) string {
	kind, part, ok := strings.Cut(key, "_")
	known := slices.Contains([]string{"rsa", "ecdsa", "ed25519"}, kind)
	switch {
	case kind == "dsa":
		return "DSA keys are gone from OpenSSH; leave it out"
	case ok && known && (part == "private" || part == "public" || part == "certificate"):
		return ""
	case known && part == "":
		return fmt.Sprintf("%s is half a name: %s_private or %s_public", quote(key), kind, kind)
	}
	return fmt.Sprintf("%s is no host key: rsa_private, rsa_public, ecdsa_private, ecdsa_public, ed25519_private, ed25519_public", quote(key))
}

// hostKeys checks the host keys in ssh_keys. It never repeats them.
func hostKeys(n *Node) []finding {
	var out found
	public := map[string]ssh.PublicKey{}
	for _, e := range n.Map {
		kind, part, _ := strings.Cut(e.Key, "_")
		if e.Value.IsNull() || hostKeyName(e.Key, nil) != "" || part == "private" {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(e.Value.Text))
		switch {
		case strings.Contains(e.Value.Text, "PRIVATE KEY"):
			out.wrong(e.Key, fmt.Sprintf("this is a private key; its place is %s_private", kind))
		case err != nil:
			out.wrong(e.Key, "no OpenSSH public key: TYPE BASE64 [COMMENT]")
		case part == "public" && keyKind(key) != kind:
			out.wrong(e.Key, fmt.Sprintf("a key of the type %s", key.Type()))
		case part == "public":
			public[kind] = key
		}
	}
	for _, e := range n.Map {
		kind, part, _ := strings.Cut(e.Key, "_")
		if e.Value.IsNull() || hostKeyName(e.Key, nil) != "" || part != "private" {
			continue
		}
		out.wrong(e.Key, privateKey(e.Value.Text, kind, public[kind]))
	}
	for _, e := range n.Map {
		kind, part, _ := strings.Cut(e.Key, "_")
		if part == "public" && n.Child(kind+"_private").IsNull() && hostKeyName(e.Key, nil) == "" {
			out.doubtful(e.Key, fmt.Sprintf("it has no effect without %s_private", kind))
		}
	}
	return out
}

func privateKey(text, kind string, public ssh.PublicKey) string {
	if strings.HasPrefix(strings.TrimSpace(text), "ssh-") {
		return fmt.Sprintf("this is a public key; its place is %s_public", kind)
	}
	raw, err := ssh.ParseRawPrivateKey([]byte(text))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return "the key has a passphrase; sshd could not read it (ssh-keygen -p takes it away)"
	case err != nil && !strings.Contains(text, "-----BEGIN"):
		return "no private key: it has no line -----BEGIN … PRIVATE KEY-----"
	case err != nil && !strings.Contains(strings.TrimSpace(text), "\n"):
		return "a private key in one line; keep its lines, with \"|\" after the key's name"
	case err != nil:
		return "a private key that is damaged or cut short"
	}
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return "a private key of a type that SSH does not know"
	}
	if keyKind(signer.PublicKey()) != kind {
		return fmt.Sprintf("a key of the type %s", signer.PublicKey().Type())
	}
	if public != nil && !bytes.Equal(public.Marshal(), signer.PublicKey().Marshal()) {
		return fmt.Sprintf("it does not belong to %s_public", kind)
	}
	return ""
}

// keyKind is the type of a key as ssh_keys calls it.
func keyKind(k ssh.PublicKey) string {
	switch t := k.Type(); {
	case t == ssh.KeyAlgoRSA:
		return "rsa"
	case t == ssh.KeyAlgoED25519:
		return "ed25519"
	case strings.HasPrefix(t, "ecdsa-"):
		return "ecdsa"
	}
	return ""
}

// certificates checks PEM text with one certificate or more.
func certificates(now time.Time) func(n *Node) []finding {
	return func(n *Node) []finding {
		rest, count := []byte(n.Text), 0
		var out found
		for {
			block, after := pem.Decode(rest)
			if block == nil {
				break
			}
			rest, count = after, count+1
			if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
				out.wrong("", certificateInstead(block.Type))
				continue
			}
			out = append(out, certificate(block.Bytes, count, now)...)
		}
		text := strings.TrimSpace(n.Text)
		switch {
		case count == 0 && strings.HasPrefix(text, "/"):
			out.wrong("", "a path; put the certificate itself here, in PEM form")
		case count == 0 && strings.Contains(text, "-----BEGIN") && !strings.Contains(text, "\n"):
			out.wrong("", "a certificate in one line; keep its lines, with \"|\" after the dash")
		case count == 0 && strings.Contains(text, "-----BEGIN"):
			out.wrong("", "a damaged certificate: its lines or its base64 are cut short")
		case count == 0:
			out.wrong("", "no certificate in PEM form: it begins with a line -----BEGIN CERTIFICATE-----")
		case strings.Contains(string(rest), "-----BEGIN"):
			out.wrong("", fmt.Sprintf("a damaged certificate after number %d: its lines or its base64 are cut short", count))
		}
		return out
	}
}

func certificateInstead(kind string) string {
	if strings.Contains(kind, "PRIVATE KEY") {
		return "a private key; only certificates belong here, and that key is not secret any more"
	}
	return fmt.Sprintf("a block of the type %s; only certificates belong here", quote(kind))
}

func certificate(der []byte, count int, now time.Time) []finding {
	c, err := x509.ParseCertificate(der)
	var out found
	switch {
	case err != nil:
		out.wrong("", fmt.Sprintf("certificate %d does not parse: %v", count, err))
	case now.After(c.NotAfter):
		out.doubtful("", fmt.Sprintf("the certificate of %s has expired on %s", quote(c.Subject.String()), c.NotAfter.Format(time.DateOnly)))
	case !c.IsCA:
		out.doubtful("", fmt.Sprintf("the certificate of %s is not that of an authority; what it signed is not trusted", quote(c.Subject.String())))
	}
	return out
}

func trustSection(n *Node) []finding {
	var out found
	if saysYes(n.Child("remove_defaults")) && len(childList(n, "trusted")) == 0 {
		out.doubtful("remove_defaults", "without trusted nothing is trusted any more: no https works")
	}
	return out
}
