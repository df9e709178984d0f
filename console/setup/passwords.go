package setup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// secret is a password as the configuration says it: one of the three.
type secret struct {
	plain, hash string
	random      bool
	expire      bool // must be changed at the first login
}

// secretOf tells a crypt(3) hash from a password.
func secretOf(text string, expire bool) secret {
	if strings.HasPrefix(text, "$") && strings.Count(text, "$") >= 3 {
		return secret{hash: text}
	}
	return secret{plain: text, expire: expire}
}

// secrets collects the passwords of a plan by account; the later ones win.
func secrets(a Accounts) (map[string]secret, []error) {
	var errs []error
	out := map[string]secret{}
	for _, u := range a.Users {
		u = ourName(u)
		switch {
		case u.LockPasswd != nil && *u.LockPasswd:
		case u.PlainTextPasswd != "":
			out[u.Name] = secret{plain: u.PlainTextPasswd}
		case u.HashedPasswd != "":
			out[u.Name] = secret{hash: u.HashedPasswd}
		case u.Passwd != "":
			out[u.Name] = secret{hash: u.Passwd}
		}
	}
	if a.Password != "" {
		out[userName] = secretOf(a.Password, a.Expire)
	}
	expire := a.Chpasswd.Expire == nil || *a.Chpasswd.Expire
	for _, line := range a.Chpasswd.List {
		name, text, ok := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "" && !ok:
		case !ok || text == "":
			errs = append(errs, errors.New("chpasswd: a line of list is not NAME:PASSWORD"))
		case text == "R" || text == "RANDOM":
			out[name] = secret{random: true, expire: expire}
		default:
			out[name] = secretOf(text, expire)
		}
	}
	for _, u := range a.Chpasswd.Users {
		switch u.Type {
		case "RANDOM":
			out[u.Name] = secret{random: true, expire: expire}
		case "text":
			out[u.Name] = secret{plain: u.Password, expire: expire}
		default:
			out[u.Name] = secret{hash: u.Password}
		}
	}
	if s, ok := out["default"]; ok {
		out[userName] = s
		delete(out, "default")
	}
	return out, errs
}

// passwords sets those of the plan. One that its owner has changed since it
// was set stays, also over a boot, until the configuration or the instance
// changes.
func (s *setup) passwords(ctx context.Context, p Plan) error {
	wanted, errs := secrets(p.Accounts)
	input, generated := &strings.Builder{}, map[string]string{}
	var fresh []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, err := s.lookup("/etc/passwd", name); err != nil {
			errs = append(errs, fmt.Errorf("password: user %q: %w", name, err))
			delete(wanted, name)
			continue
		}
		w, known := wanted[name], s.memory.Passwords[name]
		if w.hash == "" && w.plain == "" && !w.random {
			// An empty field in /etc/shadow lets everybody in.
			errs = append(errs, fmt.Errorf("password of %s: it is empty, and not set", name))
			delete(wanted, name)
			continue
		}
		if known.Hash != "" && known.is(w) && sameInstance(known.Instance, p.InstanceID) {
			if p.InstanceID != "" {
				known.Instance = p.InstanceID
			}
			errs = append(errs, s.setPassword(name, known))
			continue
		}
		fresh = append(fresh, name)
		if w.hash != "" {
			continue
		}
		if w.random {
			w.plain = rand.Text()[:20]
			generated[name] = w.plain
		}
		if strings.ContainsAny(w.plain, "\n\r\x00") {
			errs = append(errs, fmt.Errorf("password of %s: a line break in it", name))
			delete(wanted, name)
			continue
		}
		fmt.Fprintf(input, "%s:%s\n", name, w.plain)
	}
	if input.Len() > 0 {
		if _, err := s.tool(ctx, input.String(), "chpasswd", "-c", "YESCRYPT"); err != nil {
			errs = append(errs, fmt.Errorf("passwords are not set: %w", err))
			return errors.Join(errs...)
		}
	}
	for _, name := range fresh {
		if w, ok := wanted[name]; ok {
			errs = append(errs, s.freshPassword(name, w, p.InstanceID))
		}
	}
	for name, text := range generated {
		s.announce(fmt.Sprintf("\nPassword of %s: %s\n", name, text))
	}
	return errors.Join(append(errs, s.dropPasswords(wanted))...)
}

// freshPassword notes a password that is set for the first time, and writes
// a hash into /etc/shadow; chpasswd has done so with the others.
func (s *setup) freshPassword(name string, w secret, instance string) error {
	known := password{Secret: w.token(), Instance: instance, Hash: w.hash, Changed: strconv.FormatInt(time.Now().Unix()/86400, 10)}
	if w.hash == "" {
		f, err := s.lookup("/etc/shadow", name)
		if err != nil {
			return fmt.Errorf("password of %s: %w", name, err)
		}
		known.Hash = f[1]
	}
	if w.expire {
		known.Changed = "0" // see shadow(5)
	}
	return s.setPassword(name, known)
}

func (s *setup) setPassword(name string, known password) error {
	if strings.ContainsAny(known.Hash, ":\n") {
		return fmt.Errorf("password of %s: not a crypt(3) hash", name)
	}
	s.memory.Passwords[name] = known
	s.settled = true
	return s.editShadow(name, func(f []string) { f[1], f[2] = known.Hash, known.Changed })
}

// dropPasswords takes away those that are not in the configuration any more.
func (s *setup) dropPasswords(wanted map[string]secret) error {
	var errs []error
	for name := range s.memory.Passwords {
		if _, ok := wanted[name]; ok {
			continue
		}
		delete(s.memory.Passwords, name)
		if _, err := s.lookup("/etc/shadow", name); err == nil {
			errs = append(errs, s.editShadow(name, func(f []string) {
				if !strings.HasPrefix(f[1], "!") {
					f[1] = "*"
				}
			}))
		}
	}
	return errors.Join(errs...)
}

// learnPasswords notes what people changed with passwd(1) since this console
// set the passwords of the plan.
func (s *setup) learnPasswords() error {
	if !s.settled {
		return nil
	}
	for name, known := range s.memory.Passwords {
		f, err := s.lookup("/etc/shadow", name)
		if err != nil || f[1] == known.Hash && f[2] == known.Changed || strings.Trim(f[1], "!*") == "" {
			continue
		}
		known.Hash, known.Changed = f[1], f[2]
		s.memory.Passwords[name] = known
	}
	return s.keepMemory()
}

// token is what the memory tells this secret by.
func (w secret) token() string {
	switch {
	case w.random:
		return "random"
	case w.hash != "":
		return w.hash
	}
	salt := rand.Text()
	return salt + "." + digest(salt+w.plain)
}

// is reports whether a remembered password was set from the secret.
func (known password) is(w secret) bool {
	if w.random || w.hash != "" {
		return known.Secret == w.token()
	}
	salt, sum, _ := strings.Cut(known.Secret, ".")
	return subtle.ConstantTimeCompare([]byte(sum), []byte(digest(salt+w.plain))) == 1
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sameInstance: one that is not known yet is no other one.
func sameInstance(a, b string) bool { return a == b || a == "" || b == "" }
