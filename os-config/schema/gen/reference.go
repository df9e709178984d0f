package main

import (
	"fmt"
	"reflect"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

const referenceHead = `# Configuration reference

Every key, from the types in os-config. Made by ` + "`go generate ./os-config/schema`" + `: do not edit it, edit the
comments of the fields. [configuration.md](configuration.md) explains how it all fits together.

- *text* is one value; numbers and truth values need no quotes where a text is wanted. *texts* is one text or a list of texts.
- *truth* is ` + "`true` or `false`; `yes`, `no`, `on` and `off`" + ` do as well, as they did in RancherOS.
- *command* is a line for /bin/sh or a list of arguments, which runs without a shell.
- *pairs* is a mapping or a list of NAME=VALUE.
- A key without a value says nothing: what an earlier layer says there holds.
- ` + "`[]` stands for each item of a list, `NAME`" + ` for a key that you choose.
- Underscores in keys may be hyphens, as in CoreOS's files.
- **secret**: ` + "`ros config export` leaves it out unless you say `--private`" + `.

`

// reference writes the page for people.
func (s *shape) reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, at := range s.sections {
		fmt.Fprintf(&b, "- [%s](#%s)\n", title(at), anchor(at))
	}
	b.WriteString("- [Keys of others](#keys-of-others)\n")
	for _, at := range s.sections {
		s.table(&b, at)
	}
	b.WriteString("\n## Keys of others\n\nRancherOS, BurmillaOS, CoreOS and cloud-init know these. They are warnings, never unknown keys.\n\n")
	b.WriteString("| key | what becomes of it |\n|---|---|\n")
	for _, at := range s.sections {
		for _, n := range s.legacy[at.typ.Name()] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", people(join(at.path, n.name)), cell(n.text))
		}
	}
	return []byte(b.String())
}

func (s *shape) table(b *strings.Builder, at section) {
	fmt.Fprintf(b, "\n<a id=\"%s\"></a>\n\n## %s\n\n", anchor(at), title(at))
	if doc := s.src.types[at.typ.Name()]; at.path != "" && doc != "" {
		doc = strings.TrimPrefix(doc, at.typ.Name()+" is ")
		b.WriteString(cell(strings.ToUpper(doc[:1])+doc[1:]) + "\n\n")
	}
	b.WriteString("| key | value | meaning |\n|---|---|---|\n")
	for _, k := range at.keys {
		id := strings.NewReplacer("[]", "", "*.", "").Replace(join(at.path, k.name))
		meaning := cell(k.comment)
		if k.bounds != nil {
			meaning += k.bounds.sentence()
		}
		if k.about.Missing != "" {
			meaning += " **Not carried out yet**: " + cell(k.about.Missing) + "."
		}
		if k.about.Secret {
			meaning += " **secret**"
		}
		fmt.Fprintf(b, "| <a id=\"key-%s\"></a>`%s` | %s | %s |\n", id, k.name, s.describe(k.typ), meaning)
	}
}

// sentence says what a rule allows.
func (b bounds) sentence() string {
	switch {
	case b.oneOf != nil:
		return " One of: `" + strings.Join(b.oneOf, "`, `") + "`."
	case b.orZero:
		return fmt.Sprintf(" From %d to %d, or 0.", b.low, b.high)
	}
	return fmt.Sprintf(" From %d to %d.", b.low, b.high)
}

// describe names a type, with a link to its section.
func (s *shape) describe(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[osconfig.Any]():
		return "anything"
	case reflect.TypeFor[osconfig.Command]():
		return "command"
	case reflect.TypeFor[osconfig.Mount]():
		return "list: device, mount point, file system, options"
	case reflect.TypeFor[osconfig.Texts]():
		return "texts"
	case reflect.TypeFor[osconfig.Lines]():
		return "list of text, or a text with one on each line"
	case reflect.TypeFor[osconfig.Pairs](), reflect.TypeFor[osconfig.Dict]():
		return "pairs"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.describe(t.Elem())
	case reflect.Slice:
		return "list of " + s.describe(t.Elem())
	case reflect.Map:
		return "mapping of NAME to " + s.describe(t.Elem())
	case reflect.Bool:
		return "truth"
	case reflect.Int:
		return "number"
	case reflect.Struct:
		if at := s.named(t); at != nil {
			return fmt.Sprintf("[%s](#%s)", people(at.path), anchor(*at))
		}
	}
	return "text"
}

func title(at section) string {
	if at.path == "" {
		return "Top level"
	}
	return people(at.path)
}

// people is a pattern path as people write it.
func people(path string) string { return strings.ReplaceAll(path, "*", "NAME") }

func anchor(at section) string {
	if at.path == "" {
		return "top"
	}
	return strings.NewReplacer("[]", "", ".*", "", ".", "-").Replace(at.path)
}

func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }

// cell is a text that does not end a table's cell.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "$", "&#36;", "*", "\\*").Replace(s)
}
