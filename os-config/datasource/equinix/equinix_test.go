package equinix

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{New: New, Required: []string{"/metadata"}}, "metal", "single")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", data) })
}
