// Command docker-plugins is Docker's builder plugin and its Compose plugin as
// one program: the name under which it is called says which. It owns that
// choice and nothing else. Both come from copies of their modules in which main
// is a function of a package (scripts/docker-mod).
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/docker/buildx/cmd/buildx"
	compose "github.com/docker/compose/v5/cmd"
)

func main() {
	switch name := filepath.Base(os.Args[0]); name {
	case "docker-buildx":
		buildx.Main()
	case "docker-compose":
		compose.Main()
	default:
		fmt.Fprintf(os.Stderr, "%s: unknown name; call this program as docker-buildx or docker-compose\n", name)
		os.Exit(2)
	}
}
