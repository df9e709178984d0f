// Package api holds the wire types of the control API: JSON over HTTP on
// /run/pharos/control.sock. It refuses behaviour: the server is
// system/control, the client system/control/client.
package api

import "time"

// Socket is where the manager serves the API.
const Socket = "/run/pharos/control.sock"

// States of the machine in Status.State.
const (
	StateBooting  = "booting"
	StateReady    = "ready"
	StateDegraded = "degraded"
	StateFailed   = "failed"
)

// Status is GET /v1/status.
type Status struct {
	State    string   `json:"state"`
	Reasons  []string `json:"reasons"` // never null
	Notes    []string `json:"notes"`   // what is worth knowing although nothing is wrong with this machine, sentences; never null
	Waiting  []string `json:"waiting"` // what the boot waits for now, sentences; never null
	Version  string   `json:"version"`
	Slot     string   `json:"slot"` // "A", "B", "iso", "initrd", "disk"
	Hostname string   `json:"hostname"`
	Kernel   string   `json:"kernel"`
	Engine   Engine   `json:"engine"`
	Storage  string   `json:"storage"` // "ram" or the state file system's device
	Network  []Link   `json:"network"`
	Uptime   float64  `json:"uptime"` // seconds since kernel start
}

// Engine is the user container engine.
type Engine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
}

// Binds is the answer to GET /v1/engine/binds: what containers write to places
// that the next boot empties, and what they miss. Control characters are
// replaced by a question mark.
type Binds struct {
	// Stateless says that the machine has no state file system: nothing lasts
	// but what is mounted from disks. The rest is empty then, but for OldBinds.
	Stateless bool `json:"stateless"`
	// DataRoot is where the engine keeps images and volumes, when that does not
	// last.
	DataRoot *DataRoot `json:"data_root,omitempty"`
	Binds    []Bind    `json:"binds"`
	// LateFiles are files of write_files that containers bind and that are
	// written after containers with a restart policy have started.
	LateFiles []LateFile `json:"late_files,omitempty"`
	// OldBinds are places of which running containers have what was there before
	// the console started again. Containers that cannot be looked into, and those
	// for which there was no time, are left out.
	OldBinds []OldBind `json:"old_binds,omitempty"`
}

// OldBind is a place of the console's tree that a running container has bound
// before the console started again with a new tree.
type OldBind struct {
	Container string `json:"container"`
	Project   string `json:"project,omitempty"` // of Compose
	Source    string `json:"source"`
	Target    string `json:"target"`  // in the container
	Command   string `json:"command"` // which gives the container what is there now
}

// LateFile is a file with "defer: true" that a container binds.
type LateFile struct {
	Container string `json:"container"`
	Project   string `json:"project,omitempty"` // of Compose
	Path      string `json:"path"`
}

// DataRoot is the engine's directory of images, containers and volumes.
type DataRoot struct {
	Path   string `json:"path"`
	Advice string `json:"advice"` // what to set instead
}

// Bind is a place that a container may write to and that the next boot empties.
type Bind struct {
	Container string `json:"container"`
	Project   string `json:"project,omitempty"` // of Compose
	Volume    string `json:"volume,omitempty"`  // the volume that is a bind of Source
	Source    string `json:"source"`
	Leads     string `json:"leads,omitempty"` // where Source leads, when there are links in it
	Target    string `json:"target"`          // in the container
	Advice    string `json:"advice"`          // what to write instead
}

// Link is one network link, as people want to see it.
type Link struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Up        bool     `json:"up"`    // set up, with a carrier or without
	State     string   `json:"state"` // as NetworkLink's
	Addresses []string `json:"addresses"`
	Gateway   string   `json:"gateway,omitempty"`
	Source    string   `json:"source"` // "dhcp", "static", "none"
}

// Stage is one entry of GET /v1/boot. Times are seconds since kernel start.
type Stage struct {
	Name  string   `json:"name"`
	Start float64  `json:"start"`
	End   float64  `json:"end"`  // 0 while it runs
	Lane  string   `json:"lane"` // "init", "manager", "network", "unit"
	After []string `json:"after,omitempty"`
	Error string   `json:"error,omitempty"`
	// Deadline is when the stage is given up, seconds since kernel start; 0 is never.
	Deadline float64 `json:"deadline,omitempty"`
}

// Milestone is one of the contract's milestones and when it was reached.
type Milestone struct {
	Name string  `json:"name"`
	At   float64 `json:"at"` // seconds since kernel start
}

// Boot is GET /v1/boot.
type Boot struct {
	Stages     []Stage     `json:"stages"`
	Milestones []Milestone `json:"milestones"`
}

// Service is one entry of GET /v1/services.
type Service struct {
	Name         string    `json:"name"`
	Image        string    `json:"image"`
	State        string    `json:"state"` // waiting, starting, running, stopping, stopped, failed, crash-looping
	Since        time.Time `json:"since"`
	PID          int       `json:"pid"`
	Restarts     int       `json:"restarts"`
	Message      string    `json:"message"` // last event or what is waited for
	Memory       int64     `json:"memory"`  // bytes, cgroup memory.current
	Capabilities []string  `json:"capabilities"`
	Events       []Event   `json:"events,omitempty"`
}

// Event is one transition of a service.
type Event struct {
	Time    time.Time `json:"time"`
	State   string    `json:"state"`
	Message string    `json:"message"`
}

// Process is one entry of GET /v1/services/NAME/processes.
type Process struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	RSS     int64  `json:"rss"` // bytes
	State   string `json:"state"`
}

// LogLine is one line of GET /v1/logs?unit=…&lines=N&since=RFC3339&follow=1
// (application/x-ndjson). Unit "kernel" is the kernel's log, "system" the
// manager's, "" everything.
type LogLine struct {
	Time time.Time `json:"time"`
	Unit string    `json:"unit"`
	Text string    `json:"text"`
}

// LogQuery is the query of GET /v1/logs.
type LogQuery struct {
	Unit   string    // as in LogLine
	Lines  int       // at most the last so many; negative is all
	Since  time.Time // zero is everything kept
	Follow bool      // go on with new lines until the caller leaves
}

// Error is the body of every answer with a status of 400 or more.
type Error struct {
	Error string `json:"error"`
}

// Shutdown is POST /v1/shutdown.
type Shutdown struct {
	Action string `json:"action"` // poweroff, reboot, halt
	Force  bool   `json:"force"`  // skip the ordered stop
}

// Paths of the API. Config: GET /v1/config?key=a.b.c&full=1&private=1 answers
// YAML text. Verbs: POST /v1/services/NAME/{start,stop,restart}, answered when
// done. Processes: GET /v1/services/NAME/processes.
const (
	PathStatus   = "/v1/status"
	PathBoot     = "/v1/boot"
	PathServices = "/v1/services"
	PathLogs     = "/v1/logs"
	PathConfig   = "/v1/config"
	PathShutdown = "/v1/shutdown"
)
