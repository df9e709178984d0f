package clouds

import (
	"slices"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// TestNew: every kind makes a source, and its name is the kind, or that of
// the same cloud.
func TestNew(t *testing.T) {
	same := map[string]string{"packet": "equinix", "akamai": "linode", "url": "url:http://127.0.0.1/x"}
	for _, kind := range Kinds() {
		s, ok := New(kind, "http://127.0.0.1/x", imds.Options{})
		want := kind
		if other, ok := same[kind]; ok {
			want = other
		}
		if !ok || s.Name() != want {
			t.Errorf("%s: %v", kind, s)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(Kinds())))) != len(Kinds()) {
		t.Errorf("a kind twice: %v", Kinds())
	}
	for _, kind := range []string{"", "none", "nocloud", "file", "tftp", "EC2"} {
		if s, ok := New(kind, "", imds.Options{}); ok {
			t.Errorf("%q: %v", kind, s)
		}
	}
	for _, place := range []string{"v1", "v1:http://127.0.0.1"} {
		plain, _ := New("ec2", "", imds.Options{})
		if s, ok := New("ec2", place, imds.Options{}); !ok || s.Name() != "ec2" || s == plain {
			t.Errorf("ec2:%s: %v", place, s)
		}
	}
}
