package osconfig

import (
	"fmt"
	"strings"
)

// imageName checks [HOST[:PORT]/]PATH[:TAG][@DIGEST], the grammar of
// github.com/distribution/reference.
func imageName(s string) string {
	if strings.Contains(s, "://") {
		return fmt.Sprintf("%s: write HOST/NAME:TAG without a scheme", quote(s))
	}
	rest, digest, digested := strings.Cut(s, "@")
	if digested && !digestText(digest) {
		return fmt.Sprintf("%s is no digest, like sha256:… with 64 hex digits", quote(digest))
	}
	host, name := "", rest
	if first, after, ok := strings.Cut(rest, "/"); ok && (first == "localhost" || strings.ContainsAny(first, ".:[")) {
		host, name = first, after
	}
	name, tag, tagged := strings.Cut(name, ":")
	const mostTag = 128
	switch {
	case host != "" && registry(host) != "":
		return registry(host)
	case tagged && (len(tag) > mostTag || !spelled(tag, "A-Za-z0-9_", "A-Za-z0-9_.-")):
		return fmt.Sprintf("%s is no image: %s is no tag", quote(s), quote(tag))
	}
	for part := range strings.SplitSeq(name, "/") {
		if imagePart(part) {
			continue
		}
		if imagePart(strings.ToLower(part)) {
			return fmt.Sprintf("%s: the name of an image has no capital letters", quote(s))
		}
		return fmt.Sprintf("%s is no image, like busybox:1.37 or registry.example.com/team/app:2", quote(s))
	}
	return ""
}

// imagePart says whether a text is one part of an image's path: words with
// one dot, one or two underscores or any number of hyphens between.
func imagePart(s string) bool {
	if !spelled(s, "a-z0-9", "a-z0-9._-") || strings.ContainsAny(s[len(s)-1:], "._-") {
		return false
	}
	for _, bad := range []string{"..", "___", "._", "_.", ".-", "-.", "_-", "-_"} {
		if strings.Contains(s, bad) {
			return false
		}
	}
	return true
}

func digestText(s string) bool {
	method, sum, _ := strings.Cut(s, ":")
	const least = 32
	return spelled(method, "a-z", "a-z0-9+._-") && len(sum) >= least && spelled(sum, "0-9a-f", "0-9a-f")
}
