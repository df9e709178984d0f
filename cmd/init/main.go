// Command init is the initramfs's /init (stage 1), PID 1 of the system (stage
// 2), and the program that the kernel calls when it wants a module. Its
// packages are below init/.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pharos-os/pharos/init/modules"
	"github.com/pharos-os/pharos/init/stages"
)

func main() {
	if name, ok := modules.IsHelperCall(os.Args); ok && os.Getpid() != 1 {
		if err := modules.Modprobe(name); err != nil {
			os.Exit(1)
		}
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: this is the first process of a machine; it cannot be run by hand")
		os.Exit(2)
	}
	stages.Run(context.Background())
}
