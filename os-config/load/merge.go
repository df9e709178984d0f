package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// merge parses the sources, puts last good copies in for those that do not
// parse, and makes the configuration.
func (l *Loader) merge(out *Result, sources []raw) {
	var layers []osconfig.Layer
	var good []raw
	for _, s := range sources {
		parsed, report := parse(s)
		state := Used
		if unusable(report) {
			parsed, state = l.oldCopy(s, &report)
		} else if s.layer == nil && !report.HasErrors() {
			good = append(good, s)
		}
		layers = append(layers, parsed...)
		out.Report = append(out.Report, report...)
		out.Sources = append(out.Sources, Source{Layer: s.name, File: s.file, State: state})
	}
	out.Layers = layers
	config, document, report := osconfig.DecodeLenient(layers...)
	out.Config, out.Document = config, document
	wrong := map[string]bool{}
	for _, p := range report {
		if p.Severity == osconfig.Error {
			wrong[p.Layer] = true
		}
	}
	for i, s := range out.Sources {
		if wrong[s.Layer] && s.State == Used {
			out.Sources[i].State = Partly
		}
	}
	out.Report = append(out.Report, report...).Sorted()
	for _, s := range good {
		if l.KeepLastGood && !wrong[s.name] {
			if err := l.keep(s); err != nil {
				l.log().Warn("no last good copy kept", "layer", s.name, "error", err)
			}
		}
	}
}

func parse(s raw) ([]osconfig.Layer, osconfig.Report) {
	if s.layer != nil {
		return []osconfig.Layer{*s.layer}, nil
	}
	return cloudconfig.Parse(s.name, s.file, s.data)
}

func unusable(r osconfig.Report) bool {
	for _, p := range r {
		if p.Kind == osconfig.Syntax && p.Severity == osconfig.Error {
			return true
		}
	}
	return false
}

// oldCopy returns the last good copy of a layer and says so in the report.
func (l *Loader) oldCopy(s raw, report *osconfig.Report) ([]osconfig.Layer, string) {
	say := func(text string) {
		*report = append(*report, osconfig.Problem{
			Severity: osconfig.Error, Kind: osconfig.Source, Layer: s.name, File: s.file, Text: text,
		})
	}
	path := copyPath(s.name)
	data, err := os.ReadFile(filepath.Join(l.Root, path))
	if err == nil {
		layers, old := cloudconfig.Parse(s.name, path, data)
		if !unusable(old) {
			say("not used; its last good copy takes its place: " + path)
			return layers, OldCopy
		}
	}
	say("not used; there is no good copy of it")
	return nil, Dropped
}

func copyPath(layer string) string {
	return lastGood + "/" + strings.NewReplacer("/", "_", ":", "_").Replace(strings.TrimSuffix(layer, ".yml")) + ".yml"
}

// keep saves the last good copy. User-data holds secrets: nobody but root may
// read it.
func (l *Loader) keep(s raw) error {
	path := filepath.Join(l.Root, copyPath(s.name))
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, s.data) {
		return nil // spare the disk a write at every boot
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("last good copy: %w", err)
	}
	return atomicfile.WriteFile(path, s.data, 0o600)
}

// ValidateFiles reports everything that is wrong with the files; "-" is
// stdin. It needs no privileges and looks at nothing else of the machine. The
// error is that of files that cannot be read.
func ValidateFiles(stdin io.Reader, paths ...string) (osconfig.Report, error) {
	var report osconfig.Report
	var failed error
	for _, path := range paths {
		data, name, err := readInput(stdin, path)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("read configuration: %w", err))
			continue
		}
		report = append(report, ValidateBytes(name, data)...)
	}
	return report, failed
}

// ValidateBytes reports everything that is wrong with user-data or a
// configuration file, which the report calls name.
func ValidateBytes(name string, data []byte) osconfig.Report {
	layers, report := cloudconfig.Parse(name, name, data)
	for _, l := range layers {
		report = append(report, osconfig.Validate(osconfig.Merge(l))...)
	}
	return report.Sorted()
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
