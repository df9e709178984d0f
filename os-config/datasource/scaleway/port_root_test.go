package scaleway

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

// TestRootSourcePort: user-data are asked for from a privileged port, the rest
// is not.
func TestRootSourcePort(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: ports below 1024")
	}
	url := datasourcetest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, port, _ := net.SplitHostPort(r.RemoteAddr)
		n, _ := strconv.Atoi(port)
		private := strings.HasSuffix(r.URL.Path, "/cloud-init")
		switch {
		case private != (n < 1024):
			w.WriteHeader(http.StatusForbidden)
		case private:
			fmt.Fprint(w, "#cloud-config\n")
		default:
			fmt.Fprint(w, `{"id": "1"}`)
		}
	})
	for _, client := range []*http.Client{nil, {}, nil} { // ports that were just used are passed over
		result, err := New(url, imds.Options{HTTP: client}).Fetch(t.Context())
		if err != nil || string(result.UserData) != "#cloud-config\n" {
			t.Errorf("%q, %v", result.UserData, err)
		}
	}
}
