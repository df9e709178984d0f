package osconfig

import (
	"strings"
	"testing"
)

func TestSexagesimal(t *testing.T) {
	for text, want := range map[string]int{
		"22:22": 1342, "12:30:00": 45000, "1:2": 62, "190:20:30": 685230,
		"80:80": -1, "22:60": -1, "0:10": -1, "a:1": -1, "1:": -1, ":1": -1, "22": -1, "1:001": -1, "": -1, "1:-1": -1,
		"52:54:00:12:34:56": -1, "99999999999:1": -1,
	} {
		got, ok := sexagesimal(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("sexagesimal(%q) = %d, %v; want %d", text, got, ok, want)
		}
	}
}

func TestLeadingZero(t *testing.T) {
	for text, want := range map[string]string{
		"0100": "write 100 or 64", "010": "write 10 or 8", "09": "write 9", "-010": "write 10 or 8",
		"0": "", "00": "", "10": "", "0x10": "", "": "", "0o10": "",
	} {
		if got := leadingZero(text); want == "" != (got == "") || !strings.HasSuffix(got, want) {
			t.Errorf("leadingZero(%q) = %q, want %q at its end", text, got, want)
		}
	}
}

func TestSpelled(t *testing.T) {
	for _, tt := range []struct {
		s, first, rest string
		want           bool
	}{
		{"abc", "a-z", "a-z", true}, {"aBc", "a-z", "a-z", false}, {"a-c", "a-z", "a-z-", true}, {"-ac", "a-z", "a-z-", false},
		{"", "a-z", "a-z", false}, {"a.b", "a-z", "a-z.", true}, {"a.b", "a-z", ".a-z", true}, {"7", "0-9", "", true}, {"77", "0-9", "", false},
	} {
		if got := spelled(tt.s, tt.first, tt.rest); got != tt.want {
			t.Errorf("spelled(%q, %q, %q) = %v", tt.s, tt.first, tt.rest, got)
		}
	}
}

// TestBombs: what multiplies itself, goes deep or is long is refused, or read
// within bounds; it takes neither the stack nor the memory.
func TestBombs(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, text := range map[string]string{
		"too long": "a: " + many("x", MaxSize),
		"brackets": many("[", 200_000),
		"braces":   many("{a: ", 200_000),
		"dashes":   many("- ", 200_000),
		"block depth": func() string {
			var b strings.Builder
			for i := range 700 {
				b.WriteString(many(" ", i) + "a:\n")
			}
			return b.String()
		}(),
		"anchors in a row":  "a: " + many("&x ", 150_000) + "y",
		"tags in a row":     "a: [" + many("!!str ", 100_000) + "y]",
		"question marks":    many("? ", 150_000),
		"colons":            many("a: ", 150_000),
		"keys":              many("a: 1\n", 200_000),
		"flow keys":         "{" + many("a: 1,", 200_000) + "}",
		"alias to itself":   "a: &a [*a, *a]",
		"merge with itself": "a: &a {<<: *a}",
		"aliases":           "a: &a [" + many("x,", 900) + "]\nb: &b [" + many("*a,", 900) + "]\nc: [" + many("*b,", 900) + "]",
		"quotes":            "a: " + many(`"`, 200_001),
		"pipes":             many("|", 200_000),
		"documents":         many("---\n", 200_000),
		"comments":          many("#\n", 400_000),
		"directives":        many("%YAML 1.2\n", 50_000),
	} {
		t.Run(name, func(t *testing.T) {
			layer, report := Parse("x", "x", []byte(text))
			if layer.Doc != nil {
				report = append(report, Validate(Merge(layer))...)
			}
			if len(report) == 0 && name != "comments" && name != "documents" {
				t.Errorf("accepted")
			}
			for _, p := range report {
				if len(p.String()) > 2500 {
					t.Errorf("a message of %d bytes: %.80s…", len(p.Text), p.Text)
				}
			}
		})
	}
}
