package aliyun

import (
	"flag"
	"fmt"
	"net/http"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
)

var update = flag.Bool("update", false, "write the golden files")

// version2 is the service's way with tokens.
func version2(w http.ResponseWriter, r *http.Request) bool {
	const token = "AQAEAHxkcGFzc2luZyB0b2tlbg=="
	switch {
	case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut && r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds") != "":
		fmt.Fprint(w, token)
	case r.Header.Get("X-aliyun-ecs-metadata-token") != token:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		return false
	}
	return true
}

func TestHardened(t *testing.T) {
	c := datasourcetest.Case{Name: "vm", New: New, Guard: version2, Update: *update, Required: []string{"/latest/meta-data/instance-id"}}
	c.Refused = []string{"/latest/api/token"}
	datasourcetest.Run(t, c)
}

func TestWithoutTokens(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{Name: "vm", New: New, Required: []string{"/latest/meta-data/instance-id"}})
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		a, err := ec2.Read(func(string) ([]byte, error) { return data, nil }, "hostname", "private-ipv4", "eipv4")
		return Parse("fuzz", a), err
	})
}
