package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

func kernelCommand(fs *flag.FlagSet) func(context.Context, *slog.Logger) error {
	in := fs.String("in", "", "unpacked kernel image (and firmware) `folder`")
	out := fs.String("out", "", "`folder` to make: vmlinuz, version, root")
	return func(ctx context.Context, _ *slog.Logger) error {
		tmp := *out + ".new"
		if err := os.RemoveAll(tmp); err != nil {
			return err
		}
		if err := buildKernel(ctx, *in, tmp); err != nil {
			return err
		}
		if err := os.RemoveAll(*out); err != nil {
			return err
		}
		return os.Rename(tmp, *out)
	}
}

// buildKernel copies the one kernel below in to out: vmlinuz as it is, modules
// decompressed. The file system compresses them better in its own blocks, the
// kernel needs no user memory to unpack them, and an appended signature is part
// of the module's bytes and stays. Every module must have one: the kernel command
// line says module.sig_enforce=1.
func buildKernel(ctx context.Context, in, out string) error {
	images, err := filepath.Glob(filepath.Join(in, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return fmt.Errorf("kernel images in %s: want 1, found %q", in, images)
	}
	version := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	t := tree{root: out}
	if err := t.copyFile(images[0], "/vmlinuz"); err != nil {
		return err
	}
	if err := os.WriteFile(t.path("/version"), []byte(version+"\n"), 0o644); err != nil {
		return err
	}
	root := filepath.Join(in, "usr/lib")
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(p, root)
		if !strings.HasPrefix(rel, "/modules/"+version+"/") && !strings.HasPrefix(rel, "/firmware/") {
			return nil
		}
		target := "/root/usr/lib" + rel
		switch {
		case d.Type()&os.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return t.link(target, to)
		case strings.HasSuffix(rel, ".ko.xz"):
			return t.unxz(p, strings.TrimSuffix(target, ".xz"))
		default:
			return t.copyFile(p, target)
		}
	})
	if err != nil {
		return err
	}
	// depmod looks below lib/modules.
	if err := t.link("/root/lib", "usr/lib"); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, "depmod", "-b", t.path("/root"), version)); err != nil {
		return err
	}
	return os.Remove(t.path("/root/lib"))
}

func (t tree) unxz(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := xz.NewReader(in)
	if err != nil {
		return fmt.Errorf("module %s: %w", source, err)
	}
	if err := os.MkdirAll(filepath.Dir(t.path(target)), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(t.path(target), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	if err == nil {
		err = checkSigned(out)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("module %s: %w", source, err)
	}
	return nil
}

// signatureMark ends a signed module (MODULE_SIG_STRING of linux/module_signature.h).
const signatureMark = "~Module signature appended~\n"

var errUnsigned = errors.New("no signature at its end; the kernel would not load it (module.sig_enforce)")

// checkSigned fails when a module's file has no signature. Whether it is by a
// key that the kernel trusts is for the kernel to say.
func checkSigned(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := make([]byte, min(info.Size(), int64(len(signatureMark))))
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return err
	}
	if string(end) != signatureMark {
		return errUnsigned
	}
	return nil
}
