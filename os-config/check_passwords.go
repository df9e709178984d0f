package osconfig

import (
	"fmt"
	"slices"
	"strings"
)

// Checks of passwords and their hashes. None repeats what it looks at.

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
		out.missing("name", "")
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
			out.missing("password", "")
		} else if text := cryptHash(password); text != "" {
			out.wrong("password", strings.ReplaceAll(text, "use plain_text_passwd", "write type: text beside it"))
		} else {
			out.doubtful("password", weakHash(password))
		}
	case "text":
		if password == "" {
			out.missing("password", "")
		}
	default:
		out.wrong("type", fmt.Sprintf("%s is not one of: text, hash, RANDOM", quote(kind)))
	}
	return out
}
