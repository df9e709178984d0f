package oci

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ImageConfig is what the translation needs of an image's config.json, in the
// field names of the OCI image configuration's "config" object.
type ImageConfig struct {
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
	User       string   `json:"User,omitempty"`
}

// ParseImageConfig reads a config.json: either a whole OCI image configuration
// (with a "config" object) or that object alone.
func ParseImageConfig(data []byte) (ImageConfig, error) {
	var doc struct {
		Config *ImageConfig `json:"config"`
		ImageConfig
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return ImageConfig{}, fmt.Errorf("image config: %w", err)
	}
	if doc.Config != nil {
		return *doc.Config, nil
	}
	return doc.ImageConfig, nil
}

// command is what runs: the unit's arguments replace the image's entirely.
func command(args []string, img ImageConfig) ([]string, error) {
	if len(args) == 0 {
		args = append(append([]string{}, img.Entrypoint...), img.Cmd...)
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("no command: neither unit nor image names one")
	}
	return args, nil
}

// environment merges by key; the unit's value wins and keeps the place.
func environment(img ImageConfig, unit []string) []string {
	var env []string
	at := map[string]int{}
	defaults := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, list := range [][]string{defaults, img.Env, unit} {
		for _, e := range list {
			key, _, _ := strings.Cut(e, "=")
			if i, ok := at[key]; ok {
				env[i] = e
				continue
			}
			at[key] = len(env)
			env = append(env, e)
		}
	}
	return env
}

// user accepts numbers only, "UID" or "UID:GID": a name would have to be looked
// up in the image's tree, and this package reads no files.
func user(s string) (specs.User, error) {
	if s == "" || s == "root" || s == "root:root" {
		return specs.User{}, nil
	}
	uid, gid, both := strings.Cut(s, ":")
	u, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return specs.User{}, fmt.Errorf("user %q: not UID or UID:GID", s)
	}
	if !both {
		return specs.User{UID: uint32(u)}, nil
	}
	g, err := strconv.ParseUint(gid, 10, 32)
	if err != nil {
		return specs.User{}, fmt.Errorf("user %q: not UID or UID:GID", s)
	}
	return specs.User{UID: uint32(u), GID: uint32(g)}, nil
}
