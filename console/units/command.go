package units

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pharos-os/pharos/os-config/coreunit"
	"github.com/pharos-os/pharos/system/keep"
)

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (r *Runner) path(p string) string { return filepath.Join(r.o.Root, p) }

// prepare reads what a run needs before its first command.
func (r *Runner) prepare(u *unit) (*run, error) {
	s := u.spec.Service
	n := &run{r: r, u: u, spec: s, dir: "/", mainFD: -1}
	var err error
	if n.identity, err = r.identity(s.User, s.Group); err != nil {
		return nil, err
	}
	r.mu.Lock()
	n.env = append([]string{"PATH=" + searchPath, "LANG=C.UTF-8"}, r.env...)
	r.mu.Unlock()
	if s.User != "" {
		n.env = append(n.env, "HOME="+n.identity.home, "USER="+n.identity.name, "LOGNAME="+n.identity.name, "SHELL="+n.identity.shell)
	} else {
		n.env = append(n.env, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh")
	}
	n.env = append(n.env, s.Environment...)
	for _, f := range s.EnvironmentFiles {
		more, err := readEnvironment(r.path(f.Path))
		if err != nil && !(f.Optional && errors.Is(err, fs.ErrNotExist)) {
			return nil, fmt.Errorf("EnvironmentFile: %w", err)
		}
		n.env = append(n.env, more...)
	}
	switch dir := s.WorkingDirectory; {
	case dir == "~":
		n.dir = r.path(n.identity.home)
	case dir != "":
		n.dir = r.path(dir)
	}
	if info, err := os.Stat(n.dir); err != nil || !info.IsDir() {
		if !s.WorkingOptional {
			return nil, fmt.Errorf("WorkingDirectory %s: no such directory", s.WorkingDirectory)
		}
		n.dir = "/"
	}
	return n, nil
}

// lookup finds a variable; the last of a name counts.
func (n *run) lookup(name string) string {
	for i := len(n.env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(n.env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// spawn starts a command. main says that it is the service itself, which is
// the user's even where the other phases are root's.
func (n *run) spawn(c coreunit.Command, main bool) (Process, error) {
	args := c.Argv(n.lookup)
	program, err := n.program(args[0])
	if err != nil {
		return nil, err
	}
	out, done := n.r.sink(n.u.name, n.spec)
	defer done()
	attr := &syscall.SysProcAttr{Setsid: true}
	if n.identity.switched && (main || !n.spec.RootForPhases) {
		attr.Credential = n.identity.credential()
	}
	if main && n.spec.Type != "oneshot" {
		attr.PidFD = &n.mainFD
	}
	return n.r.o.Start(keep.Command{
		Args: append([]string{program}, args[1:]...), Env: unique(n.env), Dir: n.dir,
		Stdout: out.stdout, Stderr: out.stderr, Attr: attr,
	})
}

// program is the path of a program.
func (n *run) program(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(n.lookup("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("%s: not found", name)
}

// unique keeps the last of each variable.
func unique(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if i, ok := at[name]; ok {
			out[i] = e
			continue
		}
		at[name] = len(out)
		out = append(out, e)
	}
	return out
}

type streams struct{ stdout, stderr *os.File }

// sink is where a command writes: lines of the console's log that begin with
// the unit's name. done closes our ends once it has started.
func (r *Runner) sink(name string, s *coreunit.Service) (streams, func()) {
	var out streams
	var files []*os.File
	if s.Identity != "" {
		name = s.Identity
	}
	if s.NoOutput || s.NoErrors {
		if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
			files = append(files, null)
			if s.NoOutput {
				out.stdout = null
			}
			if s.NoErrors {
				out.stderr = null
			}
		}
	}
	if out.stdout != nil && out.stderr != nil {
		return out, func() { files[0].Close() }
	}
	if read, write, err := os.Pipe(); err == nil {
		files = append(files, write)
		if out.stdout == nil {
			out.stdout = write
		}
		if out.stderr == nil {
			out.stderr = write
		}
		// It ends with the last of those who write, which may be a
		// grandchild that outlives the unit: nobody waits for it.
		go r.copyLines(name, read)
	}
	return out, func() {
		for _, f := range files {
			f.Close()
		}
	}
}

const maxLine = 8 << 10

func (r *Runner) copyLines(name string, from io.ReadCloser) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := lines.ReadSlice('\n') // a longer line is several
		if len(line) > 0 {
			r.output.Lock()
			fmt.Fprintf(r.o.Output, "%s: %s\n", name, strings.TrimRight(string(line), "\r\n"))
			r.output.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// readEnvironment reads an environment file, see EnvironmentFile= in
// systemd.exec(5): NAME=VALUE lines, quotes around values, "#" and ";".
func readEnvironment(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") || strings.ContainsAny(name, " \t") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			quote := value[0]
			if value = value[1 : n-1]; quote == '"' {
				value = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(value)
			}
		}
		out = append(out, name+"="+value)
	}
	return out, nil
}
