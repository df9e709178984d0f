package cloudstack

import (
	"errors"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/latest/meta-data/instance-id"}}, "vm")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		a, err := ec2.Read(func(string) ([]byte, error) { return data, nil }, "local-hostname", "local-ipv4", "public-ipv4")
		return ec2.Parse("fuzz", a), err
	})
}

func TestBase(t *testing.T) {
	for base, want := range map[string]string{
		"10.1.1.1": "http://10.1.1.1", "2001:db8::1": "http://[2001:db8::1]", "http://10.1.1.1:80/": "http://10.1.1.1:80",
	} {
		if got := address(base); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
	if _, err := New("", imds.Options{}).Fetch(t.Context()); !errors.Is(err, errServer) {
		t.Errorf("without a server: %v", err)
	}
}
