package cloudconfig

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// ScriptPath is where user-data that is a script is written in the console.
// The scripts of other layers stand beside it, by the layer's name.
const ScriptPath = scriptDir + "/user-data"

const (
	scriptDir = "/var/lib/cloud/scripts"
	hookDir   = "/var/lib/cloud/boothooks"
)

// scriptPath is the path of the nth script of a layer.
func scriptPath(dir, layer string, n int) string {
	name := strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf && (c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return c
		}
		return '_'
	}, layer)
	if strings.Trim(name, ".") == "" {
		name = "script"
	}
	if n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	return dir + "/" + name
}

// bootHook takes the mark of the format away; what is left may do without
// "#!", for /bin/sh.
func bootHook(text []byte) []byte {
	if line, rest, _ := bytes.Cut(text, []byte("\n")); strings.HasPrefix(strings.ToLower(string(line)), "#cloud-boothook") {
		text = rest
	}
	if !bytes.HasPrefix(text, []byte("#!")) {
		text = append([]byte("#!/bin/sh\n"), text...)
	}
	return text
}

// script makes a layer of a script, which the console writes and runs.
func (r *run) script(p part, key, path string, text []byte) {
	text = bytes.TrimLeft(text, " \t\r\n")
	// A carriage return after the interpreter's name is part of that name to
	// the kernel: such a script never ran anywhere.
	if line, _, _ := bytes.Cut(text, []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	}
	pos := osconfig.Pos{Layer: r.name, File: p.file, Line: p.line + 1, Col: p.col + 1}
	str := func(s string) *osconfig.Node { return osconfig.NewString(pos, s) }
	entry := func(key string, value *osconfig.Node) osconfig.Entry {
		return osconfig.Entry{Key: key, KeyPos: pos, Value: value}
	}
	content, encoding := string(text), ""
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		content, encoding = base64.StdEncoding.EncodeToString(text), "b64"
	}
	written := osconfig.NewMap(pos,
		entry("path", str(path)), entry("permissions", str("0700")), entry("content", str(content)))
	if encoding != "" {
		written.Map = append(written.Map, entry("encoding", str(encoding)))
	}
	r.layers = append(r.layers, osconfig.Layer{Name: r.name, File: p.file, Doc: osconfig.NewMap(pos,
		entry(key, osconfig.NewList(pos, written)),
	)})
}
