package vmware

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// variablesOf reads lines "key = value", as a .vmx file has them; \n stands
// for a line break.
func variablesOf(data []byte) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if key, found := strings.CutPrefix(key, "guestinfo."); ok && found {
			out[key] = strings.ReplaceAll(strings.Trim(value, `"`), `\n`, "\n")
		}
	}
	return out
}

// values is a Reader of variables; err is what it says of all.
type values struct {
	set map[string]string
	err error
}

func (v values) Get(key string) (string, error) { return v.set[key], v.err }

func TestVariables(t *testing.T) {
	datasourcetest.Goldens(t, func(name string) datasource.Source {
		data, err := os.ReadFile(filepath.Join("testdata", name+".vmx"))
		if err != nil {
			t.Fatal(err)
		}
		return NewReader(values{set: variablesOf(data)}, imds.Options{})
	}, "cloud-init", "rancheros", "static")
}

func TestURL(t *testing.T) {
	requests := 0
	url := datasourcetest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "#cloud-config\n")
	})
	o := imds.Options{Backoff: func(int) time.Duration { return time.Millisecond }}
	result, err := NewReader(values{set: map[string]string{configURL: url + "/x"}}, o).Fetch(t.Context())
	if err != nil || string(result.UserData) != "#cloud-config\n" || result.UserDataFile != url+"/x" {
		t.Errorf("%q of %s, %v", result.UserData, result.UserDataFile, err)
	}
}

func TestNothing(t *testing.T) {
	if _, err := NewReader(values{}, imds.Options{}).Fetch(t.Context()); !errors.Is(err, datasource.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := NewReader(values{err: errFault}, imds.Options{}).Fetch(t.Context()); !errors.Is(err, errFault) {
		t.Errorf("%v", err)
	}
}

func TestDecode(t *testing.T) {
	const text = "#cloud-config\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for encoding, in := range map[string]string{
		"": text, "base64": base64.StdEncoding.EncodeToString([]byte(text)), "B64": base64.RawStdEncoding.EncodeToString([]byte(text)),
		"gzip+base64": base64.StdEncoding.EncodeToString(packed.Bytes()), "gz+b64": base64.StdEncoding.EncodeToString(packed.Bytes()),
	} {
		if got, err := decode(in, encoding); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", encoding, got, err)
		}
	}
	var bomb bytes.Buffer
	w = gzip.NewWriter(&bomb)
	w.Write(make([]byte, 2<<20)) //nolint:errcheck // memory
	w.Close()
	for encoding, in := range map[string]string{
		"base64": "§", "gzip+base64": "aGVsbG8=", "rot13": "x", "gz+b64": base64.StdEncoding.EncodeToString(bomb.Bytes()),
	} {
		if got, err := decode(in, encoding); err == nil {
			t.Errorf("%s: %d bytes, no error", encoding, len(got))
		}
	}
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		set := variablesOf(data)
		out, _ := Parse(func(key string) string { return set[key] })
		return out, nil
	})
}

func FuzzParseMetadata(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		out, _ := Parse(func(key string) string { return map[string]string{"metadata": string(data)}[key] })
		out.Network = nil // what people write wrong there, the validator tells by its line
		return out, nil
	})
}
