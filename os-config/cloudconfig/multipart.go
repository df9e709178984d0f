package cloudconfig

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// mime reads a MIME message: RFC 2045 and 2046, as cloud-init's
// make-mime and most clouds' tools write it.
func (r *run) mime(p part, text []byte) {
	skipped := 0
	// The line of a mailbox, which is no header.
	if line, rest, _ := bytes.Cut(text, []byte("\n")); bytes.HasPrefix(line, []byte("From ")) {
		text, skipped = rest, 1
	}
	msg, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		r.refuse(p, "MIME data without readable headers: %v", err)
		return
	}
	body, err := io.ReadAll(msg.Body)
	if err != nil {
		r.refuse(p, "MIME data that does not read: %v", err)
		return
	}
	p.line += skipped + lines(text[:len(text)-len(body)])
	r.entity(p, msg.Header.Get, body)
}

func lines(text []byte) int { return bytes.Count(text, []byte("\n")) }

// entity reads a body with its headers.
func (r *run) entity(p part, header func(string) string, body []byte) {
	p.depth++
	kind := header("Content-Type")
	media, params, err := mime.ParseMediaType(kind)
	if err != nil && kind != "" && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		r.refuse(p, "content type %q does not read: %v", shorten(kind), err)
		return
	}
	if header("Merge-Type") != "" || header("X-Merge-Type") != "" {
		r.problem(p, osconfig.Warning, osconfig.Unsupported, 1, "Merge-Type is not supported; parts merge as layers do")
	}
	if strings.HasPrefix(media, "multipart/") {
		r.multipart(p, params["boundary"], body)
		return
	}
	plain, encoded, err := transferDecode(header("Content-Transfer-Encoding"), body)
	if err != nil {
		r.refuse(p, "%v", err)
		return
	}
	if encoded {
		_, disposition, _ := mime.ParseMediaType(header("Content-Disposition"))
		name := disposition["filename"]
		if name == "" {
			name = fmt.Sprintf("part-%d", r.parts)
		}
		p.file, p.line, p.col = p.file+"/"+cleanName(name), 0, 0
	}
	p.kind, p.data = media, plain
	r.read(p)
}

// cleanName keeps a part's file name on one line of a message.
func cleanName(name string) string {
	return shorten(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '_'
		}
		return c
	}, name))
}

func (r *run) multipart(p part, boundary string, body []byte) {
	whole := p
	whole.depth-- // of which the parts are parts
	if boundary == "" {
		r.refuse(whole, "MIME multi-part without a boundary")
		return
	}
	if p.depth > maxNested {
		r.refuse(whole, "formats inside each other more than %d deep", maxNested)
		return
	}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	from, found := 0, 0
	for {
		next, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		var inner []byte
		if err == nil {
			inner, err = io.ReadAll(next)
		}
		if err != nil {
			r.refuse(whole, "MIME multi-part that breaks off: %v", err)
			return
		}
		found++
		if r.parts++; r.parts > maxParts {
			r.refuse(p, "more than %d parts; the rest is left out", maxParts)
			return
		}
		here := p
		if at := bodyOf(body, from, boundary, inner); at >= 0 {
			from = at + len(inner)
			here.line = p.line + lines(body[:at])
		}
		r.entity(here, next.Header.Get, inner)
	}
	if found == 0 {
		r.refuse(whole, "MIME multi-part without parts")
	}
}

// bodyOf finds where a part's body stands, so that positions are those of the
// whole file; -1 when it cannot tell.
func bodyOf(data []byte, from int, boundary string, inner []byte) int {
	i := bytes.Index(data[from:], []byte("--"+boundary))
	if i < 0 {
		return -1
	}
	i += from
	for _, blank := range []string{"\n\n", "\n\r\n"} {
		if j := bytes.Index(data[i:], []byte(blank)); j >= 0 && bytes.HasPrefix(data[i+j+len(blank):], inner) {
			return i + j + len(blank)
		}
	}
	return -1
}

// transferDecode undoes a Content-Transfer-Encoding; encoded says whether
// lines are no longer those of the file.
func transferDecode(encoding string, body []byte) (plain []byte, encoded bool, err error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "7bit", "8bit", "binary":
		return body, false, nil
	case "base64":
		plain, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(body)), ""))
		if err != nil {
			return nil, true, fmt.Errorf("a part that is no base64: %w", err)
		}
		return plain, true, nil
	case "quoted-printable":
		plain, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		if err != nil {
			return nil, true, fmt.Errorf("a part that is no quoted-printable: %w", err)
		}
		return plain, true, nil
	}
	return nil, false, fmt.Errorf("transfer encoding %q is not base64, quoted-printable, 7bit, 8bit or binary", shorten(encoding))
}
