package coreunit

import (
	"fmt"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// SetProblem is a problem of one unit among others.
type SetProblem struct {
	Unit   string
	DropIn string // name of the drop-in; empty is the unit file
	osconfig.UnitProblem
}

// Together reports units that ask for units which are not among them. These
// are warnings: another layer may bring the one that is missed.
func Together(units []osconfig.CoreOSUnit) []SetProblem {
	there := map[string]bool{}
	for _, u := range units {
		there[u.Name] = !u.Mask
	}
	var out []SetProblem
	for _, u := range units {
		if u.Mask || u.Content == "" {
			continue
		}
		s := set{there: there, unit: u.Name, out: &out}
		s.text("", u.Content)
		for _, d := range u.DropIns {
			s.text(d.Name, d.Content)
		}
		stem, kind := cutKind(u.Name)
		if service := stem + ".service"; kind == "timer" && !s.named && !there[service] && !strings.HasSuffix(stem, "@") {
			s.add("", 1, 1, fmt.Sprintf("there is no %s for the timer to start", service))
		}
	}
	return out
}

type set struct {
	there map[string]bool
	unit  string
	named bool // a timer says what it starts
	out   *[]SetProblem
}

func (s *set) add(dropIn string, line, col int, text string) {
	*s.out = append(*s.out, SetProblem{Unit: s.unit, DropIn: dropIn,
		UnitProblem: osconfig.UnitProblem{Line: line, Col: col, Severity: osconfig.Warning, Text: text}})
}

func (s *set) text(dropIn, text string) {
	options, _ := scan(text) // its problems are Check's
	for _, o := range options {
		if o.section == "Timer" && o.name == "Unit" {
			s.named = true
		}
		for _, name := range strings.Fields(o.value) {
			if strings.Contains(name, "%") || s.missing(name) == "" {
				continue
			}
			effect := ""
			switch {
			case o.section == "Unit" && (o.name == "Requires" || o.name == "BindsTo"):
				effect = "without it the unit is not run"
			case o.section == "Unit" && (o.name == "Wants" || o.name == "After" || o.name == "Before" || o.name == "PartOf" || o.name == "OnFailure"):
				effect = o.name + "= has no effect for it"
			case o.section == "Timer" && o.name == "Unit":
				effect = "without it the timer is not run"
			default:
				continue
			}
			s.add(dropIn, o.line, o.valueCol, fmt.Sprintf("%s %s; %s", name, s.missing(name), effect))
		}
	}
}

// missing says that a unit is not there, "" when it is.
func (s *set) missing(name string) string {
	_, kind := cutKind(name)
	if kind != "service" && kind != "timer" {
		return "" // Check judges the others
	}
	runs, listed := s.there[name]
	_, known := KnownUnit(name)
	switch {
	case runs || known && !listed:
		return ""
	case listed:
		return "is masked"
	}
	return "is not among these units"
}
