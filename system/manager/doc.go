// Package manager is rosd: it brings the machine up, keeps it as configured
// and takes it down. It owns the boot graph (boot.go), the shutdown graph
// (shutdown.go) and the composition of all other packages; it is the only one
// that sees everything. It refuses mechanism: each step calls the package
// that knows how.
package manager
