package netconf

import "strings"

// Plan is an ordered list of changes.
type Plan []Op

// String prints one change per line, and no secret.
func (p Plan) String() string {
	var b strings.Builder
	for _, o := range p {
		b.WriteString(o.String() + "\n")
	}
	return b.String()
}

// Apply carries the plan out and tells the outcome of each change. It goes on
// past errors; what needs a link that could not be made is left out.
func (p Plan) Apply(k Kernel, done func(Op, error)) {
	missing := make(map[string]bool)
	still := make(map[LinkID]bool) // up, because they need not get down
	lacks := func(id LinkID) bool { return id.Index == 0 && missing[id.Name] }
	for _, o := range p {
		if o.Kind == OpAddLink && missing[o.Device.Parent] {
			missing[o.Link.Name] = true
			continue
		}
		if o.Kind != OpAddLink && lacks(o.Link) || lacks(o.Master) || o.Kind == OpSetUp && still[o.Link] {
			still[o.Link] = still[o.Link] || o.Kind == OpSetDown
			continue
		}
		err := o.do(k)
		if err != nil && o.Kind == OpAddLink {
			missing[o.Link.Name] = true
		}
		done(o, err)
	}
}
