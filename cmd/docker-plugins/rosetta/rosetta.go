// Package rosetta stands in for github.com/tonistiigi/go-rosetta, which the Go
// module proxy does not serve. Docker's CLI asks it whether the program runs
// under Apple's translation of x86-64. Pharos runs on Linux only, so the
// answer is always no; the package refuses nothing and has no state.
package rosetta

import "runtime"

// Enabled reports whether the program is being translated by Rosetta.
func Enabled() bool { return false }

// NativeArch returns the architecture of the machine's processor, as GOARCH.
func NativeArch() string { return runtime.GOARCH }
