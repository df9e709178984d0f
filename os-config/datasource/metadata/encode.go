package metadata

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// encode makes a node of a section, by the names of its keys. What is empty
// is left out; a map's keys are sorted.
func encode(pos osconfig.Pos, section any) *osconfig.Node {
	return encodeValue(pos, reflect.ValueOf(section))
}

// encodeValue returns nil for what is empty.
func encodeValue(pos osconfig.Pos, v reflect.Value) *osconfig.Node {
	scalar := func(kind osconfig.Kind, text string) *osconfig.Node {
		return &osconfig.Node{Kind: kind, Text: text, Pos: pos}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if b, ok := v.Elem().Interface().(bool); ok { // a pointer says no as well
			return scalar(osconfig.Bool, strconv.FormatBool(b))
		}
		return encodeValue(pos, v.Elem())
	case reflect.String:
		if v.Len() > 0 {
			return osconfig.NewString(pos, v.String())
		}
	case reflect.Int:
		if !v.IsZero() {
			return scalar(osconfig.Int, strconv.FormatInt(v.Int(), 10))
		}
	case reflect.Bool:
		if v.Bool() {
			return scalar(osconfig.Bool, "true")
		}
	case reflect.Slice:
		list := osconfig.NewList(pos)
		for i := range v.Len() {
			if item := encodeValue(pos, v.Index(i)); item != nil {
				list.List = append(list.List, item)
			}
		}
		if len(list.List) > 0 {
			return list
		}
	case reflect.Map:
		return encodeMap(pos, v)
	case reflect.Struct:
		return encodeStruct(pos, v)
	}
	return nil
}

func encodeMap(pos osconfig.Pos, v reflect.Value) *osconfig.Node {
	values := map[string]reflect.Value{}
	for _, k := range v.MapKeys() {
		values[k.String()] = v.MapIndex(k)
	}
	out := osconfig.NewMap(pos)
	for _, k := range slices.Sorted(maps.Keys(values)) {
		value := encodeValue(pos, values[k])
		if value == nil { // the key alone says something
			value = osconfig.NewMap(pos)
		}
		out.Map = append(out.Map, osconfig.Entry{Key: k, KeyPos: pos, Value: value})
	}
	if len(out.Map) == 0 {
		return nil
	}
	return out
}

func encodeStruct(pos osconfig.Pos, v reflect.Value) *osconfig.Node {
	out := osconfig.NewMap(pos)
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if value := encodeValue(pos, v.Field(i)); key != "" && value != nil && (!value.Scalar() && len(value.Map)+len(value.List) > 0 || value.Scalar()) {
			out.Map = append(out.Map, osconfig.Entry{Key: key, KeyPos: pos, Value: value})
		}
	}
	return out
}
