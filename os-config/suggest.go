package osconfig

import (
	"fmt"
	"reflect"
	"strings"
)

// suggestion is the end of the sentence about an unknown key: the nearest
// known one in the same section, else the place where that key belongs.
func suggestion(section reflect.Type, key string) string {
	best, distance := "", len(key)/3+1
	for _, f := range fieldsOf(section) {
		if d := editDistance(plain(key), plain(f.name)); d <= distance {
			best, distance = f.name, d-1
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	for _, p := range allPaths() {
		if strings.ContainsAny(p, "*[") {
			continue
		}
		if p == key || strings.HasSuffix(p, "."+key) {
			return fmt.Sprintf("; did you mean %s?", p)
		}
	}
	return ""
}

// plain makes spellings equal that differ in case and separators only.
func plain(key string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key))
}

// editDistance counts inserted, deleted, replaced and swapped letters
// (optimal string alignment).
func editDistance(a, b string) int {
	const most = 64
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
