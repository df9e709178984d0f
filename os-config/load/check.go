package load

import (
	"io"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
)

// ValidateAs is ValidateFiles for files that are to become a layer: a key
// that has no effect there is warned about.
func ValidateAs(layer string, stdin io.Reader, paths ...string) osconfig.Report {
	return eachInput(stdin, paths, func(name string, data []byte) osconfig.Report {
		return validate(layer, name, data)
	})
}

// validate reports what is wrong with a file by itself.
func validate(layer, name string, data []byte) osconfig.Report {
	layers, report := cloudconfig.Parse(layer, name, data)
	for _, l := range layers {
		report = append(report, problems(osconfig.Merge(l))...)
	}
	return report.Sorted()
}

// problems are all that validation knows about a document.
func problems(doc osconfig.Document) osconfig.Report {
	return append(decoder().Validate(doc), unitReport(doc)...)
}

// Strict is everything that is wrong with a machine's configuration, of these
// layers and the built-in one, as validation sees it.
func Strict(layers ...osconfig.Layer) osconfig.Report {
	return problems(osconfig.Merge(osconfig.WithDefaults(layers...)...))
}
