package osconfig

// cloudInitRules are the rules of all keys but rancher.
func cloudInitRules(units UnitChecker) map[string]rule {
	return map[string]rule{
		"hostname":              on(hostname),
		"ssh_authorized_keys[]": {check: authorizedKey},
		"write_files":           {check: sameFileTwice},
		"write_files[]":         {check: fileEntry},
		"runcmd[]":              {check: commandEntry},
	}
}
