package netconf_test

import (
	"cmp"
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pharos-os/pharos/netconf"
)

// dump prints what a Spec says, one line a field, without what is empty.
func dump(spec netconf.Spec) string {
	var b strings.Builder
	dumpStruct(&b, reflect.ValueOf(spec), "")
	return b.String()
}

func dumpStruct(b *strings.Builder, v reflect.Value, indent string) {
	for i := range v.NumField() {
		dumpField(b, v.Type().Field(i).Name, v.Field(i), indent)
	}
}

func dumpField(b *strings.Builder, name string, v reflect.Value, indent string) {
	if v.IsZero() {
		return
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if text, ok := scalar(v); ok {
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		fmt.Fprintf(b, "%s%s:\n", indent, name)
		dumpStruct(b, v, indent+"  ")
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		for _, k := range keys {
			fmt.Fprintf(b, "%s%s[%v]: %v\n", indent, name, k, v.MapIndex(k))
		}
	case reflect.Slice:
		for i := range v.Len() {
			if text, ok := scalar(v.Index(i)); ok {
				fmt.Fprintf(b, "%s%s: %s\n", indent, name, text)
				continue
			}
			fmt.Fprintf(b, "%s%s:\n", indent, strings.TrimSuffix(name, "s"))
			dumpStruct(b, v.Index(i), indent+"  ")
		}
	}
}

func scalar(v reflect.Value) (string, bool) {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String(), true
	case netconf.Mode:
		return []string{"auto", "yes", "no"}[x], true
	case netconf.LinkID:
		return x.Name, true
	case []byte:
		return fmt.Sprintf("% x", x), true
	case []string:
		return fmt.Sprintf("%q", x), true
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		return string(text), err == nil
	}
	switch v.Kind() {
	case reflect.String, reflect.Int, reflect.Bool:
		return fmt.Sprint(v.Interface()), true
	}
	return "", false
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
