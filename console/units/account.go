package units

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// identity is as whom commands run.
type identity struct {
	switched          bool // not simply root
	name, home, shell string
	uid, gid          uint32
	groups            []uint32
}

func (i identity) credential() *syscall.Credential {
	return &syscall.Credential{Uid: i.uid, Gid: i.gid, Groups: i.groups}
}

// identity looks User= and Group= up, names or numbers, in the console's own
// tables: that is where users of the configuration are made.
func (r *Runner) identity(user, group string) (identity, error) {
	id := identity{name: "root", home: "/root", shell: "/bin/sh"}
	if user == "" && group == "" {
		return id, nil
	}
	id.switched = true
	if user != "" {
		line, err := r.entry("/etc/passwd", user, 7)
		if err != nil {
			return id, fmt.Errorf("User=%s: %w", user, err)
		}
		id.name, id.home, id.shell = line[0], line[5], line[6]
		if id.uid, err = number(line[2]); err != nil {
			return id, fmt.Errorf("User=%s: %w", user, err)
		}
		if id.gid, err = number(line[3]); err != nil {
			return id, fmt.Errorf("User=%s: %w", user, err)
		}
		id.groups = r.memberships(id.name)
	}
	if group != "" {
		line, err := r.entry("/etc/group", group, 3)
		if err != nil {
			return id, fmt.Errorf("Group=%s: %w", group, err)
		}
		if id.gid, err = number(line[2]); err != nil {
			return id, fmt.Errorf("Group=%s: %w", group, err)
		}
	}
	return id, nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// entry finds the line of a name or number in passwd(5) or group(5).
func (r *Runner) entry(path, name string, fields int) ([]string, error) {
	text, err := os.ReadFile(r.path(path))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ":"); len(f) >= fields && (f[0] == name || f[2] == name) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("not in %s", path)
}

// memberships are the groups that have the user as a member.
func (r *Runner) memberships(user string) []uint32 {
	text, err := os.ReadFile(r.path("/etc/group"))
	if err != nil {
		return nil
	}
	var out []uint32
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 4 && slices.Contains(strings.Split(f[3], ","), user) {
			if gid, err := number(f[2]); err == nil {
				out = append(out, gid)
			}
		}
	}
	return out
}
