package osconfig

import (
	"maps"
	"strings"
)

// networkRules are the rules of rancher.network.
func networkRules() map[string]rule {
	out := map[string]rule{
		"rancher.network.dhcp_timeout":      on(zeroOr(1, 3600)),
		"rancher.network.dns.nameservers[]": on(hostAddress),
		"rancher.network.dns.search[]":      on(domain),
		"rancher.network.http_proxy":        on(proxy),
		"rancher.network.https_proxy":       on(proxy),
		"rancher.network.no_proxy":          on(oneLine),
		"rancher.network.pre_cmds[]":        {check: vector},
		"rancher.network.post_cmds[]":       {check: vector},

		"rancher.network.rules[]":                        {check: routeRule},
		"rancher.network.firewall.policy":                on(oneOf("accept", "drop")),
		"rancher.network.firewall.allow[]":               {check: firewallRule},
		"rancher.network.firewall.allow[].protocol":      on(oneOf("tcp", "udp", "icmp", "any")),
		"rancher.network.firewall.allow[].ports[]":       on(portRange),
		"rancher.network.firewall.allow[].from[]":        on(networkOrAddress),
		"rancher.network.firewall.allow[].interface":     on(firewallLink),
		"rancher.network.interfaces":                     {key: interfaceKey},
		"rancher.network.wifi_networks":                  {key: wifiKey},
		"rancher.network.wifi_networks.*.ssid":           on(ssid),
		"rancher.network.wifi_networks.*.psk":            on(wifiKeyText),
		"rancher.network.wifi_networks.*.scan_ssid":      on(between(0, 1)),
		"rancher.network.wifi_networks.*.priority":       on(between(0, 1_000_000)),
		"rancher.network.wifi_networks.*.pairwise":       on(wordsOf("CCMP", "TKIP", "GCMP", "CCMP-256", "GCMP-256", "NONE")),
		"rancher.network.wifi_networks.*.group":          on(wordsOf("CCMP", "TKIP", "WEP104", "WEP40", "GCMP", "CCMP-256", "GCMP-256")),
		"rancher.network.wifi_networks.*.eap":            on(wordsOf("PEAP", "TTLS", "TLS", "PWD", "FAST", "MSCHAPV2", "MD5", "LEAP", "SIM", "AKA")),
		"rancher.network.wifi_networks.*.key_mgmt":       on(wordsOf(keyManagement()...)),
		"rancher.network.wifi_networks.*.identity":       on(oneLine),
		"rancher.network.wifi_networks.*.password":       on(oneLine),
		"rancher.network.wifi_networks.*.phases[]":       on(phase),
		"rancher.network.wifi_networks.*.eapol_flags":    on(oneOf("0", "1", "2", "3")),
		"rancher.network.wifi_networks.*.address":        {check: interfaceAddress},
		"rancher.network.wifi_networks.*.gateway":        on(gateway4),
		"rancher.network.wifi_networks.*.ca_certs[]":     on(wifiFile),
		"rancher.network.wifi_networks.*.private_keys[]": on(wifiFile),
		"rancher.network.wifi_networks.*.client_certs[]": on(wifiFile),

		"rancher.network.wifi_networks.*.anonymous_identity": on(oneLine),
	}
	for key, r := range interfaceRules() {
		out["rancher.network.interfaces.*."+key] = r
	}
	return out
}

// interfaceRules are the rules of one interface, by the key below it.
func interfaceRules() map[string]rule {
	const most = 1<<31 - 1
	return map[string]rule{
		"match":                     on(interfaceMatch),
		"set_name":                  on(newLinkName),
		"type":                      on(oneOf(madeTypes()...)),
		"address":                   {check: interfaceAddress},
		"addresses[]":               {check: interfaceAddress},
		"gateway":                   on(gateway4),
		"gateway_ipv6":              on(gateway6),
		"metric":                    on(between(0, most)),
		"mtu":                       on(zeroOr(68, 65535)),
		"mac_address":               on(ownMAC),
		"delegate_from":             on(interfaceMatch),
		"dhcp_args":                 {check: dhcpArgs},
		"dns.nameservers[]":         on(hostAddress),
		"dns.search[]":              on(domain),
		"dhcp_options.client_id":    on(clientID),
		"dhcp_options.hostname":     on(hostname),
		"routes[]":                  {check: route},
		"bridge":                    {check: bridgeName},
		"bond":                      on(linkName),
		"bond_opts":                 {key: bondOption, check: bondOptions},
		"vlans":                     on(vlanList),
		"members[]":                 on(interfaceMatch),
		"link":                      on(linkName),
		"id":                        on(between(1, 1<<24-1)),
		"protocol":                  on(oneOf("802.1q", "802.1ad", "802.1Q", "802.1AD")),
		"mode":                      on(oneOf("bridge", "private", "vepa", "passthru", "l2", "l3", "l3s")),
		"egress_qos":                {key: numberKey(0, most)},
		"egress_qos.*":              on(between(0, 7)),
		"ingress_qos":               {key: numberKey(0, 7)},
		"ingress_qos.*":             on(between(0, most)),
		"forward_delay":             on(between(0, 30)),
		"remote":                    on(hostAddress),
		"local":                     on(hostAddress),
		"group":                     on(multicast),
		"port":                      on(zeroOr(1, 65535)),
		"table":                     on(between(0, most)),
		"private_key":               on(wireGuardKey),
		"firewall_mark":             on(between(0, most)),
		"peers":                     {check: peers},
		"peers[]":                   {check: peer},
		"peers[].public_key":        on(wireGuardKey),
		"peers[].preshared_key":     on(wireGuardKey),
		"peers[].endpoint":          on(hostPort),
		"peers[].allowed_ips[]":     on(networkOrAddress),
		"peers[].keepalive":         on(zeroOr(1, 65535)),
		"offloads":                  {key: offload},
		"ring_rx":                   on(between(0, 1<<16)),
		"ring_tx":                   on(between(0, 1<<16)),
		"pre_up[]":                  {check: vector},
		"post_up[]":                 {check: vector},
		"dhcp_options.vendor_class": on(clientID),
	}
}

// defaulted adds the rules of the sections that rancher.defaults has too.
func defaulted(rules map[string]rule) map[string]rule {
	out := maps.Clone(rules)
	for pattern, r := range rules {
		for _, section := range []string{"rancher.network.", "rancher.docker"} {
			if strings.HasPrefix(pattern, section) {
				out["rancher.defaults."+strings.TrimPrefix(pattern, "rancher.")] = r
			}
		}
	}
	return out
}
