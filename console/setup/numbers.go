package setup

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Where numbers of accounts and groups begin that nobody chose. Debian's own
// packages take 100 to 999 from above, people's images 1000 and more.
const (
	firstUser   = 2000
	firstSystem = 300
	usersGroup  = 100 // Debian's group users
)

// number chooses an account's number: the configured one, the one it had, the
// one that owns its home, else a free one.
func (s *setup) number(p Plan, u osconfig.User, home string) (int, error) {
	if u.UID != 0 {
		if s.taken("/etc/passwd", u.UID) {
			return 0, fmt.Errorf("number %d is another account's", u.UID)
		}
		return u.UID, nil
	}
	if n := s.memory.Users[u.Name]; n > 0 && !s.taken("/etc/passwd", n) {
		return n, nil
	}
	free := func(n int) bool {
		asked := slices.ContainsFunc(p.Users, func(o osconfig.User) bool { return o.UID == n })
		return !asked && !s.taken("/etc/passwd", n) && !s.taken("/etc/group", n) && !holds(s.memory.Users, n) && !holds(s.memory.Groups, n)
	}
	if info, err := os.Stat(s.path(home)); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) >= firstSystem && free(int(st.Uid)) {
			return int(st.Uid), nil
		}
	}
	n := firstUser
	if u.System {
		n = firstSystem
	}
	for !free(n) {
		n++
	}
	return n, nil
}

// taken reports whether a table has a line with the number.
func (s *setup) taken(table string, n int) bool {
	text, err := os.ReadFile(s.path(table))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == strconv.Itoa(n) {
			return true
		}
	}
	return false
}

func holds(m map[string]int, n int) bool {
	for _, v := range m {
		if v == n {
			return true
		}
	}
	return false
}
