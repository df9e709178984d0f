// Package schema owns the JSON Schema of the configuration, for editors and
// other programs. It is made from the types of package osconfig by the
// command gen, which writes docs/reference.md too; it holds no rules of its
// own and validates nothing.
package schema

import _ "embed"

//go:generate go run -mod=mod ./gen

//go:embed schema.json
var schema []byte

// JSON returns the schema, in the form of JSON Schema draft 2020-12. It
// accepts whatever the validator accepts, and refuses unknown keys and values
// of a wrong kind; the validator knows more.
func JSON() []byte { return append([]byte(nil), schema...) }
