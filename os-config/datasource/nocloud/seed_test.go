package nocloud

import (
	"testing"

	"github.com/pharos-os/pharos/os-config/datasource"
	"github.com/pharos-os/pharos/os-config/datasource/datasourcetest"
	"github.com/pharos-os/pharos/os-config/datasource/imds"
)

func TestSeed(t *testing.T) {
	datasourcetest.Run(t, datasourcetest.Case{
		New: func(base string, o imds.Options) datasource.Source {
			return NewSeed(base+"/", Given{Hostname: "given"}, o)
		},
	}, "seed")
}
