package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrUnknown is returned for a name that is neither a module, nor built in,
// nor an alias.
var ErrUnknown = errors.New("unknown module")

// Loader loads modules of one kernel. Its methods may be called concurrently;
// no module is loaded twice.
type Loader struct {
	dir     string
	aliases *Aliases
	deps    deps
	insert  func(file, params string) error

	mu   sync.Mutex
	done map[string]func() error // by normal name: loads it, the first time
}

// Open reads depmod's files in dir (/lib/modules/KVER). Only modules.dep must
// exist. Insert is linux.FinitModule, or a test's.
func Open(dir string, insert func(file, params string) error) (*Loader, error) {
	dep, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("module dependencies: %w", err)
	}
	optional := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "" // as good as absent: what it named is not found
		}
		return string(data)
	}
	return &Loader{
		dir:     dir,
		aliases: ParseAliases(optional("modules.alias")),
		deps:    parseDeps(string(dep), optional("modules.softdep"), optional("modules.builtin")),
		insert:  insert,
		done:    map[string]func() error{},
	}, nil
}

// Load loads a module by name, or every module that has it as an alias, and
// what they need before. A module that is loaded or built in already, or that
// finds no device of its own (ENODEV), is no error.
func (l *Loader) Load(name, params string) error {
	n := normal(name)
	if l.deps.builtin[n] {
		return nil
	}
	if _, ok := l.deps.file[n]; ok {
		return l.load(n, params)
	}
	names := l.aliases.Match(name)
	if len(names) == 0 {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	var errs []error
	for _, n := range names {
		errs = append(errs, l.load(normal(n), params))
	}
	return errors.Join(errs...)
}

func (l *Loader) load(name, params string) error {
	l.mu.Lock()
	once, ok := l.done[name]
	if !ok {
		once = sync.OnceValue(func() error { return l.loadNow(name, params) })
		l.done[name] = once
	}
	l.mu.Unlock()
	return once()
}

func (l *Loader) loadNow(name, params string) error {
	file, ok := l.deps.file[name]
	if !ok {
		return nil // built in, or a soft dependency that this image leaves out
	}
	for _, need := range l.deps.needs[name] {
		if err := l.load(need, ""); err != nil {
			return fmt.Errorf("%s needs %w", name, err)
		}
	}
	if params == "" {
		params = parameters()[name]
	}
	err := l.insert(filepath.Join(l.dir, file), params)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// parameters are those of modules that get no others. As the kernel has it,
// some make a link of their own when they are loaded, which takes the name
// that the configuration wants to make one with, like bond0.
func parameters() map[string]string {
	return map[string]string{"bonding": "max_bonds=0", "dummy": "numdummies=0", "ifb": "numifbs=0"}
}
