package osconfig

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxContent bounds the decoded content of one file.
const maxContent = 16 << 20

// DecodeContent returns the bytes of a file of write_files.
func (f File) DecodeContent() ([]byte, error) {
	data := []byte(f.Content)
	var unzip, unbase bool
	switch f.Encoding {
	case "", "text", "text/plain":
		return data, nil
	case "b64", "base64":
		unbase = true
	case "gz", "gzip":
		unzip = true
	case "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
		unbase, unzip = true, true
	default:
		return nil, fmt.Errorf("encoding %q", f.Encoding)
	}
	if unbase {
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(f.Content), ""))
		if err != nil {
			return nil, fmt.Errorf("base64: %w", err)
		}
		data = raw
	}
	if unzip {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		data, err = io.ReadAll(io.LimitReader(z, maxContent+1))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		if len(data) > maxContent {
			return nil, fmt.Errorf("more than %d bytes unpacked", maxContent)
		}
	}
	return data, nil
}

// text makes binary content, which only !!binary can give, base64: so the
// Config is text throughout and can be handed on as JSON.
func (f File) text() File {
	if utf8.ValidString(f.Content) {
		return f
	}
	switch f.Encoding {
	case "gz", "gzip":
		f.Encoding = "gz+b64"
	default:
		f.Encoding = "b64"
	}
	f.Content = base64.StdEncoding.EncodeToString([]byte(f.Content))
	return f
}

// maxContents bounds the decoded content of all files together. An alias
// makes a large file many times over for a few bytes each.
const maxContents = 4 * maxContent

// fileEntry checks one entry of write_files after the other.
func fileEntry() func(*Node) []finding {
	total := 0
	return func(n *Node) []finding { return checkFile(n, &total) }
}

// checkFile checks one entry; total is the size of those before it.
func checkFile(n *Node, total *int) []finding {
	var out []finding
	add := func(key, text string) {
		if text != "" {
			out = append(out, finding{severity: Error, kind: Value, key: key, text: text})
		}
	}
	text := func(key string) string {
		if c := n.Child(key); c != nil {
			return c.Text
		}
		return ""
	}
	switch path := text("path"); {
	case path == "":
		out = append(out, finding{severity: Error, kind: Value, lack: "path", text: "path is missing"})
	case strings.HasSuffix(path, "/"):
		add("path", quote(path)+" is a directory")
	default:
		add("path", absolutePath(path))
		if instead := unread(path); instead != "" && consoles(n) {
			out = append(out, finding{severity: Warning, kind: Unsupported, key: "path", text: instead})
		}
	}
	if p := n.Child("permissions"); p != nil && !p.IsNull() {
		out = append(out, permissions(p)...)
	}
	if owner := text("owner"); owner != "" {
		user, group, both := strings.Cut(owner, ":")
		add("owner", userName(user))
		if both {
			add("owner", userName(group))
		}
	}
	if c := text("container"); c != "" && !spelled(c, "A-Za-z0-9", "A-Za-z0-9_.-") {
		add("container", fmt.Sprintf("%s is no service name", quote(c)))
	} else if c != "" && c != "console" {
		out = append(out, finding{
			severity: Warning, kind: Unsupported, key: "container",
			text: fmt.Sprintf("files in the service %s are not supported yet; the file is not written", c),
		})
	}
	encodings := []string{"", "text", "text/plain", "b64", "base64", "gz", "gzip", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64"}
	encoding := text("encoding")
	if !slices.Contains(encodings, encoding) {
		add("encoding", fmt.Sprintf("%s is no encoding: b64, gz or gz+b64", quote(encoding)))
		return out
	}
	if *total > maxContents {
		add("content", fmt.Sprintf("the files before it have more than %d bytes already", maxContents))
		return out
	}
	content, err := File{Content: text("content"), Encoding: encoding}.DecodeContent()
	if err != nil {
		add("content", fmt.Sprintf("not what encoding: %s says: %v", encoding, err))
	}
	*total += len(content)
	return out
}

// consoles reports whether an entry is a file of the console, which is the
// engine's, too: both have one tree.
func consoles(n *Node) bool {
	c := textAt(n, "container")
	return c == "" || c == "console"
}

// daemonFile is where dockerd looks for its options on other systems.
const daemonFile = "/etc/docker/daemon.json"

// daemonFiles warns of options for dockerd in a file that it is not given.
func (r *referee) daemonFiles(files, docker *Node) {
	if files.IsNull() || textAt(docker, "config_file") == daemonFile {
		return
	}
	for i, n := range files.List {
		if textAt(n, "path") == daemonFile && consoles(n) {
			r.findings(fmt.Sprintf("write_files[%d]", i), n, []finding{{
				severity: Warning, kind: Unsupported, key: "path",
				text: "dockerd reads it only if rancher.docker.config_file names it; set that, or use rancher.docker",
			}})
		}
	}
}

// unread says of files that make something happen on other systems that this
// does not happen here, and what to use; "" for all others.
func unread(path string) string {
	for _, of := range []struct{ path, who, instead string }{
		{"/etc/resolv.conf", "only the console and containers read it, and it no longer follows the network", "rancher.network.dns"},
		{"/etc/hostname", "the machine does not take its name from it", "hostname"},
		{"/etc/sysctl.conf", "nobody reads it", "rancher.sysctl"},
		{"/etc/sysctl.d/", "nobody reads it", "rancher.sysctl"},
		{"/etc/modules", "nobody reads it", "rancher.modules"},
		{"/etc/modules-load.d/", "nobody reads it", "rancher.modules"},
		{"/etc/fstab", "nobody reads it", "mounts"},
		{"/etc/crontab", "there is no cron", "coreos.units with a timer"},
		{"/etc/cron.d/", "there is no cron", "coreos.units with a timer"},
		{"/etc/systemd/network/", "nobody reads it", "rancher.network"},
		{"/etc/systemd/timesyncd.conf", "nobody reads it", "ntp"},
		{"/etc/systemd/", "there is no systemd", "coreos.units"},
		{"/etc/netplan/", "nobody reads it", "rancher.network"},
		{"/etc/network/interfaces", "nobody reads it", "rancher.network"},
	} {
		if path == of.path || strings.HasSuffix(of.path, "/") && strings.HasPrefix(path, of.path) {
			return of.who + "; use " + of.instead
		}
	}
	return ""
}

// permissions checks a file mode. Octal digits in quotes are right; without
// quotes 0644 is a number to YAML, which other programs read as 420.
func permissions(n *Node) []finding {
	find := func(sev Severity, text string) []finding {
		return []finding{{severity: sev, kind: Value, key: "permissions", text: text}}
	}
	digits := strings.TrimPrefix(n.Text, "0o")
	octal := len(digits) >= 3 && len(digits) <= 5 && spelled(digits, "0-7", "0-7") && (len(digits) < 5 || digits[0] == '0')
	switch {
	case n.Kind == String && octal:
		return nil
	case n.Kind == Int && octal && strings.HasPrefix(n.Text, "0"):
		return find(Warning, fmt.Sprintf("write it in quotes, %q: without them YAML sees the number %s", "0"+strings.TrimLeft(digits, "0"), decimalOf(digits)))
	case n.Kind == Int:
		if meant := modeMeant(n.Text); meant != "" {
			return find(Error, fmt.Sprintf("the number %s; write octal digits in quotes, %q if that is meant (YAML reads an unquoted %s as %s)", n.Text, meant, meant, n.Text))
		}
		if octal {
			return find(Warning, fmt.Sprintf("taken as octal; write it in quotes, %q", "0"+digits))
		}
	}
	return find(Error, fmt.Sprintf("%s are no permissions; write octal digits in quotes, \"0644\"", quote(n.Text)))
}

func decimalOf(octal string) string {
	n := 0
	for _, c := range octal {
		n = n*8 + int(c-'0')
	}
	return fmt.Sprint(n)
}

// modeMeant names the mode that was an octal number before some program
// wrote it in decimal.
func modeMeant(decimal string) string {
	for _, mode := range []string{
		"0400", "0440", "0444", "0500", "0550", "0555", "0600", "0640", "0644", "0660", "0664", "0666",
		"0700", "0750", "0755", "0770", "0775", "0777",
	} {
		if decimalOf(mode) == decimal {
			return mode
		}
	}
	return ""
}

// sameFileTwice warns of two entries for one file in one document.
func sameFileTwice(n *Node) []finding {
	var out []finding
	seen := map[string]bool{}
	for _, item := range n.List {
		p := item.Child("path")
		if p == nil || p.Text == "" || saysYes(item.Child("append")) {
			continue
		}
		id := p.Text
		if c := item.Child("container"); c != nil {
			id = c.Text + " " + id
		}
		if seen[id] {
			out = append(out, finding{
				severity: Warning, kind: Conflict, node: p,
				text: fmt.Sprintf("%s is written twice; the last one counts", p.Text),
			})
		}
		seen[id] = true
	}
	return out
}

func commandEntry(n *Node) []finding {
	switch {
	case n.Scalar() && strings.TrimSpace(n.Text) == "":
		return doubtful("an empty command")
	case n.Kind == List && len(n.List) > 0 && n.List[0].Text == "":
		return wrong("the command's name is empty")
	}
	return nil
}
