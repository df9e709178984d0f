package osconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// trap explains a value without quotes that is a text here and something else
// to programs that read YAML 1.1, RancherOS and cloud-init among them; "" when
// it is none.
func trap(n *Node, pattern string) string {
	if n.Quoted || n.Loose || wantsPlain(pattern) {
		return ""
	}
	const advice = "write it in quotes if the text is meant"
	switch n.Kind {
	case String:
		switch strings.ToLower(n.Text) {
		case "yes", "no", "on", "off":
			return fmt.Sprintf("%s without quotes is a truth value to YAML 1.1 (cloud-init, RancherOS) and a text here; %s", n.Text, advice)
		}
		for _, mark := range []string{"“", "”", "„", "‘", "’", "«"} {
			if strings.HasPrefix(n.Text, mark) {
				return fmt.Sprintf("%s is no quote to YAML but part of the text; write \" or '", mark)
			}
		}
		if seconds, ok := sexagesimal(n.Text); ok {
			return fmt.Sprintf("%s without quotes is the number %d (base 60) to YAML 1.1 and a text here; %s", n.Text, seconds, advice)
		}
	case Int:
		if i, err := strconv.ParseInt(n.Text, 0, 64); err == nil && strconv.FormatInt(i, 10) != n.Text {
			return fmt.Sprintf("%s without quotes is the number %d to other programs and a text here; %s", n.Text, i, advice)
		}
	case Float:
		if f, err := strconv.ParseFloat(n.Text, 64); err == nil {
			if short := strconv.FormatFloat(f, 'f', -1, 64); short != n.Text {
				return fmt.Sprintf("%s without quotes is the number %s to other programs and a text here; %s", n.Text, short, advice)
			}
		}
	}
	return ""
}

// wantsPlain lists the texts that people rightly write without quotes.
func wantsPlain(pattern string) bool {
	switch pattern {
	case "manage_etc_hosts", "write_files[].permissions", "coreos.update.reboot_strategy",
		"rancher.network.interfaces.*.bridge", "rancher.services.*.restart":
		return true
	}
	return false
}

// sexagesimal reads numbers like 22:22 and 12:30:00.
func sexagesimal(s string) (int, bool) {
	parts := strings.Split(s, ":")
	const most = 4
	if len(parts) < 2 || len(parts) > most || !spelled(parts[0], "1-9", "0-9") || len(parts[0]) > 9 {
		return 0, false
	}
	total := 0
	for i, p := range parts {
		digit, err := strconv.Atoi(p)
		if err != nil || i > 0 && (len(p) > 2 || digit > 59 || !spelled(p, "0-9", "0-9")) {
			return 0, false
		}
		total = total*60 + digit
	}
	return total, true
}

// leadingZero explains a whole number that YAML 1.1 reads as octal.
func leadingZero(text string) string {
	digits := strings.TrimLeft(text, "+-")
	if len(digits) < 2 || digits[0] != '0' || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	plain := strings.TrimLeft(digits, "0")
	if plain == "" {
		return ""
	}
	if octal, err := strconv.ParseInt(digits, 8, 64); err == nil {
		return fmt.Sprintf("%s has a leading zero: YAML 1.1 reads the octal number %d; write %s or %d", text, octal, plain, octal)
	}
	return fmt.Sprintf("%s has a leading zero; write %s", text, plain)
}
