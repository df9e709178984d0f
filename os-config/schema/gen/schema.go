package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// object is a JSON object; its keys are written in order of the alphabet.
type object = map[string]any

// schema writes the JSON Schema.
//
// It accepts all that the validator accepts: null says nothing and is welcome
// everywhere, a number or a truth value is a text where a text is wanted, and
// the truth values of YAML 1.1 count.
func (s *shape) schema() ([]byte, error) {
	defs := object{
		"text":  object{"type": []string{"string", "number", "boolean", "null"}},
		"truth": object{"anyOf": []object{{"type": []string{"boolean", "null"}}, {"type": "string", "pattern": yesOrNo}}},
		"texts": object{"anyOf": []object{ref("text"), list(ref("text"))}},
		"command": object{"anyOf": []object{
			ref("text"),
			{"type": "array", "items": ref("text"), "minItems": 1},
		}},
		"mount": object{"anyOf": []object{
			ref("text"),
			{"type": "array", "items": ref("text"), "minItems": 1, "maxItems": mountFields},
		}},
		"pairs": object{"anyOf": []object{list(ref("text")), mapping(ref("text"))}},
	}
	for _, at := range s.sections {
		for _, k := range at.keys {
			if k.comment == "" {
				return nil, fmt.Errorf("%s: the key %s has no comment", at.typ.Name(), k.name)
			}
		}
		defs[at.typ.Name()] = s.section(at)
	}
	root := object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "Pharos cloud-config",
		"description": "Configuration of a Pharos machine. The validator (ros config validate) knows more than this schema.",
		"$ref":        "#/$defs/Config",
		"$defs":       defs,
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return b.Bytes(), nil
}

const (
	mountFields = 6 // those of fstab(5)
	// yesOrNo are the plain words that RancherOS's YAML read as truth values.
	yesOrNo = "^([yY]([eE][sS])?|[nN][oO]?|[oO]([nN]|[fF][fF]))$"
)

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func list(item object) object { return object{"type": []string{"array", "null"}, "items": item} }

func mapping(value object) object {
	return object{"type": []string{"object", "null"}, "additionalProperties": value}
}

func (s *shape) section(at section) object {
	properties, spellings := object{}, object{}
	for _, k := range at.keys {
		p := s.value(k.typ)
		if at.typ == reflect.TypeFor[osconfig.Group]() && k.name == "members" {
			p = ref("texts")
		}
		if at.typ == reflect.TypeFor[osconfig.Config]() && k.name == "ssh_pwauth" {
			p = object{"anyOf": []object{ref("truth"), {"const": "unchanged"}}}
		}
		p["description"] = k.comment
		if k.bounds != nil {
			limit(p, *k.bounds, k.typ)
		}
		properties[k.name] = p
		if strings.Contains(k.name, "_") {
			spellings["^"+hyphens(k.name)+"$"] = ref(at.typ.Name() + "/properties/" + k.name)
		}
	}
	if at.typ == reflect.TypeFor[osconfig.User]() {
		spellings["^lock[-_]password$"] = ref("User/properties/lock_passwd")
	}
	for _, n := range s.legacy[at.typ.Name()] {
		properties[n.name] = object{"description": n.text, "deprecated": true, "deprecationMessage": n.text}
		if strings.Contains(n.name, "_") {
			spellings["^"+hyphens(n.name)+"$"] = ref(at.typ.Name() + "/properties/" + n.name)
		}
	}
	out := object{
		"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false,
	}
	if len(spellings) > 0 {
		out["patternProperties"] = spellings
	}
	if doc := s.src.types[at.typ.Name()]; doc != "" {
		out["description"] = doc
	}
	return out
}

// value is the schema of a type.
func (s *shape) value(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[osconfig.Any]():
		return object{}
	case reflect.TypeFor[osconfig.Command]():
		return ref("command")
	case reflect.TypeFor[osconfig.Mount]():
		return ref("mount")
	case reflect.TypeFor[osconfig.Texts](), reflect.TypeFor[osconfig.Lines]():
		return ref("texts")
	case reflect.TypeFor[osconfig.Pairs](), reflect.TypeFor[osconfig.Dict]():
		return ref("pairs")
	case reflect.TypeFor[[]osconfig.User]():
		return object{"anyOf": []object{ref("text"), list(object{"anyOf": []object{ref("text"), ref("User")}})}}
	case reflect.TypeFor[[]osconfig.Group]():
		members := mapping(ref("texts"))
		nameless := object{"type": "object", "additionalProperties": ref("texts"), "not": object{"required": []string{"name"}}}
		return object{"anyOf": []object{ref("text"), members, list(object{"anyOf": []object{ref("text"), ref("Group"), nameless}})}}
	case reflect.TypeFor[osconfig.Ulimit]():
		return object{"anyOf": []object{{"type": "integer"}, ref("Ulimit")}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(t.Elem())
	case reflect.Struct:
		return ref(t.Name())
	case reflect.Slice:
		return list(s.value(t.Elem()))
	case reflect.Map:
		return mapping(s.value(t.Elem()))
	case reflect.Bool:
		return ref("truth")
	case reflect.Int:
		return object{"type": []string{"integer", "null"}}
	}
	return ref("text")
}

// limit adds what a rule allows.
func limit(p object, b bounds, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.String && b.oneOf != nil:
		p["enum"] = enum(b.oneOf)
	case t.Kind() == reflect.Int && b.oneOf == nil && b.orZero:
		p["anyOf"] = []object{{"const": 0}, {"minimum": b.low, "maximum": b.high}}
	case t.Kind() == reflect.Int && b.oneOf == nil:
		p["minimum"], p["maximum"] = b.low, b.high
	}
}

// enum are values as texts, and as what they are without quotes.
func enum(values []string) []any {
	var out []any
	for _, v := range values {
		out = append(out, v)
		if i, err := strconv.Atoi(v); err == nil {
			out = append(out, i)
		}
		if v == "true" || v == "false" {
			out = append(out, v == "true")
		}
	}
	return append(out, "", nil)
}

// hyphens is a pattern for the spellings of a name in which at least one
// underscore is a hyphen. JSON Schema's patterns cannot look ahead in every
// implementation.
func hyphens(name string) string {
	first, rest, ok := strings.Cut(name, "_")
	if !strings.Contains(rest, "_") {
		return first + "-" + rest
	}
	if !ok {
		return first
	}
	return first + "(-" + strings.ReplaceAll(rest, "_", "[-_]") + "|_" + hyphens(rest) + ")"
}
