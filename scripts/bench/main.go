// Command bench boots Pharos and two Debian machines in turn and compares them:
// a peer as the distribution makes it and a lean one as a careful admin would tune it.
// It owns how the Debian machines are made and what is measured; it refuses
// judgement beyond printing medians, ratios and the goals they are held to.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pharos-os/pharos/scripts/vmtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := run(ctx, log)
	stop()
	if err != nil {
		log.Error("bench ended early", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger) error {
	rounds := flag.Int("rounds", 3, "how often each machine is booted")
	only := flag.String("only", "pharos,peer,lean", "which machines, separated by commas")
	before := flag.String("before", "", "another tree of Pharos, built, which is measured as well")
	check := flag.Bool("check", false, "fail when a goal is missed")
	flag.Parse()

	root, err := vmtest.FindRoot(".")
	if err != nil {
		return err
	}
	tools := vmtest.FindToolbox(root)
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	want := strings.Split(*only, ",")
	if *before != "" && !slices.Contains(want, "before") {
		want = append(want, "before")
	}
	var debian debianImages
	if slices.Contains(want, "peer") || slices.Contains(want, "lean") {
		if debian, err = buildDebian(ctx, log, tools, root, cache); err != nil {
			return err
		}
	} else if debian.key, err = vmtest.NewKey(); err != nil {
		return err
	}
	out := filepath.Join(root, "build", "bench")
	slots := filepath.Join(root, "build", "vmtest")
	for _, dir := range []string{out, slots} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("bench directory: %w", err)
		}
	}
	b := &bench{log: log, tools: tools, out: out, slots: slots, key: debian.key, kvm: vmtest.KVM(ctx, tools, out)}
	if b.image, err = vmtest.ToolboxImage(tools, imageName, []string{"/bin/busybox"}, []string{"/bin/busybox", "true"}); err != nil {
		return err
	}
	machines, err := contestants(debian, root, *before, out, want)
	if err != nil {
		return err
	}
	results := map[string][]sample{}
	for round := range *rounds {
		for _, m := range machines {
			s, err := b.measure(ctx, m, round)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", m.name, round+1, err)
			}
			log.Info("measured", "machine", m.name, "round", round+1, "sample", s.String())
			results[m.name] = append(results[m.name], s)
		}
	}
	missed := report(os.Stdout, results)
	if *check && len(missed) > 0 {
		return fmt.Errorf("goals missed: %s", strings.Join(missed, "; "))
	}
	return nil
}

// contestants returns the wanted machines in the order in which they boot.
func contestants(debian debianImages, root, before, out string, want []string) ([]contestant, error) {
	var list []contestant
	for _, tree := range []struct{ name, root string }{{"pharos", root}, {"before", before}} {
		if !slices.Contains(want, tree.name) {
			continue
		}
		if tree.root == "" {
			return nil, errors.New("before is compared: say which tree it is with -before DIR")
		}
		p, err := pharos(tree.name, tree.root, filepath.Join(out, "artefacts-"+tree.name))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if slices.Contains(want, "peer") {
		list = append(list, debian.contestant("peer", debian.peer))
	}
	if slices.Contains(want, "lean") {
		list = append(list, debian.contestant("lean", debian.lean))
	}
	if len(list) != len(want) {
		return nil, fmt.Errorf("unknown machine among %q", want)
	}
	return list, nil
}

// cacheDir is where downloads and what is made of them outlive the tree.
func cacheDir() (string, error) {
	dir := os.Getenv("PHAROS_CACHE")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("cache directory: %w", err)
		}
		dir = filepath.Join(home, ".cache", "pharos")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache directory: %w", err)
	}
	return dir, nil
}
