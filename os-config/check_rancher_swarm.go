package osconfig

import (
	"fmt"
	"net/netip"
	"strings"
)

// Checks of rancher.docker.swarm.

// swarmRemote checks the address of a manager, HOST or HOST:PORT.
func swarmRemote(s string) string {
	if strings.Contains(s, "://") {
		return fmt.Sprintf("%s: write HOST or HOST:2377 without a scheme", quote(ShownText(s)))
	}
	if family(s) == 6 || !strings.Contains(s, ":") {
		if s == "" || ipAddress(s) != "" && domain(s) != "" {
			return fmt.Sprintf("%s is not an address or name of a manager; write HOST or HOST:2377", quote(ShownText(s)))
		}
		return ""
	}
	return hostPort(s)
}

// swarmToken checks a join token. It never repeats it.
func swarmToken(s string) string {
	const tokens = "`ros engine swarm token` on a manager prints both tokens"
	switch {
	case s == "", matches(`SWMTKN-(1|2-[01])-[0-9a-z]{50}-[0-9a-z]{25}`, s):
		return ""
	case strings.HasPrefix(s, "SWMKEY-"):
		return "this is an unlock key, not a join token; " + tokens
	case strings.HasPrefix(s, "SWMTKN-"):
		return "the join token is damaged or cut short; " + tokens
	}
	return "this is not a join token, which begins with SWMTKN-; " + tokens
}

// swarmAddress checks an address of the machine, or the name of a link.
func swarmAddress(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
			return fmt.Sprintf("%s is not an address at which other machines reach this one", quote(s))
		}
		return ""
	}
	switch {
	case s == "":
		return ""
	case ipPrefix(s):
		return fmt.Sprintf("%s is a network; write an address without the prefix length, or the name of a link", quote(s))
	case strings.Contains(s, ":"):
		return fmt.Sprintf("%s is not an address or the name of a link; write it without a port", quote(s))
	}
	return linkName(s)
}

func ipPrefix(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// swarmLabel checks the name of a label.
func swarmLabel(key string, _ *Node) string {
	if key == "" || strings.ContainsAny(key, "= \t\n\r") {
		return fmt.Sprintf("%s is not the name of a label: spaces and \"=\" cannot be in it", quote(key))
	}
	return ""
}

// swarmConflicts checks the swarm, and the engine's options that have no effect
// in a swarm. Errors name the whole section or all of join, because the boot
// drops what an error names, and a part of it could mean another swarm.
func swarmConflicts(docker *Node) []finding {
	swarm := docker.Child("swarm")
	if swarm.IsNull() || swarm.Kind != Map {
		return nil
	}
	var out []finding
	say := func(severity Severity, key string, at *Node, text string) {
		out = append(out, finding{severity: severity, kind: Conflict, key: key, node: at, text: text})
	}
	join := swarm.Child("join")
	remotes, token := items(join.Child("remote")), textAt(join, "token")
	joins, makes := len(remotes) > 0 || token != "", saysYes(swarm.Child("init"))
	switch {
	case joins && makes:
		say(Error, "swarm", join, "init is set too; a machine makes a swarm or joins one, so leave one of them out")
	case joins && token == "":
		say(Error, "swarm.join", join, "token is missing; `ros engine swarm token` on a manager prints it")
	case joins && len(remotes) == 0 && join.Child("remote") != nil && join.Child("remote").Kind == List:
		return out // a later layer turns the join of an earlier one off: remote: []
	case joins && len(remotes) == 0:
		say(Error, "swarm.join", join, "remote is missing: the address of a manager, like [10.0.0.5]")
	case !joins && !makes:
		if len(swarm.Map) > 0 {
			say(Warning, "swarm", swarm, "it has no effect without init: true or join")
		}
		return out
	}
	if saysNo(docker.Child("enabled")) {
		say(Warning, "swarm", swarm, "it has no effect: enabled is false, so the engine does not run")
	}
	if saysYes(docker.Child("live_restore")) {
		say(Warning, "live_restore", docker.Child("live_restore"), "it has no effect: Docker has no live restore in a swarm")
	}
	for i, arg := range items(docker.Child("extra_args")) {
		if SwarmRefuses(arg.Text) {
			say(Warning, fmt.Sprintf("extra_args[%d]", i), arg, fmt.Sprintf("%s has no effect: a swarm sets it", quote(arg.Text)))
		}
	}
	return out
}

// SwarmRefuses reports whether a flag of the daemon sets what a swarm sets.
func SwarmRefuses(arg string) bool {
	name, _, _ := strings.Cut(arg, "=")
	return name == "--live-restore" || name == "--firewall-backend"
}
