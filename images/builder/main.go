// Command builder makes the trees that an image is built of: core images from
// recipes, the kernel's module tree, the initrd archive, and the system tree
// in which files that are the same in several images are one file. It owns
// what is in a tree and its manifest; it refuses to make file systems, which
// scripts/system does, and to run on a user's machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// command is one subcommand: it declares its flags on fs and returns what to
// do once they are parsed.
type command struct {
	name, help string
	setup      func(fs *flag.FlagSet) func(ctx context.Context, log *slog.Logger) error
}

func commands() []command {
	return []command{
		{"image", "make one image's tree and OCI configuration from its recipe", imageCommand},
		{"kernel", "make vmlinuz and a plain module tree from an unpacked kernel package", kernelCommand},
		{"initrd", "write the initrd archive (cpio newc, uncompressed)", initrdCommand},
		{"system", "assemble the system tree", systemCommand},
		{"manifest", "write manifest.json", manifestCommand},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)), os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "builder:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger, args []string) error {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name != args[0] {
				continue
			}
			fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
			do := c.setup(fs)
			if err := fs.Parse(args[1:]); err != nil {
				return err
			}
			if err := do(ctx, log); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		}
	}
	for _, c := range commands() {
		fmt.Fprintf(os.Stderr, "builder %-9s %s\n", c.name, c.help)
	}
	return errors.New("subcommand needed")
}
