package osconfig

import "maps"

// rancherRules are the rules of rancher.*.
func rancherRules() map[string]rule {
	out := map[string]rule{
		"rancher.modules[]":                      on(moduleLine),
		"rancher.sysctl":                         {key: sysctlKey, check: forwardingValues},
		"rancher.sysctl.*":                       on(oneLine),
		"rancher.environment":                    {key: environmentKey},
		"rancher.environment.*":                  on(oneLine),
		"rancher.services_include":               {key: serviceName},
		"rancher.autologin[]":                    on(terminal),
		"rancher.password":                       {check: anyPassword},
		"rancher.shutdown_timeout":               on(zeroOr(5, 3600)),
		"rancher.http_load_retries":              on(between(0, 1000)),
		"rancher.console":                        on(consoleName),
		"rancher.disable[]":                      on(oneOf("password", "autologin")),
		"rancher.restart_services[]":             on(serviceWord),
		"rancher.defaults.hostname":              on(hostname),
		"rancher.ssh.port":                       on(zeroOr(1, 65535)),
		"rancher.ssh.listen_address":             on(ipAddress),
		"rancher.ssh.keys":                       {key: hostKeyPart, check: hostKeyTexts},
		"rancher.state.dev":                      {check: stateDevice},
		"rancher.state.fstype":                   {check: stateType},
		"rancher.state.directories[]":            on(LastingDirectory),
		"rancher.state.autoformat[]":             on(stateDisk),
		"rancher.cloud_init.datasources[]":       {check: datasourceEntry},
		"rancher.upgrade.url":                    on(upgradeURL),
		"rancher.upgrade.image":                  on(imageName),
		"rancher.upgrade.policy":                 on(oneOf("none", "download", "auto")),
		"rancher.repositories":                   {key: repositoryName},
		"rancher.repositories.*.url":             on(upgradeURL),
		"rancher.registry_auths":                 {key: registryName},
		"rancher.registry_auths.*.auth":          on(registryCredentials),
		"rancher.registry_auths.*.username":      on(oneLine),
		"rancher.registry_auths.*.password":      on(oneLine),
		"rancher.services":                       {key: serviceKey},
		"rancher.registry_auths.*.serveraddress": on(registryAddress),
	}
	maps.Copy(out, engineRules())
	maps.Copy(out, networkRules())
	for key, r := range serviceRules() {
		out["rancher.services.*."+key] = r
	}
	return defaulted(out)
}

// engineRules are the rules of rancher.docker.
func engineRules() map[string]rule {
	return map[string]rule{
		"rancher.docker":                     {check: engineEntry},
		"rancher.docker.engine":              {check: engineName},
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
		"rancher.docker.log_opts.*":          on(oneLine),
		"rancher.docker.registry_mirror[]":   on(webURL),
		"rancher.docker.storage_driver":      {check: storageDriver},
		"rancher.docker.tls_args[]":          on(oneLine),
		"rancher.docker.extra_args[]":        on(oneLine),
		"rancher.docker.ca_cert":             on(certificatePEM),
		"rancher.docker.ca_key":              on(keyPEM),
		"rancher.docker.server_cert":         on(certificatePEM),
		"rancher.docker.server_key":          on(keyPEM),
		"rancher.docker.environment[]":       on(assignment),

		"rancher.docker.swarm.join.remote[]":  on(swarmRemote),
		"rancher.docker.swarm.join.token":     on(swarmToken),
		"rancher.docker.swarm.advertise_addr": on(swarmAddress),
		"rancher.docker.swarm.data_path_addr": on(swarmAddress),
		"rancher.docker.swarm.availability":   on(oneOf("active", "pause", "drain")),
		"rancher.docker.swarm.labels":         {key: swarmLabel},
		"rancher.docker.swarm.labels.*":       on(oneLine),
	}
}
