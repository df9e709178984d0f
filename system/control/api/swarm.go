package api

// Swarm is GET /v1/engine/swarm: how the machine stands in the swarm of its
// engine, and what a manager knows of the others.
type Swarm struct {
	Configured bool        `json:"configured"` // rancher.docker.swarm is set
	State      string      `json:"state"`      // inactive, pending, active, locked, error
	Role       string      `json:"role"`       // manager, worker; empty: in no swarm
	Node       string      `json:"node"`       // ID
	Address    string      `json:"address"`    // by which the other machines know this one
	Leader     bool        `json:"leader"`
	Managers   []string    `json:"managers"` // addresses of the managers known here; never null
	Quorum     SwarmQuorum `json:"quorum"`   // managers know it
	Autolock   *bool       `json:"autolock"` // managers know it; null elsewhere
	Error      string      `json:"error,omitempty"`
	Reasons    []string    `json:"reasons"` // what is wrong with this machine, sentences; never null
	Notes      []string    `json:"notes"`   // what is wrong elsewhere, or worth knowing; never null
	Nodes      []SwarmNode `json:"nodes"`   // managers know them; never null
}

// SwarmQuorum is how many managers there are. The swarm can be changed while
// Needed of them answer.
type SwarmQuorum struct {
	Managers  int `json:"managers"`
	Reachable int `json:"reachable"`
	Needed    int `json:"needed"`
}

// SwarmNode is one machine of the swarm.
type SwarmNode struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Role         string            `json:"role"`
	State        string            `json:"state"`
	Availability string            `json:"availability"`
	Address      string            `json:"address"`
	Leader       bool              `json:"leader"`
	Reachable    bool              `json:"reachable"` // a manager that answers
	Self         bool              `json:"self"`
	Labels       map[string]string `json:"labels,omitempty"`
}

// Roles of SwarmTokenQuestion.
const (
	RoleWorker  = "worker"
	RoleManager = "manager"
)

// SwarmTokenQuestion is POST /v1/engine/swarm/token, for root.
type SwarmTokenQuestion struct {
	Role   string `json:"role"`
	Rotate bool   `json:"rotate,omitempty"` // the old token does not join any more
}

// SwarmToken is the answer.
type SwarmToken struct {
	Role   string `json:"role"`
	Token  string `json:"token"`
	Remote string `json:"remote"` // this manager, HOST:PORT
}

// SwarmKey is GET /v1/engine/swarm/unlock-key, for root, and POST
// /v1/engine/swarm/unlock.
type SwarmKey struct {
	Key string `json:"key"`
}

// Paths of the API about the engine and its swarm.
const (
	PathBinds       = "/v1/engine/binds"
	PathSwarm       = "/v1/engine/swarm"
	PathSwarmToken  = "/v1/engine/swarm/token"
	PathSwarmKey    = "/v1/engine/swarm/unlock-key"
	PathSwarmUnlock = "/v1/engine/swarm/unlock"
)
