package cloudstack

import (
	"flag"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

var update = flag.Bool("update", false, "write the golden files")

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		Name: "vm", New: New, Required: []string{"/latest/meta-data/instance-id"}, Update: *update,
	})
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		a, err := ec2.Read(func(string) ([]byte, error) { return data, nil }, "local-hostname", "local-ipv4", "public-ipv4")
		return ec2.Parse("fuzz", a), err
	})
}

func TestBase(t *testing.T) {
	for base, want := range map[string]string{
		"10.1.1.1": "http://10.1.1.1/x", "2001:db8::1": "http://[2001:db8::1]/x", "http://10.1.1.1:80/": "http://10.1.1.1:80/x",
	} {
		if got := New(base, imds.Options{}).(source).client.URL("x"); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
	if _, err := New("", imds.Options{}).Fetch(t.Context()); err == nil {
		t.Error("no error without a server")
	}
}
