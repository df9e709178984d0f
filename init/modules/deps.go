package modules

import (
	"path"
	"strings"
)

// deps is what depmod knows of the installed modules, by normal name.
type deps struct {
	file    map[string]string   // relative to the modules' directory
	needs   map[string][]string // names to load before, in load order
	builtin map[string]bool
}

// parseDeps reads modules.dep, modules.softdep and modules.builtin, see
// modules.dep(5) and modprobe.d(5). Of the soft dependencies only "pre:" is
// kept.
func parseDeps(dep, softdep, builtin string) deps {
	d := deps{file: map[string]string{}, needs: map[string][]string{}, builtin: map[string]bool{}}
	for line := range strings.Lines(dep) {
		file, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		name := Name(file)
		d.file[name] = file
		// What is needed first stands last.
		files := strings.Fields(rest)
		for i := len(files) - 1; i >= 0; i-- {
			d.needs[name] = append(d.needs[name], Name(files[i]))
		}
	}
	for line := range strings.Lines(softdep) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "softdep" {
			continue
		}
		name, pre := normal(fields[1]), false
		for _, f := range fields[2:] {
			switch {
			case strings.HasSuffix(f, ":"):
				pre = f == "pre:"
			case pre && !d.reaches(normal(f), name):
				d.needs[name] = append(d.needs[name], normal(f))
			}
		}
	}
	for line := range strings.Lines(builtin) {
		d.builtin[Name(strings.TrimSpace(line))] = true
	}
	return d
}

// reaches reports whether loading from loads to, too. Soft dependencies are
// free text; one that would close a cycle is left out.
func (d deps) reaches(from, to string) bool {
	if from == to {
		return true
	}
	for _, need := range d.needs[from] {
		if d.reaches(need, to) {
			return true
		}
	}
	return false
}

// Name is the kernel's name of the module in a file: "kernel/fs/nls-utf8.ko.xz"
// is nls_utf8.
func Name(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return normal(base)
}

func normal(name string) string { return strings.ReplaceAll(name, "-", "_") }
