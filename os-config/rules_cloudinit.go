package osconfig

import "time"

// cloudInitRules are the rules of all keys but rancher. The content of units
// is for the checker; now is what dates are compared with.
func cloudInitRules(content UnitChecker, now time.Time) map[string]rule {
	return map[string]rule{
		"hostname":              on(hostname),
		"fqdn":                  {check: fullName},
		"manage_etc_hosts":      {check: manageEtcHosts},
		"ssh_authorized_keys[]": {check: authorizedKey},
		"ssh_keys":              {check: hostKeys, key: hostKeyName},
		"password":              {check: anyPassword},

		"users":                         {check: users},
		"users[]":                       {check: userEntry(now)},
		"users[].groups[]":              on(loginName),
		"users[].sudo[]":                on(sudoRule),
		"users[].ssh_authorized_keys[]": {check: authorizedKey},
		"groups":                        {check: once("group")},
		"groups[]":                      {check: groupEntry},
		"groups[].members[]":            on(loginName),
		"chpasswd.list[]":               {check: passwordLine},
		"chpasswd.users[]":              {check: passwordEntry},

		"write_files":   {check: sameFileTwice},
		"write_files[]": {check: fileEntry()},
		"bootcmd[]":     {check: commandEntry},
		"runcmd[]":      {check: commandEntry},
		"mounts":        {check: mounts},
		"mounts[]":      {check: mountRow},
		"swap":          {check: swapSection},

		"ntp":                {check: ntpSection},
		"ntp.servers[]":      on(timeServer),
		"ntp.pools[]":        on(timeServer),
		"timezone":           on(timezone),
		"locale":             {check: locale},
		"ca_certs":           {check: trustSection},
		"ca_certs.trusted[]": {check: certificates(now)},

		"power_state": {check: powerState},
		"phone_home":  {check: phoneHome},

		"coreos.units":                  {check: unitList},
		"coreos.units[]":                {check: unitEntry(content)},
		"coreos.units[].drop_ins[]":     {check: dropIn},
		"coreos.update.reboot_strategy": {check: rebootStrategy},
	}
}
