package cloudconfig

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

func pack(t *testing.T, data string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func scriptConfig(content, encoding string) osconfig.Config {
	return osconfig.Config{
		Scripts: []osconfig.File{{Path: ScriptPath, Permissions: "0700", Content: content, Encoding: encoding}},
	}
}

func hookConfig(content string) osconfig.Config {
	return osconfig.Config{BootHooks: []osconfig.File{{Path: hookDir + "/user-data", Permissions: "0700", Content: content}}}
}

func webConfig() osconfig.Config {
	return osconfig.Config{Rancher: osconfig.Rancher{Services: map[string]osconfig.Service{"web": {Image: "nginx"}}}}
}

func TestParse(t *testing.T) {
	named := osconfig.Config{Hostname: "box"}
	tests := []struct {
		name, data string
		want       osconfig.Config
		say        string // part of the report
	}{
		{"nothing", "", osconfig.Config{}, ""},
		{"blank", " \n\n", osconfig.Config{}, ""},
		{"cloud-config", "#cloud-config\nhostname: box\n", named, ""},
		{"blank after the mark", "#cloud-config \r\nhostname: box\r\n", named, ""},
		{"byte order mark", "\ufeff#cloud-config\nhostname: box\n", named, ""},
		{"YAML without the mark", "# mine\nhostname: box\n", named, ""},
		{"JSON", `{"hostname": "box"}`, named, ""},
		{"packed", pack(t, "#cloud-config\nhostname: box\n"), named, ""},
		{"script", "#!/bin/sh\ntrue\n", scriptConfig("#!/bin/sh\ntrue\n", ""), ""},
		{"script from Windows", "#!/bin/sh\r\ntrue\r\n", scriptConfig("#!/bin/sh\ntrue\n", ""), ""},
		{"packed script", pack(t, "#!/bin/sh\n"), scriptConfig("#!/bin/sh\n", ""), ""},
		{"script with binary parts", "#!/bin/sh\n\xff\x00", scriptConfig("IyEvYmluL3NoCv8A", "b64"), ""},
		{"bad YAML", "#cloud-config\nhostname: a: b\n", osconfig.Config{}, "u:2:11: error: mapping value"},
		{"text", "hello there\n", osconfig.Config{}, "neither a cloud-config"},
		{"list", "#cloud-config\n- a\n", osconfig.Config{}, "want a mapping"},
		{"packed nonsense", "\x1f\x8b\x00", osconfig.Config{}, "does not unpack"},
		{"packed twice", pack(t, pack(t, "hostname: box")), osconfig.Config{}, "gzip data"},
		{"a bomb", pack(t, strings.Repeat("#", osconfig.MaxSize+1)), osconfig.Config{}, "more than"},
		{"too large", "#cloud-config\n" + strings.Repeat("#", osconfig.MaxSize), osconfig.Config{}, "too large"},
		{"includes with secrets", "#include\nhttps://me:pw@x/y?sig=pw\nhttp://me:pw@h st/z\nftp://x/y?sig=pw\n", osconfig.Config{}, "u:2:1: warning: https://x/y?… is fetched at boot, when there is a network; what it holds is not checked here\n" +
			"u:3:1: error: \"http://***@h st/z\" is no URL that begins with http:// or https://\n" +
			"u:4:1: error: \"ftp://x/y?…\" is no URL"},
		{"includes", "#include\nhttp://x\n", osconfig.Config{}, "u:2:1: warning: http://x is fetched at boot"},
		{"MIME without a body", "MIME-Version: 1.0\n", osconfig.Config{}, ""},
		{"base64", base64.StdEncoding.EncodeToString([]byte("#cloud-config\nhostname: box\n")), named, ""},
		{"base64 in lines", "I2Nsb3VkLWNvbmZpZwpo\nb3N0bmFtZTogYm94Cg==\n", named, ""},
		{"base64 of gzip", base64.StdEncoding.EncodeToString([]byte(pack(t, "#cloud-config\nhostname: box\n"))), named, ""},
		{"base64 of nothing known", base64.StdEncoding.EncodeToString([]byte("hello hello hello")), osconfig.Config{}, "neither a cloud-config"},
		{"boot hook", "#cloud-boothook\n#!/bin/sh\ntrue\n", hookConfig("#!/bin/sh\ntrue\n"), ""},
		{"boot hook without an interpreter", "#cloud-boothook\ntrue\n", hookConfig("#!/bin/sh\ntrue\n"), ""},
		{"template", "## template: jinja\n#cloud-config\n", osconfig.Config{}, "a template (template: jinja), which is not supported"},
		{"part handler", "#part-handler\n", osconfig.Config{}, "part handler"},
		{"upstart", "#upstart-job\n", osconfig.Config{}, "upstart"},
		{"jsonp", "#cloud-config-jsonp\n[]", osconfig.Config{}, "JSON patch"},
		{"Butane", "variant: fcos\nversion: 1.5.0\n", osconfig.Config{}, "Butane"},
		{"compose", "#compose\nweb:\n  image: nginx\n", webConfig(), ""},
		{"compose of version 2", "#compose\nversion: '2'\nservices:\n  web:\n    image: nginx\n", webConfig(), ""},
		{"compose with volumes", "#compose\nservices:\n  web:\n    image: nginx\nvolumes:\n  data: {}\n", webConfig(), "u:5:1: warning: volumes: not supported"},
		{"a compose service called groups", "#compose\ngroups:\n  image: nginx\n", osconfig.Config{Rancher: osconfig.Rancher{
			Services: map[string]osconfig.Service{"groups": {Image: "nginx"}}}}, ""},
		{"internal key", "#cloud-config\nscripts: [{path: /x}]\nhostname: box\n", named, "u:2:1: error: scripts: unknown key"},
		{"archive", "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    hostname: box\n- |\n  #!/bin/sh\n  true\n",
			osconfig.Config{Hostname: "box", Scripts: scriptConfig("#!/bin/sh\ntrue\n", "").Scripts}, ""},
		{"archive with a mistake", "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    hostname: box\n    colour: red\n",
			named, "u:5:5: error: colour: unknown key"},
		{"archive with a mistake on one line", "#cloud-config-archive\n- 'colour: red'\n", osconfig.Config{}, "u/part-1:1:1: error: colour: unknown key"},
		{"archive with a number", "#cloud-config-archive\n- 1\n", osconfig.Config{}, "u:2:3: error: an entry of an archive"},
		{"archive of a mapping", "#cloud-config-archive\na: b\n", osconfig.Config{}, "must be a list"},
		{"Ignition", `{"ignition": {"version": "3.0.0"}}`, osconfig.Config{}, "Ignition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layers, report := Parse("user-data", "u", []byte(tt.data))
			cfg, more := osconfig.Decode(osconfig.Merge(layers...))
			for _, p := range more {
				if !strings.HasPrefix(p.Text, "not carried out yet") {
					report = append(report, p)
				}
			}
			if diff := cmp.Diff(tt.want, cfg); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (tt.say == "") != (len(report) == 0) || !strings.Contains(report.String(), tt.say) {
				t.Errorf("report %q does not say %q", report, tt.say)
			}
		})
	}
}
