package setup

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// users makes the groups and accounts of the plan and locks those that are
// not in it any more.
func (s *setup) users(p Plan) error {
	var errs []error
	wanted := map[membership]bool{}
	for _, g := range p.Groups {
		if err := s.group(g.Name, 0); err != nil {
			errs = append(errs, fmt.Errorf("group %s: %w", g.Name, err))
			continue
		}
		for _, m := range g.Members {
			wanted[membership{g.Name, ourName(osconfig.User{Name: m}).Name}] = true
		}
	}
	for _, u := range p.Users {
		u = ourName(u)
		if err := s.user(p, u); err != nil {
			errs = append(errs, fmt.Errorf("user %s: %w", u.Name, err))
			continue
		}
		for _, g := range u.Groups {
			for name := range strings.FieldsFuncSeq(g, func(r rune) bool { return r == ',' || r == ' ' }) {
				if err := s.group(name, 0); err != nil {
					errs = append(errs, fmt.Errorf("user %s: group %s: %w", u.Name, name, err))
					continue
				}
				wanted[membership{name, u.Name}] = true
			}
		}
	}
	err := errors.Join(append(errs, s.join(wanted), s.lockGone(p))...)
	s.people = p.Users
	return err
}

// ourName makes cloud-init's "default" the user rancher.
func ourName(u osconfig.User) osconfig.User {
	if u.Name == "default" {
		u.Name = userName
	}
	return u
}

// membership is an account in a group.
type membership struct{ group, user string }

// join puts accounts in groups and takes out those that the plan before put
// in and this one does not. What the image brought stays.
func (s *setup) join(wanted map[membership]bool) error {
	var errs []error
	for m := range wanted {
		if _, err := s.lookup("/etc/passwd", m.user); err != nil {
			errs = append(errs, fmt.Errorf("group %s: user %q: %w", m.group, m.user, err))
			delete(wanted, m)
			continue
		}
		fields, err := s.lookup("/etc/group", m.group)
		if err == nil && slices.Contains(strings.Split(fields[3], ","), m.user) {
			if !s.joined[m] {
				delete(wanted, m) // it was there before us
			}
			continue
		}
		errs = append(errs, s.editMembers(m.group, func(list []string) []string { return append(list, m.user) }))
	}
	for m := range s.joined {
		if !wanted[m] {
			errs = append(errs, s.editMembers(m.group, func(list []string) []string {
				return slices.DeleteFunc(list, func(name string) bool { return name == m.user })
			}))
		}
	}
	s.joined = wanted
	return errors.Join(errs...)
}

func (s *setup) editMembers(name string, change func([]string) []string) error {
	return s.editTable("/etc/group", 0o644, name, func(old string) string {
		f := strings.Split(old, ":")
		if len(f) != 4 {
			return old
		}
		list := change(members(old))
		slices.Sort(list)
		f[3] = strings.Join(slices.Compact(list), ",")
		return strings.Join(f, ":")
	})
}

// group makes a group that is not there, with the number want if it is free.
func (s *setup) group(name string, want int) error {
	if err := goodName(name); err != nil {
		return err
	}
	if _, err := s.lookup("/etc/group", name); err == nil {
		return nil
	}
	gid := s.memory.Groups[name]
	for _, n := range []int{gid, want} {
		if gid = n; n > 0 && !s.taken("/etc/group", n) {
			break
		}
		gid = 0
	}
	if gid == 0 {
		for gid = firstUser; s.taken("/etc/group", gid) || holds(s.memory.Groups, gid) || holds(s.memory.Users, gid); gid++ {
		}
	}
	s.memory.Groups[name] = gid
	return s.editTable("/etc/group", 0o644, name, func(string) string { return groupLine(name, gid, nil, "", false) })
}

// user makes or changes one account, without its password.
func (s *setup) user(p Plan, u osconfig.User) error {
	if err := goodName(u.Name); err != nil {
		return err
	}
	old, err := s.lookup("/etc/passwd", u.Name)
	if err != nil || len(old) < 7 {
		if old, err = s.newUser(p, u); err != nil {
			return err
		}
	} else if n, _ := strconv.Atoi(old[2]); u.UID != 0 && u.UID != n {
		s.note(fmt.Sprintf("user %s keeps its number %d; the configuration says %d", u.Name, n, u.UID))
	}
	line := slices.Clone(old[:7])
	if u.PrimaryGroup != "" {
		if err := s.group(u.PrimaryGroup, 0); err != nil {
			return fmt.Errorf("group %s: %w", u.PrimaryGroup, err)
		}
		g, err := s.lookup("/etc/group", u.PrimaryGroup)
		if err != nil {
			return fmt.Errorf("group %s: %w", u.PrimaryGroup, err)
		}
		line[3] = g[2]
	}
	set := func(i int, text string) {
		if text != "" {
			line[i] = strings.NewReplacer(":", " ", "\n", " ").Replace(text)
		}
	}
	set(4, u.Gecos)
	if u.Name != userName {
		set(5, u.Homedir)
	}
	set(6, u.Shell)
	err = s.editTable("/etc/passwd", 0o644, u.Name, func(string) string { return strings.Join(line, ":") })
	return errors.Join(err, s.shadow(u), s.homeOf(u))
}

// homeOf makes an account's home, if it is to have one.
func (s *setup) homeOf(u osconfig.User) error {
	if u.NoCreateHome || u.System {
		return nil
	}
	uid, gid, err := s.lookUser(u.Name)
	if err != nil {
		return err
	}
	f, err := s.lookup("/etc/passwd", u.Name)
	if err != nil || len(f) < 7 || f[5] == "/" {
		return err
	}
	return s.home(f[5], uid, gid)
}

// homes makes those that a file system, mounted after the accounts were made,
// does not have.
func (s *setup) homes(p Plan) error {
	err := s.home("/home/"+userName, userID, userID)
	for _, u := range p.Users {
		u = ourName(u)
		if _, unknown := s.lookup("/etc/passwd", u.Name); unknown == nil {
			err = errors.Join(err, s.homeOf(u))
		}
	}
	return err
}

// newUser is the line of an account that is not there yet.
func (s *setup) newUser(p Plan, u osconfig.User) ([]string, error) {
	home, shell := "/home/"+u.Name, "/bin/bash"
	if u.System {
		shell = "/usr/sbin/nologin"
	}
	if u.Homedir != "" {
		home = u.Homedir
	}
	uid, err := s.number(p, u, home)
	if err != nil {
		return nil, err
	}
	s.memory.Users[u.Name] = uid
	gid := usersGroup
	if !u.NoUserGroup && u.PrimaryGroup == "" {
		if err := s.group(u.Name, uid); err != nil {
			return nil, err
		}
		g, err := s.lookup("/etc/group", u.Name)
		if err != nil {
			return nil, err
		}
		if gid, err = strconv.Atoi(g[2]); err != nil {
			return nil, err
		}
	}
	return []string{u.Name, "x", strconv.Itoa(uid), strconv.Itoa(gid), "", home, shell}, nil
}

// shadow makes the account's line in /etc/shadow, without a password, and
// sets what of it is no password.
func (s *setup) shadow(u osconfig.User) error {
	expire := ""
	if u.ExpireDate != "" {
		day, err := time.Parse(time.DateOnly, u.ExpireDate)
		if err != nil {
			return fmt.Errorf("expiredate %q: want YYYY-MM-DD", u.ExpireDate)
		}
		expire = strconv.FormatInt(day.Unix()/86400, 10)
	}
	if strings.Trim(u.Inactive, "0123456789") != "" {
		return fmt.Errorf("inactive %q: want a number of days", u.Inactive)
	}
	return s.editShadow(u.Name, func(f []string) {
		if f[1] == "" || strings.HasPrefix(f[1], "!") {
			f[1] = "*"
		}
		f[6], f[7] = u.Inactive, expire
	})
}

// editShadow changes the fields of a line of shadow(5); a line that is not
// there has no password.
func (s *setup) editShadow(name string, change func(fields []string)) error {
	return s.editTable("/etc/shadow", 0o640, name, func(old string) string {
		f := strings.Split(old, ":")
		if len(f) != 9 {
			f = []string{name, "*", "19700", "0", "99999", "7", "", "", ""}
		}
		change(f)
		return strings.Join(f, ":")
	})
}

// lockGone locks the accounts that the plan before had and this one has not.
// The "!" keeps keys out, too: sshd looks for it.
func (s *setup) lockGone(p Plan) error {
	var errs []error
	for _, old := range s.people {
		old = ourName(old)
		still := slices.ContainsFunc(p.Users, func(u osconfig.User) bool { return ourName(u).Name == old.Name })
		if still || old.Name == userName || old.Name == "root" || goodName(old.Name) != nil {
			continue
		}
		s.note(fmt.Sprintf("user %s is not in the configuration any more: locked; its home stays", old.Name))
		errs = append(errs, s.editShadow(old.Name, func(f []string) { f[1], f[7] = "!*", "1" }))
	}
	return errors.Join(errs...)
}

// goodName is what useradd(8) of Debian takes: names go into tables with
// colons and into paths.
func goodName(name string) error {
	if len(name) <= 32 && regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*\$?$`).MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is no name of an account or group", name)
}
