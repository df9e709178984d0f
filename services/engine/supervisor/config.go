package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fixed are the keys that a user's file cannot change: the rest of the unit
// relies on them.
func fixed() []string {
	return []string{"containerd", "exec-root", "pidfile", "cgroup-parent", "exec-opts"}
}

func decode(text []byte) (map[string]any, error) {
	config := map[string]any{}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return config, nil
}

// merge lays the user's file over the configuration, but for the fixed keys
// and more of them; hosts and labels are added to ours. On an error the result is the
// configuration alone.
func merge(config map[string]any, path string, more []string) (map[string]any, error) {
	merged := maps.Clone(config)
	if path == "" {
		return merged, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return merged, fmt.Errorf("configuration: %w", err)
	}
	user, err := decode(bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return merged, err
	}
	for key, value := range user {
		switch {
		case slices.Contains(fixed(), key), slices.Contains(more, key):
		case key == "hosts":
			ours, _ := config["hosts"].([]any)
			theirs, _ := value.([]any)
			all := slices.Clone(ours)
			for _, h := range theirs {
				if !slices.Contains(all, h) {
					all = append(all, h)
				}
			}
			merged["hosts"] = all
		case key == "labels":
			merged["labels"] = addLabels(config["labels"], value)
		case key == "log-driver" && user["log-opts"] == nil && value != config["log-driver"]:
			// Our options are the default driver's.
			delete(merged, "log-opts")
			merged[key] = value
		default:
			merged[key] = value
		}
	}
	return merged, nil
}

// addLabels adds the user's labels to ours. dockerd refuses two values for one
// key, so the user's replace ours.
func addLabels(ours, theirs any) any {
	a, _ := ours.([]any)
	b, ok := theirs.([]any)
	if !ok { // dockerd says what is wrong
		return theirs
	}
	keyOf := func(label any) string {
		text, _ := label.(string)
		key, _, _ := strings.Cut(text, "=")
		return key
	}
	kept := slices.DeleteFunc(slices.Clone(a), func(label any) bool {
		return slices.ContainsFunc(b, func(other any) bool { return keyOf(other) == keyOf(label) })
	})
	return append(kept, b...)
}

func (e *engine) configPath() string { return filepath.Join(e.Run, "docker-daemon.json") }

// handed is the configuration with our socket as one that is handed down.
func (e *engine) handed() map[string]any {
	config := maps.Clone(e.config)
	hosts, _ := config["hosts"].([]any)
	list := []any{"fd://"}
	for _, h := range hosts {
		if h != "unix:///run/"+socketName && h != "unix:///var/run/"+socketName && h != "fd://" {
			list = append(list, h)
		}
	}
	config["hosts"] = list
	return config
}

func (e *engine) writeConfig() error {
	text, err := json.MarshalIndent(e.handed(), "", "  ")
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	// A tmpfs, rewritten at every start: complete or not there is enough.
	next := e.configPath() + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := os.Rename(next, e.configPath()); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}
