package load

import (
	"errors"
	"io"
	"io/fs"
	"os"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ValidateFiles reports everything that is wrong with the files; "-" is
// stdin. It needs no privileges and looks at nothing else of the machine. A
// file that cannot be read is a problem as any other.
func ValidateFiles(stdin io.Reader, paths ...string) osconfig.Report {
	return eachInput(stdin, paths, ValidateBytes)
}

// ValidateBytes reports everything that is wrong with user-data or a
// configuration file, which the report calls name.
func ValidateBytes(name string, data []byte) osconfig.Report {
	return validate(name, name, data)
}

// eachInput reports on files one after the other, and on with the next when
// one cannot be read.
func eachInput(stdin io.Reader, paths []string, report func(name string, data []byte) osconfig.Report) osconfig.Report {
	var all osconfig.Report
	for _, path := range paths {
		data, name, err := readInput(stdin, path)
		if err != nil {
			if of := (*fs.PathError)(nil); errors.As(err, &of) {
				err = of.Err // the rest is the problem's position
			}
			all = append(all, osconfig.Problem{Severity: osconfig.Error, Kind: osconfig.Source,
				File: name, Line: 1, Col: 1, Text: "not readable: " + err.Error()})
			continue
		}
		all = append(all, report(name, data)...)
	}
	return all
}

func readInput(stdin io.Reader, path string) ([]byte, string, error) {
	if path == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, osconfig.MaxSize+1))
		return data, "stdin", err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, path, err
	}
	data, err := io.ReadAll(io.LimitReader(f, osconfig.MaxSize+1))
	return data, path, errors.Join(err, f.Close())
}
