package osconfig

// rancherRules are the rules of rancher.*.
func rancherRules() map[string]rule {
	return map[string]rule{
		"rancher.modules[]":          on(moduleLine),
		"rancher.sysctl":             {key: sysctlKey},
		"rancher.sysctl.*":           on(oneLine),
		"rancher.environment":        {key: environmentKey},
		"rancher.environment.*":      on(oneLine),
		"rancher.services_include":   {key: serviceName},
		"rancher.autologin[]":        on(terminal),
		"rancher.shutdown_timeout":   on(zeroOr(5, 3600)),
		"rancher.ssh.port":           on(zeroOr(1, 65535)),
		"rancher.ssh.listen_address": on(ipAddress),

		"rancher.state.dev":                {check: stateDevice},
		"rancher.state.fstype":             {check: stateType},
		"rancher.cloud_init.datasources[]": {check: datasourceName},

		"rancher.network.dhcp_timeout":              on(zeroOr(1, 3600)),
		"rancher.network.dns.nameservers[]":         on(hostAddress),
		"rancher.network.dns.search[]":              on(domain),
		"rancher.network.http_proxy":                on(proxy),
		"rancher.network.https_proxy":               on(proxy),
		"rancher.network.no_proxy":                  on(oneLine),
		"rancher.network.interfaces":                {key: interfaceKey},
		"rancher.network.interfaces.*":              {check: interfaceEntry},
		"rancher.network.interfaces.*.match":        on(interfaceMatch),
		"rancher.network.interfaces.*.address":      {check: interfaceAddress},
		"rancher.network.interfaces.*.addresses[]":  {check: interfaceAddress},
		"rancher.network.interfaces.*.gateway":      on(gateway4),
		"rancher.network.interfaces.*.gateway_ipv6": on(gateway6),
		"rancher.network.interfaces.*.mtu":          on(zeroOr(68, 65535)),

		"rancher.docker":                     {check: engineEntry},
		"rancher.docker.pid":                 on(oneOf("host")),
		"rancher.docker.bridge":              on(linkName),
		"rancher.docker.bip":                 {check: interfaceAddress},
		"rancher.docker.config_file":         on(absolutePath),
		"rancher.docker.data_root":           on(absolutePath),
		"rancher.docker.graph":               on(absolutePath),
		"rancher.docker.group":               on(userName),
		"rancher.docker.host[]":              on(engineHost),
		"rancher.docker.insecure_registry[]": on(registry),
		"rancher.docker.log_driver":          {check: logDriver},
		"rancher.docker.registry_mirror":     on(webURL),
		"rancher.docker.storage_driver":      {check: storageDriver},
		"rancher.docker.environment[]":       on(assignment),
	}
}
