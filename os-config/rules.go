package osconfig

import (
	"maps"
	"time"
)

// rule is what a type cannot say about the values at a place.
type rule struct {
	check func(n *Node) []finding              // the value, after it decoded
	key   func(key string, value *Node) string // the keys of a free mapping
}

// finding is a problem that a check found.
type finding struct {
	severity Severity
	kind     ProblemKind
	key      string // the key below the checked node that is meant; may be empty
	node     *Node  // the node inside the checked one to point at; nil is that itself or its key's
	pos      Pos    // where exactly, when that is within a node
	lack     string // the key below the checked node that is not there; "" for all other findings
	text     string
}

func wrong(text string) []finding {
	if text == "" {
		return nil
	}
	return []finding{{severity: Error, kind: Value, text: text}}
}

func doubtful(text string) []finding {
	return []finding{{severity: Warning, kind: Value, text: text}}
}

// on makes a check of a function of the text that returns what is wrong.
func on(f func(string) string) rule {
	return rule{check: func(n *Node) []finding { return wrong(f(n.Text)) }}
}

// rules are the checks by pattern path ("*" keys of free mappings, "[]" list
// items).
func rules(units UnitChecker, now time.Time) map[string]rule {
	out := cloudInitRules(units, now)
	maps.Copy(out, rancherRules())
	return out
}
