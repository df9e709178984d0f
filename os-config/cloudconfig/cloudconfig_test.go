package cloudconfig

import (
	"bytes"
	"compress/gzip"
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
		WriteFiles: []osconfig.File{{Path: ScriptPath, Permissions: "0700", Content: content, Encoding: encoding}},
		RunCmd:     []osconfig.Command{{Args: []string{ScriptPath}}},
	}
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
		{"includes", "#include\nhttp://x\n", osconfig.Config{}, "#include"},
		{"MIME", "MIME-Version: 1.0\n", osconfig.Config{}, "MIME"},
		{"Ignition", `{"ignition": {"version": "3.0.0"}}`, osconfig.Config{}, "Ignition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			layers, report := Parse("user-data", "u", []byte(tt.data))
			cfg, more := osconfig.Decode(osconfig.Merge(layers...))
			report = append(report, more...)
			if diff := cmp.Diff(tt.want, cfg); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (tt.say == "") != (len(report) == 0) || !strings.Contains(report.String(), tt.say) {
				t.Errorf("report %q does not say %q", report, tt.say)
			}
		})
	}
}
