package hetzner

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/hetzner/v1/metadata"}}, "vm")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) {
		r, err := Parse("fuzz", data, data)
		// A network-config is passed on with what is wrong in it: the
		// validator says where.
		r.Network = nil
		return r, err
	})
}
