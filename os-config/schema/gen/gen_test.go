package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// generated are the files that the sources below root make now.
func generated(t *testing.T) (root string, files map[string][]byte) {
	t.Helper()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	files, err = generate(root)
	if err != nil {
		t.Fatal(err)
	}
	return root, files
}

// TestGeneratedFilesAreFresh: a change of the types or of their comments
// comes with the schema and the page that are made of them.
func TestGeneratedFilesAreFresh(t *testing.T) {
	root, files := generated(t)
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale; run: go generate ./os-config/schema\n(-made now +file)\n%s", path, diff)
		}
	}
}

// TestLinks: each link of the reference page has its place.
func TestLinks(t *testing.T) {
	_, files := generated(t)
	page := string(files["docs/reference.md"])
	places := map[string]int{"keys-of-others": 1}
	for _, m := range regexp.MustCompile(`<a id="([^"]*)">`).FindAllStringSubmatch(page, -1) {
		places[m[1]]++
	}
	for id, n := range places {
		if n > 1 {
			t.Errorf("%d places have the name %s", n, id)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(page, -1) {
		if places[m[1]] == 0 {
			t.Errorf("a link to #%s, which is nowhere", m[1])
		}
	}
}

func TestHyphens(t *testing.T) {
	for name, spellings := range map[string]map[string]bool{
		"drop_ins":            {"drop-ins": true, "drop_ins": false, "dropins": false},
		"ssh_authorized_keys": {"ssh-authorized-keys": true, "ssh_authorized-keys": true, "ssh-authorized_keys": true, "ssh_authorized_keys": false},
		"a_b_c_d":             {"a_b_c-d": true, "a_b-c_d": true, "a-b_c_d": true, "a_b_c_d": false, "a-b-c": false},
	} {
		re := regexp.MustCompile("^" + hyphens(name) + "$")
		for s, want := range spellings {
			if re.MatchString(s) != want {
				t.Errorf("%s matches %s: %v", re, s, !want)
			}
		}
	}
}

// TestAdviceWorks: nobody is told to use a key that is not carried out yet.
func TestAdviceWorks(t *testing.T) {
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	src, err := readSource(filepath.Join(root, "os-config"))
	if err != nil {
		t.Fatal(err)
	}
	s := newShape(src)
	var undone []string
	for _, at := range s.sections {
		for _, k := range at.keys {
			if k.about.Missing != "" && at.path != "" {
				undone = append(undone, at.path+"."+k.name)
			}
		}
	}
	if len(undone) == 0 {
		return // everything is carried out
	}
	for _, notes := range s.legacy {
		for _, n := range notes {
			for _, key := range undone {
				word := regexp.MustCompile(regexp.QuoteMeta(key) + `\b`)
				if word.MatchString(n.text) && !strings.Contains(n.text, "not carried out yet") {
					t.Errorf("%s: %q advises %s, which is not carried out", n.name, n.text, key)
				}
			}
		}
	}
}
