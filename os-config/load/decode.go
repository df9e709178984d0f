package load

import (
	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/coreunit"
)

// decoder is what everything is checked with, at boot as in validation.
func decoder() osconfig.Decoder { return osconfig.Decoder{Units: coreunit.Check} }
