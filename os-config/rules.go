package osconfig

// rule is what a type cannot say about the values at a place.
type rule struct {
	check func(n *Node) []finding              // the value, after it decoded
	key   func(key string, value *Node) string // the keys of a free mapping
}

// finding is a problem that a check found.
type finding struct {
	severity Severity
	kind     ProblemKind
	key      string // the key below the checked node that is meant; may be empty
	node     *Node  // the node to point at; nil is the checked one or its key's
	text     string
}

func wrong(text string) []finding {
	if text == "" {
		return nil
	}
	return []finding{{severity: Error, kind: Value, text: text}}
}

func doubtful(text string) []finding {
	return []finding{{severity: Warning, kind: Value, text: text}}
}

// on makes a check of a function of the text that returns what is wrong.
func on(f func(string) string) rule {
	return rule{check: func(n *Node) []finding { return wrong(f(n.Text)) }}
}

// rules are the checks by pattern path ("*" keys of free mappings, "[]" list
// items).
func rules() map[string]rule {
	return map[string]rule{
		"hostname":              on(hostname),
		"ssh_authorized_keys[]": {check: authorizedKey},
		"write_files":           {check: sameFileTwice},
		"write_files[]":         {check: fileEntry},
		"runcmd[]":              {check: commandEntry},

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
