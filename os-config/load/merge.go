package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/cloudconfig"
	"github.com/pharos-os/pharos/system/atomicfile"
)

// merge parses the sources, puts last good copies in for those that do not
// parse, and makes the configuration.
func (l *Loader) merge(ctx context.Context, out *Result, sources []raw) {
	var layers []osconfig.Layer
	var good []raw
	for _, s := range sources {
		parsed, report := l.parse(ctx, out, s)
		state := Used
		if unusable(report) {
			parsed, state = l.oldCopy(ctx, out, s, &report)
		} else if s.layer == nil && !report.HasErrors() {
			good = append(good, s)
		}
		layers = append(layers, parsed...)
		out.Report = append(out.Report, report...)
		out.Sources = append(out.Sources, Source{Layer: s.name, File: s.file, State: state})
	}
	out.Layers = layers
	layers = out.expand(layers)
	config, document, report := decoder().DecodeLenient(layers...)
	if mended, more := l.mend(ctx, out, layers, report); len(more) > 0 {
		var again osconfig.Report
		config, document, again = decoder().DecodeLenient(mended...)
		report = append(append(report, more...), ofCopies(again)...)
	}
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

func (l *Loader) parse(ctx context.Context, out *Result, s raw) ([]osconfig.Layer, osconfig.Report) {
	if s.layer != nil {
		return []osconfig.Layer{*s.layer}, nil
	}
	layers, report := cloudconfig.Parser{Fetcher: includes{l, out}}.Parse(ctx, s.name, s.file, s.data)
	return layers, settle(report)
}

// expand puts the machine's addresses in for $public_ipv4 and the like. As
// long as a source is to be asked nobody knows them: then they stay.
func (r *Result) expand(layers []osconfig.Layer) []osconfig.Layer {
	if r.Variables == nil && len(r.Pending) > 0 {
		return layers
	}
	out := make([]osconfig.Layer, len(layers))
	for i, layer := range layers {
		out[i] = layer
		if layer.Doc != nil {
			r.Report = append(r.Report, osconfig.Unset(layer.Doc, r.Variables)...)
			out[i].Doc = osconfig.Expand(layer.Doc, r.Variables)
		}
	}
	return out
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
func (l *Loader) oldCopy(ctx context.Context, out *Result, s raw, report *osconfig.Report) ([]osconfig.Layer, string) {
	say := func(text string) {
		*report = append(*report, osconfig.Problem{
			Severity: osconfig.Error, Kind: osconfig.Source, Layer: s.name, File: s.file, Text: text,
		})
	}
	if layers, path := l.lastGood(ctx, out, s.name); path != "" {
		say("not used; its last good copy takes its place: " + path)
		return layers, OldCopy
	}
	say("not used; there is no good copy of it")
	return nil, Dropped
}

// lastGood reads the last good copy of a layer, with what it includes; the
// path is "" when there is none.
func (l *Loader) lastGood(ctx context.Context, out *Result, layer string) ([]osconfig.Layer, string) {
	path := copyPath(layer)
	data, err := os.ReadFile(filepath.Join(l.Root, path))
	if err != nil {
		return nil, ""
	}
	layers, report := cloudconfig.Parser{Fetcher: includes{l, out}}.Parse(ctx, layer, path, data)
	if unusable(report) {
		return nil, ""
	}
	return layers, path
}

// mend puts sections of last good copies in for those with errors: a section
// that worked is better than one with a hole. What it did is in the report;
// without anything to do it is empty.
func (l *Loader) mend(ctx context.Context, result *Result, layers []osconfig.Layer, report osconfig.Report) ([]osconfig.Layer, osconfig.Report) {
	broken := map[string][]string{} // sections by layer
	for _, p := range report {
		if s := section(p.Path); p.Severity == osconfig.Error && s != "" && p.Kind != osconfig.Source {
			broken[p.Layer] = append(broken[p.Layer], s)
		}
	}
	var said osconfig.Report
	out := make([]osconfig.Layer, 0, len(layers))
	done := map[string]bool{}
	for _, layer := range layers {
		sections := broken[layer.Name]
		if len(sections) == 0 || layer.Doc == nil {
			out = append(out, layer)
			continue
		}
		copies, path := l.lastGood(ctx, result, layer.Name)
		for _, s := range sections {
			var old []osconfig.Layer
			for _, c := range copies {
				if n := pick(c.Doc, s); n != nil {
					old = append(old, osconfig.Layer{Name: c.Name, File: c.File, Doc: n})
				}
			}
			if len(old) == 0 {
				continue
			}
			layer.Doc = drop(layer.Doc, s)
			if key := layer.Name + " " + s; !done[key] {
				done[key] = true
				out = append(out, result.expand(old)...) // kept as they were written
				said = append(said, osconfig.Problem{
					Severity: osconfig.Error, Kind: osconfig.Source, Layer: layer.Name, File: layer.File, Path: s,
					Text: "not used; what the last good copy says takes its place: " + path,
				})
			}
		}
		out = append(out, layer)
	}
	return out, said
}

// ofCopies are the errors of last good copies: a newer version may refuse what
// an older one took.
func ofCopies(report osconfig.Report) osconfig.Report {
	return slices.DeleteFunc(report, func(p osconfig.Problem) bool {
		return p.Severity != osconfig.Error || !strings.HasPrefix(p.File, lastGood+"/")
	})
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
