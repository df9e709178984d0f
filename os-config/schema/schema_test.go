package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
	"github.com/pharos-os/pharos/os-config/schema"
)

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pharos.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pharos.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value is a YAML text as an editor's language server sees it: before
// anything of ours has looked at it.
func value(data []byte) (any, error) {
	var v any
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r"), nil)
	if err := yaml.UnmarshalWithOptions(data, &v, yaml.AllowDuplicateMapKey()); err != nil {
		return nil, fmt.Errorf("YAML: %w", err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("JSON: %w", err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// isYAML says whether a file of testdata is one YAML document, not another
// format of user-data.
func isYAML(data []byte) bool {
	for _, prefix := range []string{"#!", "\x1f\x8b", "Content-Type:", "MIME-Version:", "From ", "#include", "#compose", "#cloud-config-archive", "H4sI"} {
		if bytes.HasPrefix(data, []byte(prefix)) {
			return false
		}
	}
	_, report := osconfig.Parse("x", "x", data)
	for _, p := range report {
		if p.Kind == osconfig.Syntax {
			return false
		}
	}
	return true
}

func files(t *testing.T, dir string, f func(t *testing.T, data []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "testdata", dir, "*.yml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/%s, %v", dir, err)
	}
	looked := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !isYAML(data) {
			continue
		}
		looked++
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yml"), func(t *testing.T) { f(t, data) })
	}
	if looked < len(paths)/2 {
		t.Errorf("only %d of %d files are cloud-configs", looked, len(paths))
	}
}

// TestGoodFiles: what the validator accepts the schema accepts.
func TestGoodFiles(t *testing.T) {
	s := compile(t)
	for _, dir := range []string{"good", "documented"} {
		files(t, dir, func(t *testing.T, data []byte) {
			v, err := value(data)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestBadFiles: what the validator only warns of the schema accepts, an
// unknown key it refuses.
func TestBadFiles(t *testing.T) {
	s := compile(t)
	refused := 0
	files(t, "bad", func(t *testing.T, data []byte) {
		layer, report := osconfig.Parse("x", "x", data)
		v, err := value(data)
		if err != nil { // no editor gets as far as the schema
			if !report.HasErrors() {
				t.Errorf("the YAML library's decoder refuses what the validator reads: %v", err)
			}
			return
		}
		report = append(report, osconfig.Validate(osconfig.Merge(layer))...)
		err = s.Validate(v)
		unknown := false
		for _, p := range report {
			unknown = unknown || p.Kind == osconfig.Unknown
		}
		if err != nil {
			refused++
		}
		if !report.HasErrors() && err != nil {
			t.Errorf("the validator has no error, the schema: %v\n%s", err, report)
		}
		if unknown && err == nil {
			t.Errorf("the schema accepts it; the validator:\n%s", report)
		}
	})
	if refused < 10 {
		t.Errorf("the schema refuses %d bad files", refused)
	}
}

func TestRefused(t *testing.T) {
	s := compile(t)
	for _, text := range []string{
		"hostnam: a",
		"hostname: [a]",
		"hostname: {a: b}",
		"ssh_authorized_keys: {a: b}",
		"users: [{nam: a}]",
		"users: [{name: a, uid: x}]",
		"users: [[a]]",
		"groups: [{name: a, member: [b]}]",
		"write_files: {path: /a}",
		"write_files: [{path: /a, append: maybe}]",
		"mounts: [[a, b, c, d, e, f, g]]",
		"mounts: [{device: a}]",
		"runcmd: [{a: b}]",
		"bootcmd: [[]]",
		"swap: [a]",
		"coreos: {unit: []}",
		"coreos: {units: [{name: a.service, dropins: []}]}",
		"rancher: []",
		"rancher: {networks: {}}",
		"rancher: {network: {interfaces: {eth0: {mtu: big}}}}",
		"rancher: {network: {interfaces: {eth0: {dchp: true}}}}",
		"rancher: {network: {interfaces: [eth0]}}",
		"rancher: {docker: {tls: 3}}",
		"rancher: {services: {a: {images: b}}}",
		"rancher: {services: {a: {ulimits: {nofile: many}}}}",
		"rancher: {services_include: {a: maybe}}",
		"rancher: {ssh: {port: \"22\"}}",
		"rancher: {shutdown_timeout: 4}",
		"rancher: {docker: {pid: container}}",
		"- a",
		"text",
	} {
		v, err := value([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}

// TestForms: what may be written in more than one way.
func TestForms(t *testing.T) {
	s := compile(t)
	for _, text := range []string{
		"",
		"# nothing",
		"hostname:",
		"hostname: 12",
		"users: a, b",
		"users: [default, {name: a, groups: 'b, c', sudo: false}, {name: b, groups: [c], lock-password: no, primary-group: x}]",
		"groups: a, b",
		"groups: {a: [b], c: d}",
		"groups: [a, {b: [c]}, {name: d, members: e}, {f: g, h: [i]}]",
		"chpasswd: {expire: no, list: \"a:b\\nc:d\"}",
		"chpasswd: {list: ['a:b']}",
		"mounts: [[a], b, [c, ~, auto, defaults, '0', 2]]",
		"runcmd: [a, [b, 1, true]]",
		"growpart: {mode: auto}",
		"coreos: {units: [{name: a.service, drop-ins: [{name: b.conf}]}], update: {reboot-strategy: off}}",
		"ssh_authorized-keys: []",
		"rancher: {docker: {environment: {A: b}, insecure_registry: a, tls: on}}",
		"rancher: {docker: {environment: [A=b]}}",
		"rancher: {services: {a: {labels: [a=b], environment: {A: 1, B: ~}, ulimits: {nofile: 3, nproc: {soft: 1, hard: 2}}, command: [a]}}}",
		"rancher: {network: {interfaces: {eth0: {bridge: true, mtu: 1500}, eth1: ~}}}",
	} {
		v, err := value([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestEditorComment: the comment by which editors find the schema is welcome
// above and below #cloud-config.
func TestEditorComment(t *testing.T) {
	const comment = "# yaml-language-server: $schema=./pharos.schema.json\n"
	for _, text := range []string{comment + "#cloud-config\nhostname: a\n", "#cloud-config\n" + comment + "hostname: a\n"} {
		layers, report := cloudconfig.Parse("user-data", "user-data", []byte(text))
		doc := osconfig.Merge(layers...)
		report = append(report, osconfig.Validate(doc)...)
		if name, _ := doc.Get("hostname"); name != "a" || len(report) > 0 {
			t.Errorf("%s\nhostname %q, %s", text, name, report)
		}
	}
}
