package nocloud

import (
	"flag"
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

var update = flag.Bool("update", false, "write the golden files")

func TestSeed(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		Name: "seed", Update: *update,
		New: func(base string, o imds.Options) datasource.Source {
			return NewSeed(base+"/", Given{Hostname: "given"}, o)
		},
	})
}
