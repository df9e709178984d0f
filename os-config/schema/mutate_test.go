package schema_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// TestNoStricterThanTheValidator puts other kinds of values into every place
// of every example, in turn: what the validator then still accepts the schema accepts.
func TestNoStricterThanTheValidator(t *testing.T) {
	s := compile(t)
	tried, refused := 0, 0
	for _, dir := range []string{"good", "documented"} {
		files(t, dir, func(t *testing.T, data []byte) {
			root, err := value(data)
			if err != nil {
				t.Fatal(err)
			}
			eachPlace(root, func(set func(any), old any) {
				// Three of them at each place: the places are many.
				for range 3 {
					others := []any{nil, true, json.Number("7"), "x", "", "yes", []any{}, []any{"x", nil}, map[string]any{}, map[string]any{"x": "y"}}
					set(others[tried%len(others)])
					tried++
					if compare(t, s, root) {
						refused++
					}
				}
				set(old)
			})
		})
	}
	if tried < 1000 || refused < tried/10 {
		t.Errorf("%d documents, of which the schema refused %d", tried, refused)
	}
}

// compare says whether the schema refuses a document, and complains when the
// validator does not.
func compare(t *testing.T, s *jsonschema.Schema, root any) bool {
	t.Helper()
	err := s.Validate(root)
	if err == nil {
		return false
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(root); err != nil {
		t.Fatal(err)
	}
	layer, report := osconfig.Parse("x", "x", text.Bytes())
	if layer.Doc != nil {
		report = append(report, osconfig.Validate(osconfig.Merge(layer))...)
	}
	if !report.HasErrors() {
		t.Errorf("the validator accepts, the schema does not:\n%s\n%v", text.Bytes(), err)
	}
	return true
}

// eachPlace calls f for each value inside v, with a function that replaces it.
func eachPlace(v any, f func(set func(any), old any)) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			f(func(x any) { v[k] = x }, v[k])
			eachPlace(v[k], f)
		}
	case []any:
		for i := range v {
			f(func(x any) { v[i] = x }, v[i])
			eachPlace(v[i], f)
		}
	}
}
