// Package cloudconfig owns the formats of user-data: it turns what a
// datasource or a file holds into layers. It is pure; it refuses to fetch
// anything.
package cloudconfig

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ScriptPath is where user-data that is a script is written in the console.
const ScriptPath = "/var/lib/cloud/scripts/user-data"

// Parse reads user-data: a cloud-config ("#cloud-config"), any YAML or JSON
// mapping, or a script ("#!…"), each also packed with gzip. No data makes no
// layers. What it cannot use is a problem of kind Syntax.
func Parse(name, file string, data []byte) ([]osconfig.Layer, osconfig.Report) {
	fail := func(text string) ([]osconfig.Layer, osconfig.Report) {
		return nil, osconfig.Report{{
			Severity: osconfig.Error, Kind: osconfig.Syntax, Layer: name, File: file,
			Line: 1, Col: 1, Text: text,
		}}
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		unpacked, err := unzip(data)
		if err != nil {
			return fail(fmt.Sprintf("gzip data that does not unpack: %v", err))
		}
		data = unpacked
	}
	text := bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	first := strings.TrimSpace(string(line))
	switch {
	case strings.HasPrefix(first, "#!"):
		return []osconfig.Layer{script(name, file, text)}, nil
	case notYet(first) != "":
		return fail(notYet(first))
	}
	layer, report := osconfig.Parse(name, file, data)
	if layer.Doc == nil {
		if utf8.Valid(data) && first != "#cloud-config" && !mappingLike(first) {
			return fail("neither a cloud-config (first line #cloud-config) nor a script (#!…) nor a YAML mapping")
		}
		return nil, report
	}
	if layer.Doc.Child("ignition") != nil {
		return fail("an Ignition config; write a cloud-config instead")
	}
	return []osconfig.Layer{layer}, report
}

// mappingLike says whether a first line could be one of YAML, whose own
// problems then tell more.
func mappingLike(first string) bool {
	return strings.HasPrefix(first, "#") || strings.HasPrefix(first, "{") || strings.HasPrefix(first, "---") ||
		strings.Contains(first, ":")
}

// notYet says so of the formats that cloud-init knows and Pharos does not.
func notYet(first string) string {
	formats := []struct{ prefix, what string }{
		{"#include", "a list of includes (#include)"},
		{"#cloud-config-archive", "a cloud-config archive"},
		{"#cloud-config-jsonp", "a JSON patch (#cloud-config-jsonp)"},
		{"#cloud-boothook", "a boot hook (#cloud-boothook)"},
		{"#part-handler", "a part handler"},
		{"#upstart-job", "an upstart job"},
		{"## template:", "a template"},
		{"#compose", "a compose file (#compose)"},
		{"content-type:", "MIME multi-part"},
		{"mime-version:", "MIME multi-part"},
		{"from nobody", "MIME multi-part"},
	}
	for _, f := range formats {
		if strings.HasPrefix(strings.ToLower(first), f.prefix) {
			return fmt.Sprintf("user-data is %s, which is not supported yet; write a cloud-config (first line #cloud-config) or a script (#!…)", f.what)
		}
	}
	return ""
}

// script makes a layer that writes the script and runs it in the console.
func script(name, file string, text []byte) osconfig.Layer {
	// A carriage return after the interpreter's name is part of that name to
	// the kernel: such a script never ran anywhere.
	if line, _, _ := bytes.Cut(text, []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	pos := osconfig.Pos{Layer: name, File: file, Line: 1, Col: 1}
	str := func(s string) *osconfig.Node { return osconfig.NewString(pos, s) }
	entry := func(key string, value *osconfig.Node) osconfig.Entry {
		return osconfig.Entry{Key: key, KeyPos: pos, Value: value}
	}
	content, encoding := string(text), ""
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		content, encoding = base64.StdEncoding.EncodeToString(text), "b64"
	}
	written := osconfig.NewMap(pos,
		entry("path", str(ScriptPath)), entry("permissions", str("0700")), entry("content", str(content)))
	if encoding != "" {
		written.Map = append(written.Map, entry("encoding", str(encoding)))
	}
	return osconfig.Layer{Name: name, File: file, Doc: osconfig.NewMap(pos,
		entry("write_files", osconfig.NewList(pos, written)),
		entry("runcmd", osconfig.NewList(pos, osconfig.NewList(pos, str(ScriptPath)))),
	)}
}

func unzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, osconfig.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(out) > osconfig.MaxSize {
		return nil, fmt.Errorf("more than %d bytes", osconfig.MaxSize)
	}
	return out, nil
}
