package cloudconfig

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// message is a MIME multi-part of entities (headers and a body).
func message(parts ...string) string {
	var b strings.Builder
	b.WriteString("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"==\"\n\n")
	for _, p := range parts {
		b.WriteString("--==\n" + p + "\n")
	}
	b.WriteString("--==--\n")
	return b.String()
}

func entity(kind, body string, more ...string) string {
	return "Content-Type: " + kind + "\n" + strings.Join(append(more, ""), "\n") + "\n" + body
}

func decode(layers []osconfig.Layer) (osconfig.Config, osconfig.Report) {
	return osconfig.Decode(osconfig.Merge(layers...))
}

func TestMultipart(t *testing.T) {
	b64 := "Content-Transfer-Encoding: base64"
	tests := []struct {
		name, data string
		want       osconfig.Config
		say        string // the whole report
	}{
		{"later parts win", message(entity("text/cloud-config", "hostname: a\nmanage_etc_hosts: localhost"), entity("text/cloud-config", "hostname: b")),
			osconfig.Config{Hostname: "b", ManageEtcHosts: "localhost"}, ""},
		{"scripts run in order", message(entity("text/x-shellscript", "#!/bin/sh\n1"), entity("text/plain", "#!/bin/sh\n2"),
			entity("text/cloud-config", "runcmd: ['3']"), entity("text/cloud-boothook", "#cloud-boothook\n4")), osconfig.Config{
			RunCmd:    []osconfig.Command{{Shell: "3"}},
			Scripts:   []osconfig.File{{Path: ScriptPath, Permissions: "0700", Content: "#!/bin/sh\n1"}, {Path: ScriptPath + "-2", Permissions: "0700", Content: "#!/bin/sh\n2"}},
			BootHooks: []osconfig.File{{Path: hookDir + "/user-data", Permissions: "0700", Content: "#!/bin/sh\n4"}},
		}, ""},
		{"base64", message(entity("text/cloud-config", base64.StdEncoding.EncodeToString([]byte("hostname: a\n")), b64)), osconfig.Config{Hostname: "a"}, ""},
		{"quoted-printable", message(entity("text/cloud-config", "hostname=3A a=\nb", "Content-Transfer-Encoding: quoted-printable")), osconfig.Config{Hostname: "ab"}, ""},
		{"gzip in base64", message(entity("application/gzip", base64.StdEncoding.EncodeToString([]byte(pack(t, "#cloud-config\nhostname: a\n"))), b64)), osconfig.Config{Hostname: "a"}, ""},
		{"multi-part in multi-part", message("Content-Type: multipart/mixed; boundary=in\n\n--in\n" + entity("text/cloud-config", "hostname: a") + "\n--in--\n"), osconfig.Config{Hostname: "a"}, ""},
		{"Windows lines", strings.ReplaceAll(message(entity("text/cloud-config", "hostname: a\ncolour: b")), "\n", "\r\n"), osconfig.Config{Hostname: "a"},
			"u:8:1: error: colour: unknown key\n"},
		{"mailbox", "From nobody Thu Jan  1 00:00:00 1970\n" + message(entity("text/cloud-config", "hostname: a\ncolour: b")), osconfig.Config{Hostname: "a"},
			"u:9:1: error: colour: unknown key\n"},
		{"positions are the file's", message(entity("text/cloud-config", "hostname: a"), entity("text/cloud-config", "#cloud-config\ncolour: x")), osconfig.Config{Hostname: "a"},
			"u:12:1: error: colour: unknown key\n"},
		{"positions of an encoded part", message(entity("text/cloud-config", base64.StdEncoding.EncodeToString([]byte("a: b\n")), b64, "Content-Disposition: attachment; filename=\"x.yml\"")), osconfig.Config{},
			"u/x.yml:1:1: error: a: unknown key\n"},
		{"part handler", message(entity("text/part-handler", "#part-handler\n"), entity("text/cloud-config", "hostname: a")), osconfig.Config{Hostname: "a"},
			"u:7:1: error: user-data is a part handler (text/part-handler), which is not supported; write a cloud-config (first line #cloud-config) or a script (#!…)\n"},
		{"once", message(entity("text/x-shellscript-per-once", "#!/bin/sh\n1"), entity("text/x-shellscript-per-boot", "#!/bin/sh\n2")), osconfig.Config{
			Scripts: []osconfig.File{{Path: ScriptPath, Permissions: "0700", Content: "#!/bin/sh\n1"}, {Path: ScriptPath + "-2", Permissions: "0700", Content: "#!/bin/sh\n2"}},
		}, "u:7:1: warning: it runs at every boot: text/x-shellscript-per-once is taken as text/x-shellscript; in runcmd or bootcmd, cloud-init-per runs a command once\n"},
		{"unknown type", message(entity("text/x-cake", "x")), osconfig.Config{}, "u:7:1: error: content type \"text/x-cake\" is none that user-data has\n"},
		{"bad base64", message(entity("text/cloud-config", "!", b64)), osconfig.Config{}, "u:8:1: error: a part that is no base64: illegal base64 data at input byte 0\n"},
		{"odd transfer encoding", message(entity("text/cloud-config", "x", "Content-Transfer-Encoding: rot13")), osconfig.Config{},
			"u:8:1: error: transfer encoding \"rot13\" is not base64, quoted-printable, 7bit, 8bit or binary\n"},
		{"no boundary", "Content-Type: multipart/mixed\n\nx\n", osconfig.Config{}, "u:3:1: error: MIME multi-part without a boundary\n"},
		{"no parts", message(), osconfig.Config{}, "u:4:1: error: MIME multi-part without parts\n"},
		{"breaks off", strings.TrimSuffix(message(entity("text/cloud-config", "hostname: a")), "--==--\n"), osconfig.Config{},
			"u:4:1: error: MIME multi-part that breaks off: unexpected EOF\n"},
		{"single entity", "MIME-Version: 1.0\nContent-Type: text/cloud-config\n\nhostname: a\n", osconfig.Config{Hostname: "a"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layers, report := Parse("user-data", "u", []byte(tt.data))
			cfg, more := decode(layers)
			if diff := cmp.Diff(tt.want, cfg); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.say, append(report, more...).String()); diff != "" {
				t.Errorf("report -want +got:\n%s", diff)
			}
		})
	}
}

// TestOneBadPart: a part that cannot be read is left out, the others count.
func TestOneBadPart(t *testing.T) {
	layers, report := Parse("user-data", "u", []byte(message(entity("text/cloud-config", "a: b: c"), entity("text/cloud-config", "hostname: a"))))
	cfg, _ := decode(layers)
	if text := report.String(); cfg.Hostname != "a" || len(report) != 1 || report[0].Kind == osconfig.Syntax ||
		!strings.HasPrefix(text, "u:7:4: error: ") || !strings.HasSuffix(text, "; this part is left out\n") {
		t.Errorf("hostname %q, report %s", cfg.Hostname, text)
	}
}

func TestMultipartBounds(t *testing.T) {
	many := make([]string, maxParts+5)
	for i := range many {
		many[i] = entity("text/cloud-config", "hostname: a")
	}
	deep := entity("text/cloud-config", "hostname: a")
	for i := range maxNested + 2 {
		b := fmt.Sprintf("b%d", i)
		deep = "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n" + deep + "\n--" + b + "--\n"
	}
	bomb := base64.StdEncoding.EncodeToString([]byte(pack(t, "#"+strings.Repeat(" ", osconfig.MaxSize-1))))
	var bombs []string
	for range 8 {
		bombs = append(bombs, entity("application/gzip", bomb, "Content-Transfer-Encoding: base64"))
	}
	for name, tt := range map[string]struct{ data, say string }{
		"parts":   {message(many...), "more than 100 parts"},
		"nesting": {"MIME-Version: 1.0\n" + deep, "more than 8 deep"},
		"size":    {message(bombs...), "too much of it"},
		"file":    {strings.Repeat("a", osconfig.MaxSize+1), "too large"},
	} {
		if _, report := Parse("user-data", "u", []byte(tt.data)); !strings.Contains(report.String(), tt.say) {
			t.Errorf("%s: %s", name, report)
		}
	}
}

// TestScriptsOfAllLayers: a script runs although a later layer has commands
// or a script of its own.
func TestScriptsOfAllLayers(t *testing.T) {
	var layers []osconfig.Layer
	for _, source := range []struct{ name, data string }{
		{"vendor-data", "#!/bin/sh\nvendor\n"},
		{"user-data", "#!/bin/sh\nuser\n"},
		{"cloud-config.d/10 a.yml", "#!/bin/sh\nmine\n"},
		{"cloud-config", "runcmd: [last]\n"},
		{"user-data", "#!/bin/sh\nnewer\n"},
	} {
		l, report := Parse(source.name, source.name, []byte(source.data))
		if len(report) > 0 {
			t.Error(report)
		}
		layers = append(layers, l...)
	}
	cfg, doc, report := osconfig.DecodeLenient(layers...)
	var got []string
	for _, s := range cfg.Scripts {
		got = append(got, s.Path)
	}
	want := []string{scriptDir + "/vendor-data", scriptDir + "/cloud-config.d_10_a.yml", scriptDir + "/user-data"}
	if diff := cmp.Diff(want, got); diff != "" || len(cfg.RunCmd) != 1 || report.HasErrors() {
		t.Errorf("-want +got:\n%s\n%v\n%s", diff, cfg.RunCmd, report)
	}
	if text := doc.Export(true, true); strings.Contains(text, "scripts") {
		t.Errorf("exported:\n%s", text)
	}
}

type pages map[string]string

func (p pages) Fetch(_ context.Context, url string) ([]byte, error) {
	if text, ok := p[url]; ok {
		return []byte(text), nil
	}
	return nil, errors.New("404 Not Found")
}

func TestInclude(t *testing.T) {
	web := pages{
		"http://x/a":    "#cloud-config\nhostname: a\nmanage_etc_hosts: localhost\n",
		"http://x/b":    "#include\nhttp://x/a\nhttp://x/c\n",
		"http://x/c":    "#cloud-config\nhostname: c\ncolour: red\n",
		"http://x/loop": "#include http://x/loop\n",
		"http://x/d1":   "#include\nhttp://x/d2\n", "http://x/d2": "#include\nhttp://x/d3\n",
		"http://x/d3": "#include\nhttp://x/d4\n", "http://x/d4": "hostname: d\n",
		"http://u:secret@x/bad": "hello\n",
		"http://x/big":          strings.Repeat("#", osconfig.MaxSize+1),
	}
	tests := []struct{ data, hostname, say string }{
		{"#include\nhttp://x/a\n", "a", ""},
		{"#include-once\r\n# a comment\r\n\r\nhttp://x/a\r\n", "a", ""},
		{"#include http://x/a\n", "a", ""},
		{"#include\nhttp://x/b\n", "c", "http://x/c:3:1: error: colour: unknown key\n"},
		{"#include\nhttp://x/none\nhttp://x/a\n", "a", "u:2:1: error: http://x/none not read: 404 Not Found\n"},
		{"#include\nftp://x/a\nfile:///etc/passwd\n", "", "u:2:1: error: \"ftp://x/a\" is no URL that begins with http:// or https://\n" +
			"u:3:1: error: \"file:///etc/passwd\" is no URL that begins with http:// or https://\n"},
		{"#include\nhttp://x/loop\n", "", "http://x/loop:1:1: error: http://x/loop includes itself\n"},
		{"#include\nhttp://x/d1\n", "", "http://x/d3:2:1: error: includes inside each other more than 3 deep\n"},
		{"#include\nhttp://u:secret@x/bad\n", "", "http://x/bad:1:1: error: neither a cloud-config (first line #cloud-config) nor a script (#!…) nor a YAML mapping\n"},
		{"#include\nhttp://x/big\n", "", "u:2:1: error: http://x/big not read: too large; the limit is 1048576 bytes\n"},
		{"#include\n" + strings.Repeat("http://x/a\n", maxIncludes+3), "a", "u:34:1: error: more than 32 includes; this one and the next are left out\n"},
		{message(entity("text/x-include-url", "http://x/a\n")), "a", ""},
	}
	for _, tt := range tests {
		layers, report := Parser{Fetcher: web}.Parse(t.Context(), "user-data", "u", []byte(tt.data))
		cfg, more := decode(layers)
		if diff := cmp.Diff(tt.say, append(report, more...).String()); diff != "" || cfg.Hostname != tt.hostname {
			t.Errorf("%.40q: hostname %q; report -want +got:\n%s", tt.data, cfg.Hostname, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"#cloud-config\nhostname: a\n", "#!/bin/sh\n", "#include\nhttp://x/a\n", "#compose\nweb: {image: a}\n",
		"#cloud-config-archive\n- {type: text/cloud-config, content: 'a: b'}\n- |\n  #!/bin/sh\n", "#cloud-boothook\ntrue\n",
		message(entity("text/cloud-config", "hostname: a"), entity("text/plain", "IyEK", "Content-Transfer-Encoding: base64")),
		"From nobody\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n#!/bin/sh\n--b--", "\x1f\x8b", "I2Nsb3VkLWNvbmZpZwo=",
	} {
		f.Add([]byte(seed))
	}
	web := pages{"http://x/a": "#include\nhttp://x/a\nhttp://x/b", "http://x/b": "#cloud-config\n"}
	f.Fuzz(func(t *testing.T, data []byte) {
		layers, report := Parser{Fetcher: web}.Parse(t.Context(), "user-data", "u", data)
		for _, l := range layers {
			if l.Doc == nil || l.Doc.Kind != osconfig.Map {
				t.Errorf("a layer without a mapping: %v", report)
			}
		}
		for _, p := range report {
			if p.Line < 0 || p.Col < 0 || p.Text == "" {
				t.Errorf("a problem without a place or a text: %+v", p)
			}
		}
		decode(layers)
	})
}
