package osconfig

import "slices"

// Paths lists every key that a configuration can have, as pattern paths: "*"
// stands for the keys of free mappings, "[]" for list items. Shells complete
// keys from it.
func Paths() []string { return slices.Clone(allPaths()) }
