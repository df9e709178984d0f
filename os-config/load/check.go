package load

import (
	"errors"
	"fmt"
	"io"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
)

// ValidateAs is ValidateFiles for files that are to become a layer: a key
// that has no effect there is warned about.
func ValidateAs(layer string, stdin io.Reader, paths ...string) (osconfig.Report, error) {
	var report osconfig.Report
	var failed error
	for _, path := range paths {
		data, name, err := readInput(stdin, path)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("read configuration: %w", err))
			continue
		}
		layers, more := cloudconfig.Parse(layer, name, data)
		for _, l := range layers {
			more = append(more, decoder().Validate(osconfig.Merge(l))...)
		}
		report = append(report, more.Sorted()...)
	}
	return report, failed
}

// Strict is everything that is wrong with a machine's configuration, of these
// layers and the built-in one, as validation sees it.
func Strict(layers ...osconfig.Layer) osconfig.Report {
	return decoder().Validate(osconfig.Merge(osconfig.WithDefaults(layers...)...))
}
