package swarm

import (
	"encoding/json"
	"maps"
	"net"
	"net/netip"
	"os"

	"github.com/pharos-os/pharos/system/atomicfile"
)

// memory is what a Reconciler has to know from earlier looks, also from those
// before a reboot. Neither the engine nor the configuration says it.
type memory struct {
	Root   string            `json:"root"`   // the engine's data root, as a path in its own root
	Node   string            `json:"node"`   // the node that it is about
	Links  map[string]string `json:"links"`  // address in use → the link that has, or had, it
	Labels map[string]string `json:"labels"` // those of the node that the configuration has set
}

func (m memory) clone() memory {
	return memory{m.Root, m.Node, maps.Clone(m.Links), maps.Clone(m.Labels)}
}

func (m memory) equal(o memory) bool {
	return m.Root == o.Root && m.Node == o.Node && maps.Equal(m.Links, o.Links) && maps.Equal(m.Labels, o.Labels)
}

// recall makes the memory that of a node. A file that is missing or damaged is
// an empty memory: the next looks fill it.
func (r *Reconciler) recall(node string) {
	if r.memory.Node == "" {
		if text, err := os.ReadFile(r.Memory); err == nil && json.Unmarshal(text, &r.memory) == nil {
			r.kept = r.memory.clone()
		}
	}
	if r.memory.Node != node {
		r.memory = memory{Node: node}
	}
}

// RememberedRoot returns the data root of the engine when the machine was last
// seen in a swarm. It is empty when the file does not say.
func RememberedRoot(file string) string {
	var m memory
	text, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(text, &m) != nil {
		return ""
	}
	return m.Root
}

// keep writes the memory down when it differs from what was written.
func (r *Reconciler) keep() error {
	if r.Memory == "" {
		return nil
	}
	if _, err := os.Stat(r.Memory); err == nil && r.memory.equal(r.kept) {
		return nil
	}
	text, err := json.Marshal(r.memory)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(r.Memory, append(text, '\n'), 0o600); err != nil {
		return err
	}
	r.kept = r.memory.clone()
	return nil
}

// seen remembers which links have the addresses in use, and forgets others.
func (r *Reconciler) seen(addresses ...string) {
	links := map[string]string{}
	for _, address := range addresses {
		a, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		name, err := r.Whose(a)
		if err != nil || name == "" {
			name = r.memory.Links[a.String()]
		}
		if name != "" {
			links[a.String()] = name
		}
	}
	r.memory.Links = links
}

// whose asks the kernel for the link with an address.
func whose(address netip.Addr) (string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, l := range links {
		addresses, err := l.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == address.Unmap() {
					return l.Name, nil
				}
			}
		}
	}
	return "", nil
}
