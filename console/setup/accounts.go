package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// group is one that the account is in; gid 27 is Debian's sudo, the others
// are fixed for the whole machine.
type group struct {
	name string
	gid  int
}

func groups() []group {
	return []group{{userName, userID}, {"pharos", 1101}, {"docker", 1102}, {"sudo", 27}}
}

// everybody makes the accounts of the plan: rancher first, whom the rest must
// not keep out.
func (s *setup) everybody(ctx context.Context, p Plan) error {
	err := errors.Join(s.remember(), s.learnPasswords(), s.accounts())
	err = errors.Join(err, s.users(p), s.passwords(ctx, p), s.sudo(ctx, p))
	return errors.Join(err, s.keepMemory())
}

// accounts makes the user, whatever the image brought: the lines that are
// ours are replaced, all others stay. The password field is "*": no password
// matches it, and a key is no password.
func (s *setup) accounts() error {
	err := s.editTable("/etc/passwd", 0o644, userName, func(old string) string {
		if f := strings.Split(old, ":"); len(f) == 7 { // what users: said
			return strings.Join([]string{userName, "x", strconv.Itoa(userID), f[3], f[4], "/home/" + userName, f[6]}, ":")
		}
		return fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/bash", userName, userID, userID, userName)
	})
	err = errors.Join(err, s.editTable("/etc/shadow", 0o640, userName, func(old string) string {
		if old != "" { // perhaps a password that somebody set
			return old
		}
		return userName + ":*:19700:0:99999:7:::"
	}))
	for _, g := range groups() {
		err = errors.Join(err, s.editTable("/etc/group", 0o644, g.name, func(old string) string {
			return groupLine(g.name, g.gid, members(old), "", g.name != userName)
		}))
	}
	return errors.Join(err, s.home("/home/"+userName, userID, userID))
}

// members are the accounts in a line of /etc/group.
func members(line string) []string {
	if f := strings.Split(line, ":"); len(f) == 4 && f[3] != "" {
		return strings.Split(f[3], ",")
	}
	return nil
}

// groupLine is a line of /etc/group; rancher is among the members when it
// has to be.
func groupLine(name string, gid int, list []string, member string, withRancher bool) string {
	if withRancher && !slices.Contains(list, userName) {
		list = append(list, userName)
	}
	if member != "" && !slices.Contains(list, member) {
		list = append(list, member)
	}
	return fmt.Sprintf("%s:x:%d:%s", name, gid, strings.Join(list, ","))
}

// editTable replaces the line of name in a colon-separated table or adds one.
func (s *setup) editTable(path string, mode os.FileMode, name string, line func(old string) string) error {
	text, err := os.ReadFile(s.path(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("accounts: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) == 0 {
		lines = nil
	}
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") })
	if i < 0 {
		lines = append(lines, line(""))
	} else {
		lines[i] = line(lines[i])
	}
	if err := s.writeChanged(path, []byte(strings.Join(lines, "\n")+"\n"), mode); err != nil {
		return err
	}
	if path != "/etc/shadow" {
		return nil
	}
	// Programs that only check a password have this group and no more.
	f, err := s.lookup("/etc/group", "shadow")
	if err != nil {
		return nil
	}
	gid, err := strconv.Atoi(f[2])
	if err != nil {
		return fmt.Errorf("group shadow: %w", err)
	}
	return s.chown(s.path(path), 0, gid)
}

// home makes a home directory from /etc/skel when there is none. One that is
// there is the user's and stays as it is. Where a mount has not come yet it is
// made later.
func (s *setup) home(dir string, uid, gid int) error {
	home := s.path(dir)
	if _, err := os.Stat(home); err == nil || s.onCover(dir) {
		return nil
	}
	// Under another name first, which is no account's: a power cut must not
	// leave half of a home.
	next := filepath.Join(filepath.Dir(home), "."+filepath.Base(home)+".new")
	if err := os.RemoveAll(next); err != nil {
		return fmt.Errorf("home: %w", err)
	}
	if err := os.MkdirAll(next, 0o755); err != nil {
		return fmt.Errorf("home: %w", err)
	}
	skel := s.path("/etc/skel")
	if exists(skel) {
		if err := os.CopyFS(next, os.DirFS(skel)); err != nil {
			return fmt.Errorf("home: %w", err)
		}
	}
	err := filepath.WalkDir(next, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := s.chown(path, uid, gid); err != nil {
			return err
		}
		if path == next || entry.Type() == fs.ModeSymlink {
			return nil
		}
		like, err := os.Lstat(filepath.Join(skel, strings.TrimPrefix(path, next)))
		if err != nil {
			return err
		}
		return os.Chmod(path, like.Mode()) // os.CopyFS opens everything to everybody
	})
	if err == nil {
		err = os.Rename(next, home)
	}
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	return nil
}

// owner resolves "user[:group]", names or numbers, as chown(1) does: without
// a group it is the user's.
func (s *setup) owner(text string) (uid, gid int, err error) {
	user, groupName, hasGroup := strings.Cut(text, ":")
	if user != "" {
		if uid, gid, err = s.lookUser(user); err != nil {
			return 0, 0, err
		}
	}
	if !hasGroup || groupName == "" {
		return uid, gid, nil
	}
	if gid, err = strconv.Atoi(groupName); err == nil {
		return uid, gid, nil
	}
	fields, err := s.lookup("/etc/group", groupName)
	if err != nil {
		return 0, 0, fmt.Errorf("group %q: %w", groupName, err)
	}
	if gid, err = strconv.Atoi(fields[2]); err != nil {
		return 0, 0, fmt.Errorf("group %q: %w", groupName, err)
	}
	return uid, gid, nil
}

func (s *setup) lookUser(name string) (uid, gid int, err error) {
	fields, err := s.lookup("/etc/passwd", name)
	if err != nil {
		if uid, numeric := strconv.Atoi(name); numeric == nil {
			return uid, uid, nil
		}
		return 0, 0, fmt.Errorf("user %q: %w", name, err)
	}
	uid, err1 := strconv.Atoi(fields[2])
	gid, err2 := strconv.Atoi(fields[3])
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, fmt.Errorf("user %q: %w", name, err)
	}
	return uid, gid, nil
}

// lookup finds the line of name; it has at least four fields.
func (s *setup) lookup(path, name string) ([]string, error) {
	text, err := os.ReadFile(s.path(path))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); f[0] == name && len(f) >= 4 {
			return f, nil
		}
	}
	return nil, errors.New("unknown")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
