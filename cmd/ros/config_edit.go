package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/pharos-os/pharos/system/control/api"
)

func configEdit(t *terminal) *cli.Command {
	return &cli.Command{
		Name:  "edit",
		Usage: "edit the machine's own configuration (root only)",
		Description: "Opens the file in $EDITOR, or in nano or vi, and checks it before it is saved. With an error in it " +
			"you are asked whether to go on editing; the draft is kept otherwise.",
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return t.editFile(c.Context)
		},
	}
}

// editFile lets the user edit the file until the manager takes it.
func (t *terminal) editFile(ctx context.Context) error {
	editor, err := findEditor(os.Getenv("VISUAL"), os.Getenv("EDITOR"))
	if err != nil {
		return err
	}
	file, err := t.manager.ConfigFile(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ros-config-") // for its owner alone
	if err != nil {
		return err
	}
	draft := filepath.Join(dir, filepath.Base(file.Path))
	text := file.Text
	if text == "" {
		text = "#cloud-config\n"
	}
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	answers := bufio.NewReader(t.in)
	for {
		if err := t.runEditor(ctx, editor, draft); err != nil {
			return fmt.Errorf("%s: %w; the draft is %s", editor[0], err, draft)
		}
		edited, err := os.ReadFile(draft)
		if err != nil {
			return err
		}
		if string(edited) == text {
			t.printf("no change\n")
			return os.RemoveAll(dir)
		}
		out, err := t.manager.ConfigEdit(ctx, api.ConfigEdit{Verb: api.VerbReplace, Text: string(edited), Base: file.Sum})
		if err == nil {
			return errors.Join(t.written(out, false), os.RemoveAll(dir))
		}
		t.printf("%v\nEdit again? [Y/n] ", strings.ReplaceAll(err.Error(), file.Path, draft))
		answer, readErr := answers.ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(answer)); readErr != nil || a != "" && a[0] != 'y' {
			t.printf("\n")
			return fmt.Errorf("not saved; the draft is %s", draft)
		}
	}
}

// findEditor is the editor's argument vector: the first wish, else what there is.
func findEditor(wishes ...string) ([]string, error) {
	for _, w := range append(wishes, "nano", "vi", "vim") {
		argv := strings.Fields(w)
		if len(argv) == 0 {
			continue
		}
		if _, err := exec.LookPath(argv[0]); err == nil {
			return argv, nil
		}
	}
	return nil, errors.New("there is no editor: set EDITOR, or use `ros config set` and `ros config merge`")
}

func (t *terminal) runEditor(ctx context.Context, editor []string, file string) error {
	cmd := exec.CommandContext(ctx, editor[0], append(editor[1:len(editor):len(editor)], file)...)
	// Only a terminal is the editor's to read: answers may come from a pipe.
	if in, ok := t.in.(*os.File); ok {
		cmd.Stdin = in
	}
	cmd.Stdout, cmd.Stderr = t.out, t.err
	if p, ok := t.out.(*printed); ok {
		cmd.Stdout = p.to // the terminal itself, not a pipe
	}
	return cmd.Run()
}
