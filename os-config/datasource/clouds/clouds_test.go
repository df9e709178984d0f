package clouds

import (
	"net/http"
	"net/http/httptest"
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
}

// version1 is EC2's service without tokens, at every address.
type version1 struct{}

func (version1) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func TestEC2Version1(t *testing.T) {
	o := imds.Options{HTTP: &http.Client{Transport: version1{}}}
	for place, v1 := range map[string]bool{"": false, "http://127.0.0.1": false, "v1": true, "v1:http://127.0.0.1": true} {
		s, ok := New("ec2", place, o)
		if !ok || s.Name() != "ec2" {
			t.Fatalf("%q: %v", place, s)
		}
		if _, err := s.Fetch(t.Context()); (err == nil) != v1 {
			t.Errorf("%q: %v", place, err)
		}
	}
}

// nowhere notes who is asked, and has nothing.
type nowhere struct{ asked string }

func (n *nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.asked = r.URL.Scheme + "://" + r.URL.Host
	w := httptest.NewRecorder()
	w.WriteHeader(http.StatusNotFound)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// TestPlaces: without a place each service is asked where its cloud has it.
func TestPlaces(t *testing.T) {
	elsewhere := map[string]string{
		"aliyun": "http://100.100.100.200", "scaleway": "http://169.254.42.42",
		"equinix": "https://metadata.platformequinix.com", "packet": "https://metadata.platformequinix.com",
		"cloudstack": "", "url": "", "cmdline": "", // nobody: these need one
	}
	for _, c := range services() {
		want, ok := elsewhere[c.kind]
		if !ok {
			want = "http://169.254.169.254"
		}
		n := &nowhere{}
		if _, err := c.make("", imds.Options{HTTP: &http.Client{Transport: n}}).Fetch(t.Context()); err == nil || n.asked != want {
			t.Errorf("%s: asks %q, want %q; %v", c.kind, n.asked, want, err)
		}
	}
}
