package osconfig

// DefaultsLayer is the name of the built-in layer.
const DefaultsLayer = "defaults"

// WithDefaults puts the built-in defaults below the layers. DHCP on every
// Ethernet link is one of them as long as no layer names an interface: who
// names one says what the network is.
func WithDefaults(layers ...Layer) []Layer {
	return append([]Layer{defaults(Merge(layers...))}, layers...)
}

func defaults(user Document) Layer {
	pos := Pos{Layer: DefaultsLayer, File: "built-in"}
	l := Layer{Name: DefaultsLayer, File: "built-in", Doc: NewMap(pos)}
	network := user.Root.Child("rancher").Child("network").Child("interfaces")
	if network != nil {
		for _, e := range network.Map {
			if !e.Value.IsNull() {
				return l
			}
		}
	}
	yes := &Node{Kind: Bool, Text: "true", Pos: pos}
	l.Doc = nested(pos, yes, "rancher", "network", "interfaces", "e*", "dhcp")
	return l
}

// nested is a mapping that holds value below the given keys.
func nested(pos Pos, value *Node, keys ...string) *Node {
	for i := len(keys) - 1; i >= 0; i-- {
		value = NewMap(pos, Entry{Key: keys[i], KeyPos: pos, Value: value})
	}
	return value
}
