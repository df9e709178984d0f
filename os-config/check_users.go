package osconfig

import (
	"fmt"
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

// missing says that a mapping lacks a key; more follows it.
func (f *found) missing(key, more string) {
	*f = append(*f, finding{severity: Error, kind: Value, lack: key, text: key + " is missing" + more})
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

// once finds items of a list whose name another one has too; what says what
// they are.
func once(what string) func(n *Node) []finding {
	return func(n *Node) []finding {
		var out found
		out.repeated(n, "name", func(name, first *Node) string {
			return fmt.Sprintf("%s %s a second time; the first is on line %d", what, quote(name.Text), first.Pos.Line)
		})
		return out
	}
}

// repeated finds items of a list whose value at key another one has too.
func (f *found) repeated(list *Node, key string, text func(again, first *Node) string) {
	seen := map[string]*Node{}
	for _, item := range list.List {
		v := item.Child(key)
		if v.IsNull() {
			continue
		}
		if first := seen[v.Text]; first != nil {
			f.conflict(Error, v, text(v, first))
		}
		seen[v.Text] = v
	}
}

// users looks for accounts that come twice. The number 0 stands for a free one.
func users(n *Node) []finding {
	out := found(once("user")(n))
	numbered := NewList(n.Pos)
	for _, item := range n.List {
		if textAt(item, "uid") != "0" {
			numbered.List = append(numbered.List, item)
		}
	}
	out.repeated(numbered, "uid", func(uid, first *Node) string {
		return fmt.Sprintf("number %s is that of another user too, on line %d", uid.Text, first.Pos.Line)
	})
	return out
}

func userEntry(now time.Time) func(n *Node) []finding {
	return func(n *Node) []finding {
		var out found
		name := textAt(n, "name")
		switch {
		case n.Child("name").IsNull():
			out.missing("name", "")
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

func groupEntry(n *Node) []finding {
	var out found
	if n.Child("name").IsNull() {
		out.missing("name", "")
	} else {
		out.wrong("name", loginName(textAt(n, "name")))
	}
	return out
}
