package netconf

// Radio says why a link has not joined its Wi-Fi network, in a few words; none
// says that nothing is known. Whoever drives the radio says it: the kernel
// knows of the carrier alone. State has it a moment after the return.
func (m *Manager) Radio(link, why string) {
	// Without Run there is nobody to tell.
	_ = m.ask(func() {
		if why == "" {
			delete(m.radios, link)
		} else {
			m.radios[link] = why
		}
	})
}

// carrier names what a link waits for that has no carrier.
func (v *view) carrier(p *port) string {
	if p.spec.WifiNetwork == "" {
		return "a carrier"
	}
	text := "the Wi-Fi network " + p.spec.WifiNetwork
	if why := v.m.radios[p.link.Name]; why != "" {
		text += " (" + why + ")"
	}
	return text
}

// noCarrier reports that a link has had none for too long.
func (v *view) noCarrier(p *port) {
	why := v.m.radios[p.link.Name]
	switch {
	case p.spec.WifiNetwork == "":
		v.problem("%s: no carrier; is a cable plugged in?", p.link.Name)
	case why == "":
		v.problem("%s: the Wi-Fi network %s is not joined; ros logs wifi says more", p.link.Name, p.spec.WifiNetwork)
	default:
		v.problem("%s: the Wi-Fi network %s is not joined: %s", p.link.Name, p.spec.WifiNetwork, why)
	}
}
