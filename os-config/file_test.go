package osconfig

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBinaryContent: content that is no text survives the JSON in which the
// configuration is handed on.
func TestBinaryContent(t *testing.T) {
	const gz = "H4sIAAAAAAACA8tIzcnJ5wIAIDA6NgYAAAA="
	layer := mustParse(t, "x", "write_files:\n- {path: /a, encoding: gz, content: !!binary "+gz+"}\n- {path: /b, content: !!binary /wA=}\n- {path: /c, content: ü}\n")
	cfg, report := Decode(Merge(layer))
	if len(report) > 0 {
		t.Fatal(report)
	}
	data, err := json.Marshal(cfg.WriteFiles)
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	if err := json.Unmarshal(data, &files); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		content, err := f.DecodeContent()
		if err != nil {
			t.Errorf("%s: %v", f.Path, err)
		}
		got = append(got, string(content))
	}
	if diff := cmp.Diff([]string{"hello\n", "\xff\x00", "ü"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
