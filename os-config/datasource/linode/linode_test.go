package linode

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
)

func TestService(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		New: New, Required: []string{"/v1/token", "/v1/instance"},
		Guard: datasourcetest.Token("/v1/token", "Metadata-Token-Expiry-Seconds", "Metadata-Token"),
	}, "vm")
}

func FuzzParse(f *testing.F) {
	datasourcetest.Fuzz(f, func(data []byte) (datasource.Result, error) { return Parse("fuzz", Answers{data, data, data, data}) })
}
