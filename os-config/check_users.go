package osconfig

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The account that is always there.
const (
	theUser   = "rancher"
	theUserID = 1100
)

// found collects the findings of one check.
type found []finding

func (f *found) wrong(key, text string) {
	if text != "" {
		*f = append(*f, finding{severity: Error, kind: Value, key: key, text: text})
	}
}

func (f *found) doubtful(key, text string) {
	if text != "" {
		*f = append(*f, finding{severity: Warning, kind: Value, key: key, text: text})
	}
}

func (f *found) conflict(sev Severity, node *Node, text string) {
	*f = append(*f, finding{severity: sev, kind: Conflict, node: node, text: text})
}

// textAt is the text of a mapping's key, "" when there is none.
func textAt(n *Node, key string) string {
	if c := n.Child(key); c != nil {
		return c.Text
	}
	return ""
}

func saysYes(n *Node) bool {
	if n.IsNull() {
		return false
	}
	switch strings.ToLower(n.Text) {
	case "true", "yes", "on", "y":
		return !n.Quoted
	}
	return false
}

// loginName checks the name of an account or group to make.
func loginName(s string) string {
	const most = 32
	switch {
	case s == "":
		return "an empty name"
	case strings.Trim(s, "0123456789") == "":
		return fmt.Sprintf("%s is a number; a name begins with a letter", quote(s))
	case len(s) > most:
		return fmt.Sprintf("%s has more than the %d characters of a name", quote(s), most)
	case !spelled(strings.TrimSuffix(s, "$"), "A-Za-z_", "A-Za-z0-9_.-"):
		return fmt.Sprintf("%s is no name: letters, digits, \"_\", \"-\" and \".\", a letter first", quote(s))
	}
	return ""
}

// users looks for accounts that come twice.
func users(n *Node) []finding {
	var out found
	names, numbers := map[string]*Node{}, map[string]*Node{}
	for _, item := range n.List {
		name := item.Child("name")
		if name.IsNull() {
			continue
		}
		if first := names[name.Text]; first != nil {
			out.conflict(Error, name, fmt.Sprintf("user %s a second time; the first is on line %d", quote(name.Text), first.Pos.Line))
		}
		names[name.Text] = name
		uid := item.Child("uid")
		if uid.IsNull() || uid.Text == "0" {
			continue
		}
		if first := numbers[uid.Text]; first != nil {
			out.conflict(Error, uid, fmt.Sprintf("number %s is that of another user too, on line %d", uid.Text, first.Pos.Line))
		}
		numbers[uid.Text] = uid
	}
	return out
}

func userEntry(now time.Time) func(n *Node) []finding {
	return func(n *Node) []finding {
		var out found
		name := textAt(n, "name")
		switch {
		case n.Child("name").IsNull():
			out.wrong("", "name is missing")
		case name == "default" && len(n.Map) > 1:
			out.doubtful("name", "default stands for the user rancher as it is; write rancher to change that account")
		default:
			out.wrong("name", loginName(name))
		}
		out = append(out, accountFields(n, name)...)
		out = append(out, accountPassword(n)...)
		if date := n.Child("expiredate"); !date.IsNull() && date.Text != "" {
			day, err := time.Parse("2006-01-02", date.Text)
			switch {
			case err != nil:
				out.wrong("expiredate", fmt.Sprintf("%s is no date; write it like \"2030-12-31\"", quote(date.Text)))
			case day.Before(now):
				out.doubtful("expiredate", fmt.Sprintf("%s is in the past: the account cannot be used", date.Text))
			}
		}
		if i := n.Child("inactive"); !i.IsNull() && i.Text != "" {
			if days, err := strconv.Atoi(i.Text); err != nil || days < -1 {
				out.wrong("inactive", fmt.Sprintf("%s is no number of days", quote(i.Text)))
			}
		}
		return out
	}
}

// accountFields checks what stands in /etc/passwd.
func accountFields(n *Node, name string) []finding {
	var out found
	if strings.ContainsAny(textAt(n, "gecos"), ":\n") {
		out.wrong("gecos", "a colon or a line break; /etc/passwd cannot hold these")
	}
	if g := textAt(n, "primary_group"); g != "" {
		out.wrong("primary_group", loginName(g))
	}
	for _, key := range []string{"shell", "homedir"} {
		switch s := textAt(n, key); {
		case s == "":
		case strings.ContainsAny(s, ":\n"):
			out.wrong(key, "a colon or a line break; /etc/passwd cannot hold these")
		default:
			out.wrong(key, absolutePath(s))
		}
	}
	if uid := n.Child("uid"); uid != nil && uid.Kind == Int {
		switch id, _ := strconv.Atoi(uid.Text); {
		case id < 0:
			out.wrong("uid", fmt.Sprintf("%d is no number of an account", id))
		case id == theUserID && name != theUser:
			out.wrong("uid", fmt.Sprintf("%d is the number of the user %s", id, theUser))
		case id != 0 && id != theUserID && name == theUser:
			out.wrong("uid", fmt.Sprintf("the number of the user %s is always %d", theUser, theUserID))
		case id == 65534 || id == 65535:
			out.wrong("uid", fmt.Sprintf("%d stands for nobody", id))
		}
	}
	if saysYes(n.Child("no_create_home")) && len(childList(n, "ssh_authorized_keys")) > 0 {
		out.conflict(Warning, n.Child("no_create_home"), "there is no place for ssh_authorized_keys without a home directory")
	}
	return out
}

func childList(n *Node, key string) []*Node {
	if c := n.Child(key); c != nil {
		return c.List
	}
	return nil
}

// accountPassword checks the keys about passwords with each other.
func accountPassword(n *Node) []finding {
	var out found
	var set []string
	for _, key := range []string{"passwd", "hashed_passwd", "plain_text_passwd"} {
		c := n.Child(key)
		if c.IsNull() || c.Text == "" {
			continue
		}
		set = append(set, key)
		if key == "plain_text_passwd" {
			if strings.ContainsAny(c.Text, "\n\r") {
				out.wrong(key, "more than one line")
			} else if cryptScheme(c.Text) != "" && cryptHash(c.Text) == "" {
				out.doubtful(key, "this is a hash; put it into passwd, or the hash itself is the password")
			}
			continue
		}
		text, sev := cryptHash(c.Text), Error
		if text == "" {
			text, sev = weakHash(c.Text), Warning
		}
		if text != "" {
			out = append(out, finding{severity: sev, kind: Value, key: key, text: text})
		}
	}
	if len(set) > 1 {
		out.conflict(Warning, n.Child(set[0]), fmt.Sprintf("%s is set too and wins", set[len(set)-1]))
	}
	if len(set) > 0 && saysYes(n.Child("lock_passwd")) {
		out.conflict(Warning, n.Child("lock_passwd"), fmt.Sprintf("%s has no effect while the password is locked", set[0]))
	}
	return out
}

// cryptScheme is the ID of a crypt(5) hash, "" when a text has not its form.
func cryptScheme(s string) string {
	if !strings.HasPrefix(s, "$") {
		return ""
	}
	id, _, ok := strings.Cut(s[1:], "$")
	if !ok || !slices.Contains([]string{"1", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "sha1"}, id) {
		return ""
	}
	return id
}

// cryptHash checks a crypt(5) hash. It never repeats it.
func cryptHash(s string) string {
	const make = "make a hash with openssl passwd -6"
	if strings.ContainsAny(s, ": \t\n") {
		return "no crypt(3) hash: it has a blank, a colon or a line break in it; " + make
	}
	// What accounts without a password have: nothing matches it.
	if s == "*" || s == "!" || s == "!!" {
		return ""
	}
	s = strings.TrimLeft(s, "!")
	id := cryptScheme(s)
	if id == "" {
		if strings.HasPrefix(s, "$") {
			return "no crypt(3) hash: its method is not known ($6$, $5$, $y$, $2b$); " + make
		}
		if len(s) == 13 && spelled(s, "A-Za-z0-9./", "A-Za-z0-9./") {
			return ""
		}
		return "this looks like a password in plain text, and here a crypt(3) hash is wanted; " + make +
			", or use plain_text_passwd"
	}
	length := map[string]int{"1": 22, "5": 43, "6": 86, "y": 43, "gy": 43, "2a": 53, "2b": 53, "2x": 53, "2y": 53}[id]
	last := s[strings.LastIndexByte(s, '$')+1:]
	if length > 0 && (len(last) != length || strings.Count(s, "$") < 3) {
		return fmt.Sprintf("a damaged crypt(3) hash: $%s$ ends with %d characters, found %d (a shell takes \"$\" out of texts in double quotes)",
			id, length, len(last))
	}
	return ""
}

// weakHash warns of methods that are broken today.
func weakHash(s string) string {
	switch {
	case cryptScheme(s) == "1":
		return "an MD5 hash is broken within minutes; make one with openssl passwd -6"
	case !strings.ContainsAny(s, "$!*"):
		return "a DES hash is broken within minutes; make one with openssl passwd -6"
	}
	return ""
}

// anyPassword checks a text that is a password, or its hash if it begins so.
func anyPassword(n *Node) []finding {
	switch {
	case strings.ContainsAny(n.Text, "\n\r"):
		return wrong("more than one line")
	case cryptScheme(n.Text) != "":
		return wrong(cryptHash(n.Text))
	}
	return nil
}

// sudoRule checks a rule of sudoers(5) without the user in front.
func sudoRule(s string) string {
	const example = "write a rule like ALL=(ALL) NOPASSWD:ALL"
	host, rest, ok := strings.Cut(s, "=")
	switch {
	case strings.ContainsAny(s, "\n\r"):
		return "more than one line; each rule is an entry of its own"
	case !ok || strings.TrimSpace(host) == "":
		return fmt.Sprintf("%s is no rule of sudo; %s", quote(s), example)
	case len(strings.Fields(host)) > 1:
		return fmt.Sprintf("leave out %s: the user's name is put before the rule by itself; %s", quote(strings.Fields(host)[0]), example)
	}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "(") {
		_, after, closed := strings.Cut(rest, ")")
		if !closed {
			return fmt.Sprintf("%s has an open parenthesis; %s", quote(s), example)
		}
		rest = strings.TrimSpace(after)
	}
	if rest == "" || strings.HasSuffix(rest, ":") {
		return fmt.Sprintf("%s names no command; %s", quote(s), example)
	}
	return ""
}

func groups(n *Node) []finding {
	var out found
	seen := map[string]*Node{}
	for _, item := range n.List {
		name := item.Child("name")
		if name.IsNull() {
			continue
		}
		if first := seen[name.Text]; first != nil {
			out.conflict(Error, name, fmt.Sprintf("group %s a second time; the first is on line %d", quote(name.Text), first.Pos.Line))
		}
		seen[name.Text] = name
	}
	return out
}

func groupEntry(n *Node) []finding {
	var out found
	if n.Child("name").IsNull() {
		out.wrong("", "name is missing")
	} else {
		out.wrong("name", loginName(textAt(n, "name")))
	}
	return out
}

// passwordLine checks NAME:PASSWORD. It never repeats the password.
func passwordLine(n *Node) []finding {
	name, password, ok := strings.Cut(n.Text, ":")
	switch {
	case !ok:
		return wrong("no colon; write NAME:PASSWORD")
	case loginName(name) != "":
		return wrong(loginName(name))
	case password == "":
		return wrong(fmt.Sprintf("no password after %s:", name))
	}
	return anyPassword(&Node{Kind: String, Text: password, Pos: n.Pos})
}

func passwordEntry(n *Node) []finding {
	var out found
	if n.Child("name").IsNull() {
		out.wrong("", "name is missing")
	} else {
		out.wrong("name", loginName(textAt(n, "name")))
	}
	password := textAt(n, "password")
	switch kind := textAt(n, "type"); kind {
	case "RANDOM":
		if password != "" {
			out.doubtful("password", "it has no effect: type RANDOM makes one")
		}
	case "", "hash":
		if password == "" {
			out.wrong("", "password is missing")
		} else if text := cryptHash(password); text != "" {
			out.wrong("password", strings.ReplaceAll(text, "use plain_text_passwd", "write type: text beside it"))
		} else {
			out.doubtful("password", weakHash(password))
		}
	case "text":
		if password == "" {
			out.wrong("", "password is missing")
		}
	default:
		out.wrong("type", fmt.Sprintf("%s is not one of: text, hash, RANDOM", quote(kind)))
	}
	return out
}
