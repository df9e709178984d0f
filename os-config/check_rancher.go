package osconfig

import (
	"encoding/base64"
	"fmt"
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
		"akamai", "alibaba", "aliyun", "azure", "cloudstack", "cmdline", "config-drive", "configdrive", "digitalocean",
		"ec2", "equinix", "exoscale", "file", "fwcfg", "gce", "hetzner", "linode", "nocloud", "nocloud-net", "none",
		"openstack", "oracle", "packet", "proxmox", "scaleway", "url", "vmware", "vultr", "*",
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
