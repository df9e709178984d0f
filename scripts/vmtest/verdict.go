package vmtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// accident is a kind of console line that no test may see unless it asked for it.
type accident struct {
	name string
	re   *regexp.Regexp
}

// accidents lists what fails a run, whatever else it asserted.
func accidents() []accident {
	return []accident{
		{"kernel panic", regexp.MustCompile(`Kernel panic - not syncing`)},
		{"kernel oops", regexp.MustCompile(`\bOops: |\bBUG: |general protection fault|invalid opcode: |\bUnable to handle kernel|^.{0,20}kernel BUG at`)},
		{"hung task", regexp.MustCompile(`INFO: task \S+ blocked for more than`)},
		{"Go panic", regexp.MustCompile(`(?:^|[^-\w] ?)panic: |fatal error: |^goroutine \d+ \[|SIGSEGV: segmentation violation`)},
		{"OOM kill", regexp.MustCompile(`Out of memory: Killed process|invoked oom-killer|[Mm]emory cgroup out of memory`)},
		{"segfault", regexp.MustCompile(`segfault at [0-9a-f]+ ip|traps: \S+ general protection`)},
		{"failed unit", regexp.MustCompile(`(?i)unit \S+ (?:has )?failed|unit failed|crash-looping|Failed to start `)},
		{"file system error", regexp.MustCompile(`(?:EXT4-fs|EROFS|erofs) ?(?:error|\(.*\): .*error)|device-mapper: verity: .*corrupt|I/O error, dev`)},
	}
}

// Accidents returns the lines of a console log that show an accident, each
// with the accident's name, without the lines that an allow pattern matches.
func Accidents(log string, allow ...*regexp.Regexp) []string {
	kinds := accidents()
	var found []string
lines:
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\n")
		for _, k := range kinds {
			if !k.re.MatchString(line) {
				continue
			}
			for _, a := range allow {
				if a.MatchString(line) {
					continue lines
				}
			}
			found = append(found, fmt.Sprintf("%s: %s", k.name, line))
			continue lines
		}
	}
	return found
}

// Milestone is one line of the serial contract.
type Milestone struct {
	Name string
	At   float64 // seconds since kernel start
}

// Milestones returns the milestones of a console log in the order in which
// they were printed.
func Milestones(log string) []Milestone {
	re := milestonePattern("[a-z]+")
	var ms []Milestone
	for _, m := range re.FindAllStringSubmatch(log, -1) {
		at, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			continue
		}
		ms = append(ms, Milestone{Name: m[1], At: at})
	}
	return ms
}

func milestonePattern(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^.*?pharos: reached (` + name + `) at (\d+\.\d\d)s[ \t]*$`)
}
