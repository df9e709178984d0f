package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

// accounts makes /etc/passwd, group, shadow and gshadow from base-passwd's
// master files and the recipe's own users and groups. No password is set, not
// even an empty one: every account is locked.
func (t tree) accounts(users []User, groups []Group) error {
	passwd, err := os.ReadFile(t.path("/usr/share/base-passwd/passwd.master"))
	if err != nil {
		return err
	}
	group, err := os.ReadFile(t.path("/usr/share/base-passwd/group.master"))
	if err != nil {
		return err
	}
	files := renderAccounts(passwd, group, users, groups)
	if err := os.MkdirAll(t.path("/etc"), 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(t.path("/etc/"+f.name), f.data, f.mode); err != nil {
			return err
		}
		if err := os.Chmod(t.path("/etc/"+f.name), f.mode); err != nil {
			return err
		}
		if f.mode == 0o640 {
			const shadowGID = 42 // fixed by base-passwd
			if err := os.Chown(t.path("/etc/"+f.name), 0, shadowGID); err != nil {
				return err
			}
		}
	}
	return nil
}

type accountFile struct {
	name string
	mode os.FileMode
	data []byte
}

func renderAccounts(passwdMaster, groupMaster []byte, users []User, groups []Group) []accountFile {
	var passwd, group, shadow, gshadow bytes.Buffer
	for sc := bufio.NewScanner(bytes.NewReader(passwdMaster)); sc.Scan(); {
		f := strings.Split(sc.Text(), ":")
		if len(f) != 7 {
			continue
		}
		f[1] = "x"
		passwd.WriteString(strings.Join(f, ":") + "\n")
		shadow.WriteString(f[0] + ":*:::::::\n")
	}
	for _, u := range users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d::%s:%s\n", u.Name, u.UID, u.GID, u.Home, u.Shell)
		fmt.Fprintf(&shadow, "%s:*:::::::\n", u.Name)
	}
	writeGroup := func(name, gid string, members []string) {
		list := strings.Join(members, ",")
		fmt.Fprintf(&group, "%s:x:%s:%s\n", name, gid, list)
		fmt.Fprintf(&gshadow, "%s:*::%s\n", name, list)
	}
	for sc := bufio.NewScanner(bytes.NewReader(groupMaster)); sc.Scan(); {
		f := strings.Split(sc.Text(), ":")
		if len(f) != 4 {
			continue
		}
		// The recipe may add members to a group that base-passwd defines.
		var members []string
		if i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == f[0] }); i >= 0 {
			members = groups[i].Members
			groups = slices.Delete(slices.Clone(groups), i, i+1)
		}
		writeGroup(f[0], f[2], members)
	}
	for _, g := range groups {
		writeGroup(g.Name, fmt.Sprint(g.GID), g.Members)
	}
	return []accountFile{
		{"passwd", 0o644, passwd.Bytes()},
		{"group", 0o644, group.Bytes()},
		{"shadow", 0o640, shadow.Bytes()},
		{"gshadow", 0o640, gshadow.Bytes()},
	}
}
