package cloudconfig

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// sniff tells the format by the first line. What is no name of a format is
// one that is refused, as a sentence says it.
func sniff(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	first := strings.ToLower(strings.TrimSpace(string(line)))
	formats := []struct{ prefix, format string }{
		{"#!", "script"},
		{"#include-once", "include"},
		{"#include", "include"},
		{"#cloud-config-archive", "archive"},
		{"#cloud-config-jsonp", "a JSON patch (#cloud-config-jsonp)"},
		{"#cloud-config", "config"},
		{"#cloud-boothook", "boothook"},
		{"#compose", "compose"},
		{"#part-handler", "a part handler (#part-handler)"},
		{"#upstart-job", "an upstart job (#upstart-job)"},
		{"## template:", "a template (" + strings.TrimSpace(strings.TrimPrefix(first, "##")) + ")"},
		{"content-type:", "mime"},
		{"mime-version:", "mime"},
		{"from nobody", "mime"},
	}
	for _, f := range formats {
		if strings.HasPrefix(first, f.prefix) {
			return f.format
		}
	}
	// Other header lines may come first.
	if head := text[:min(len(text), 4096)]; !bytes.HasPrefix(head, []byte("#")) &&
		bytes.Contains(bytes.ToLower(head), []byte("\nmime-version:")) {
		return "mime"
	}
	return "config"
}

// formatOf is the format of a MIME type, "" when the first line tells.
func formatOf(kind string) (format string, known bool) {
	if kind == "" {
		return "", true
	}
	media, _, err := mime.ParseMediaType(kind)
	if err != nil {
		media = strings.ToLower(strings.TrimSpace(kind))
	}
	switch media {
	case "text/cloud-config":
		return "config", true
	case "text/x-shellscript", "text/x-shellscript-per-boot", "text/x-shellscript-per-instance", "text/x-shellscript-per-once":
		return "script", true
	case "text/x-include-url", "text/x-include-once-url":
		return "include", true
	case "text/cloud-config-archive":
		return "archive", true
	case "text/cloud-boothook":
		return "boothook", true
	case "text/part-handler":
		return "a part handler (text/part-handler)", true
	case "text/upstart-job":
		return "an upstart job (text/upstart-job)", true
	case "text/jinja2":
		return "a template (text/jinja2)", true
	case "text/cloud-config-jsonp":
		return "a JSON patch (text/cloud-config-jsonp)", true
	case "text/plain", "text/yaml", "text/x-yaml", "application/yaml", "application/x-yaml", "application/json", "text/json",
		"text/x-not-multipart", "application/octet-stream", "application/gzip", "application/x-gzip", "application/gzip-compressed",
		"application/gzipped", "application/x-compressed", "application/x-compress", "application/x-gzip-compressed":
		return "", true
	}
	return "", false
}

func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }

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

// base64Whole decodes user-data that a cloud hands out as it got it, in
// base64. It must hold a format that names itself: a YAML text of one word
// could look like base64, too.
func base64Whole(data []byte) ([]byte, bool) {
	text := bytes.TrimSpace(data)
	if len(text) < 8 || len(bytes.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n")) > 0 {
		return nil, false
	}
	out, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		return nil, false
	}
	plain := bytes.TrimPrefix(out, []byte("\ufeff"))
	line, _, _ := bytes.Cut(plain, []byte("\n"))
	named := bytes.HasPrefix(line, []byte("#")) || sniff(plain) == "mime" || bytes.HasPrefix(line, []byte("{"))
	return out, isGzip(out) || named && utf8.Valid(line)
}
