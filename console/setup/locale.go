package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	zoneDir       = "/usr/share/zoneinfo"
	localeDefault = "C.UTF-8"
)

// timezone makes /etc/localtime and /etc/timezone.
func (s *setup) timezone(name string) error {
	if name == "" && s.plan.Timezone == "" {
		return nil // as the image has it
	}
	if name == "" {
		name = "Etc/UTC"
	}
	zone := filepath.Join(zoneDir, filepath.Clean("/"+name))
	head := make([]byte, 4)
	f, err := os.Open(s.path(zone))
	if err == nil {
		_, err = f.Read(head)
		f.Close()
	}
	if err != nil || string(head) != "TZif" {
		return fmt.Errorf("timezone %q: the console knows no such zone", name)
	}
	link := s.path("/etc/localtime")
	if old, err := os.Readlink(link); err != nil || old != zone {
		os.Remove(link + ".new") // of an earlier try
		if err := errors.Join(os.Symlink(zone, link+".new"), os.Rename(link+".new", link)); err != nil {
			return fmt.Errorf("timezone: %w", err)
		}
	}
	return s.writeChanged("/etc/timezone", []byte(name+"\n"), 0o644)
}

// useLocale sets the language of sessions and commands, when the console has
// it. The image brings C.UTF-8 only: what others are generated from is large.
func (s *setup) useLocale(name string) error {
	s.locale = localeDefault
	if strings.EqualFold(name, "false") { // leave it
		name = ""
	}
	switch {
	case name == "" && s.plan.Locale == "":
		return nil // as the image has it
	case name == "" || name == localeDefault:
	case name == "C" || name == "POSIX" || filepath.Base(name) == name && exists(s.path("/usr/lib/locale/"+localeDir(name))):
		s.locale = name
	default:
		s.note(fmt.Sprintf("locale %s is not in the console; sessions have %s", name, localeDefault))
	}
	text := []byte("LANG=" + s.locale + "\n")
	return errors.Join(s.writeChanged("/etc/default/locale", text, 0o644), s.environment())
}

// localeDir is the directory of a locale, as glibc spells it: the part of the
// character set in small letters without hyphens.
func localeDir(name string) string {
	language, set, _ := strings.Cut(filepath.Base(name), ".")
	return language + "." + strings.ReplaceAll(strings.ToLower(set), "-", "")
}

// environment is PAM's, for logins on terminals.
func (s *setup) environment() error {
	text, err := os.ReadFile(s.path("/etc/environment"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "LANG=") {
			b.WriteString(line)
		}
	}
	b.WriteString("LANG=" + s.locale + "\n")
	return s.writeChanged("/etc/environment", []byte(b.String()), 0o644)
}
