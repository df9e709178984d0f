package exoscale

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/ec2"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/1.0/meta-data/instance-id"}}, "vm")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		a, err := ec2.Read(func(string) ([]byte, error) { return data, nil }, "local-hostname", "local-ipv4", "public-ipv4")
		return ec2.Parse("fuzz", a), err
	})
}
