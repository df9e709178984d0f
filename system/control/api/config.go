package api

import "time"

// Verbs of ConfigEdit.
const (
	VerbSet     = "set"     // Key gets Value
	VerbUnset   = "unset"   // Key goes
	VerbAppend  = "append"  // Value is added to the list at Key
	VerbRemove  = "remove"  // Value goes from the list at Key
	VerbMerge   = "merge"   // Text is merged into the file
	VerbReplace = "replace" // Text takes the place of the file
)

// ConfigEdit is POST /v1/config/edit: a change of the machine's own
// configuration file. It is refused when it brings an error; then the file
// stays as it was.
type ConfigEdit struct {
	Verb  string `json:"verb"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"` // YAML
	Text  string `json:"text,omitempty"`  // a whole document
	Base  string `json:"base,omitempty"`  // VerbReplace: ConfigFile.Sum of what was edited; refused when the file is another one now
}

// ConfigWritten is the answer to ConfigEdit and ConfigRollback.
type ConfigWritten struct {
	Changed    bool     `json:"changed"`
	Generation int      `json:"generation"` // 0 when nothing was written
	Summary    string   `json:"summary"`    // which keys, without values
	Notes      []string `json:"notes"`      // warnings and what a reader would not expect; never null
}

// ConfigFile is GET /v1/config/file, for root: the file as it is.
type ConfigFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
	Sum  string `json:"sum"`
}

// ConfigOrigin is GET /v1/config/origin?key=a.b.c: where a value comes from.
type ConfigOrigin struct {
	Layer  string `json:"layer"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// ConfigChange is one difference between what runs and what is configured.
type ConfigChange struct {
	Key  string `json:"key"`
	How  string `json:"how"`            // live, restart, reboot, nothing
	Unit string `json:"unit,omitempty"` // what restarts
	Text string `json:"text"`
}

// ConfigDiff is GET /v1/config/diff, and the answer to ConfigApply.
type ConfigDiff struct {
	Changes  []ConfigChange `json:"changes"`  // never null
	Problems []string       `json:"problems"` // errors of the files, or what could not be carried out; never null
	Try      *ConfigTry     `json:"try,omitempty"`
}

// ConfigTry is a configuration on trial: it goes back at Until unless it is
// confirmed.
type ConfigTry struct {
	Until   time.Time `json:"until"`
	Seconds float64   `json:"seconds"` // left
}

// ConfigApply is POST /v1/config/apply. It is carried out although the client
// goes away meanwhile.
type ConfigApply struct {
	Try float64 `json:"try,omitempty"` // seconds; 0 is for good
	Yes bool    `json:"yes,omitempty"` // also what cannot be undone
}

// ConfigGeneration is one entry of GET /v1/config/history, newest first.
type ConfigGeneration struct {
	Number  int       `json:"number"`
	Time    time.Time `json:"time"`
	Who     string    `json:"who"`
	Verb    string    `json:"verb"`
	Summary string    `json:"summary"`
	Current bool      `json:"current"`
}

// ConfigRollback is POST /v1/config/rollback.
type ConfigRollback struct {
	Number int `json:"number,omitempty"` // 0: the one before the current one, or the end of a trial
}

// ConfigLayer is one layer of ConfigSources, weakest first.
type ConfigLayer struct {
	Layer string `json:"layer"`
	File  string `json:"file"`
	State string `json:"state"` // used, partly, last-good, dropped
}

// ConfigProbe is one place that was asked for configuration.
type ConfigProbe struct {
	Name    string  `json:"name"`
	Where   string  `json:"where,omitempty"`
	State   string  `json:"state"`
	Detail  string  `json:"detail,omitempty"`
	Seconds float64 `json:"seconds"`
}

// ConfigSources is GET /v1/config/sources.
type ConfigSources struct {
	Instance string        `json:"instance,omitempty"`
	Layers   []ConfigLayer `json:"layers"` // never null
	Probes   []ConfigProbe `json:"probes"` // never null
}

// Paths of the API below PathConfig. POST /v1/config/confirm has no body.
const (
	PathConfigEdit     = "/v1/config/edit"
	PathConfigFile     = "/v1/config/file"
	PathConfigOrigin   = "/v1/config/origin"
	PathConfigDiff     = "/v1/config/diff"
	PathConfigApply    = "/v1/config/apply"
	PathConfigConfirm  = "/v1/config/confirm"
	PathConfigHistory  = "/v1/config/history"
	PathConfigRollback = "/v1/config/rollback"
	PathConfigSources  = "/v1/config/sources"
)
