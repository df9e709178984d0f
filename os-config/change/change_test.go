package change

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// Every key is classified, once, and no key that does not exist is.
func TestEveryKeyIsClassified(t *testing.T) {
	sections := []string{"rancher", "rancher.network"} // whose keys are classified one by one
	want := map[string]bool{}
	var walk func(ty reflect.Type, at string)
	walk = func(ty reflect.Type, at string) {
		for i := range ty.NumField() {
			name, _, _ := strings.Cut(ty.Field(i).Tag.Get("yaml"), ",")
			key := strings.TrimPrefix(at+"."+name, ".")
			if slices.Contains(sections, key) {
				walk(ty.Field(i).Type, key)
				continue
			}
			want[key] = true
		}
	}
	walk(reflect.TypeFor[osconfig.Config](), "")
	seen := map[string]bool{}
	for _, r := range rules() {
		switch {
		case seen[r.Key]:
			t.Errorf("%s is classified twice", r.Key)
		case !want[r.Key]:
			t.Errorf("%s is classified, but there is no such key", r.Key)
		case r.Does == "", (r.How == Restart) != (r.Unit != ""):
			t.Errorf("%s: incomplete: %+v", r.Key, r)
		case !slices.Contains([]How{Live, Restart, Reboot, Nothing}, r.How):
			t.Errorf("%s: %q is no way to carry out", r.Key, r.How)
		}
		seen[r.Key] = true
	}
	for key := range want {
		if !seen[key] {
			t.Errorf("%s is not classified: say in rules.go how a change of it is carried out", key)
		}
	}
}

// A change of any key is noticed, and what it says holds no value that is not
// meant to be shown.
func TestEveryKeyIsNoticed(t *testing.T) {
	for _, r := range rules() {
		var after osconfig.Config
		v := reflect.ValueOf(&after).Elem()
		for part := range strings.SplitSeq(r.Key, ".") {
			v = field(v, part)
		}
		if v.Type() == reflect.TypeFor[osconfig.Any]() {
			continue // it has no value
		}
		fill(v)
		if osconfig.AboutKey(r.Key).Missing != "" {
			r.How, r.Stays = Nothing, ""
		}
		got := Between(osconfig.Config{}, after, true)
		if len(got) != 1 || got[0].Key != r.Key || got[0].How != r.How {
			t.Errorf("%s set: %+v", r.Key, got)
			continue
		}
		if strings.Contains(got[0].Text, "hidden") && !r.Show {
			t.Errorf("%s: %q shows a value", r.Key, got[0].Text)
		}
		back := Between(after, osconfig.Config{}, true)
		if len(back) == 0 || (len(back) == 2) != (r.Stays != "") {
			t.Errorf("%s unset: %+v", r.Key, back)
		}
		if same := Between(after, after, true); len(same) > 0 {
			t.Errorf("%s: differs from itself: %+v", r.Key, same)
		}
	}
}

// fill gives a value something in its first field.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("hidden")
	case reflect.Int:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("name"), value)
	case reflect.Struct:
		fill(v.Field(0))
	}
}

func TestTexts(t *testing.T) {
	no := false
	base := osconfig.Config{Hostname: "lake", Mounts: []osconfig.Mount{{Device: "LABEL=data", Point: "/data"}}, Rancher: osconfig.Rancher{
		Sysctl:  map[string]string{"a": "1", "b": "1"},
		Modules: []string{"wireguard"},
	}}
	for name, tc := range map[string]struct {
		edit func(*osconfig.Config)
		want []Change
	}{
		"hostname": {func(c *osconfig.Config) { c.Hostname = "sea" },
			[]Change{{"hostname", Live, "", `hostname is "sea" instead of "lake": the machine takes the name at once`}}},
		"hostname gone": {func(c *osconfig.Config) { c.Hostname = "" },
			[]Change{{"hostname", Live, "", `hostname is unset instead of "lake": the machine takes the name at once`}}},
		"sysctl": {func(c *osconfig.Config) { c.Rancher.Sysctl = map[string]string{"a": "2", "c": "1"} },
			[]Change{
				{"rancher.sysctl", Live, "", "rancher.sysctl changes (a, b, c): the kernel gets the values"},
				{"rancher.sysctl", Reboot, "", "rancher.sysctl: settings that are not there any more keep their values until the machine reboots"},
			}},
		"more modules": {func(c *osconfig.Config) { c.Rancher.Modules = []string{"zfs", "wireguard"} },
			[]Change{{"rancher.modules", Live, "", "rancher.modules changes: modules that are new are loaded"}}},
		"engine": {func(c *osconfig.Config) { c.Rancher.Docker = osconfig.Engine{Debug: true, BIP: "10.0.0.1/16"} },
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (bip, debug): the engine restarts; containers stop, and those with a restart policy start again"}}},
		"dockerd alone": {func(c *osconfig.Config) { c.Rancher.Docker = osconfig.Engine{Debug: true, LogDriver: "local"} },
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (debug, log_driver): the engine restarts; containers go on"}}},
		"without live restore": {func(c *osconfig.Config) { c.Rancher.Docker = osconfig.Engine{Debug: true, LiveRestore: &no} },
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (debug, live_restore): the engine restarts; containers stop, and those with a restart policy start again"}}},
		"live restore by a flag": {func(c *osconfig.Config) {
			c.Rancher.Docker = osconfig.Engine{Debug: true, ExtraArgs: []string{"--live-restore=false"}}
		},
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (debug, extra_args): the engine restarts; containers stop, and those with a restart policy start again"}}},
		"live restore by a flag of TLS": {func(c *osconfig.Config) {
			c.Rancher.Docker = osconfig.Engine{Debug: true, TLSArgs: []string{"--live-restore=false"}}
		},
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (debug, tls_args): the engine restarts; containers stop, and those with a restart policy start again"}}},
		"engine off": {func(c *osconfig.Config) { c.Rancher.Docker.Enabled = &no },
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (enabled): the engine restarts; enabled is false: it stops, and so do its containers"}}},
		"password": {func(c *osconfig.Config) { c.Rancher.Password = "secret" },
			[]Change{{"rancher.password", Live, "", "rancher.password is set: the console carries it out; sessions stay"}}},
		"proxy": {func(c *osconfig.Config) { c.Rancher.Network.HTTPProxy = "http://10.0.0.1" },
			[]Change{{"rancher.network.http_proxy", Restart, "docker", "rancher.network.http_proxy is set: new sessions have it, and the engine restarts with it; containers stop, and those with a restart policy start again"}}},
		"state": {func(c *osconfig.Config) { c.Rancher.State.Dev = "LABEL=X" },
			[]Change{{"rancher.state", Reboot, "", "rancher.state is set (dev): the state partition is looked for at boot; directories begin to last then, or when the console starts again"}}},
		"lasting directories": {func(c *osconfig.Config) { c.Rancher.State.Directories = []string{"/data"} },
			[]Change{{"rancher.state", Reboot, "", "rancher.state is set (directories): the state partition is looked for at boot; directories begin to last then, or when the console starts again"}}},
		"firewall": {func(c *osconfig.Config) { c.Rancher.Network.Firewall.Policy = "drop" },
			[]Change{{"rancher.network.firewall", Live, "", "rancher.network.firewall is set (policy): what is allowed changes at once; connections that are open stay"}}},
		"mount gone": {func(c *osconfig.Config) { c.Mounts = nil },
			[]Change{{"mounts", Live, "", "mounts is no longer set: the console mounts what is new and unmounts what is gone"}}},
		"mount changed": {func(c *osconfig.Config) {
			c.Mounts = []osconfig.Mount{{Device: "LABEL=data", Point: "/data", Options: "ro"}}
		},
			[]Change{{"mounts", Live, "", "mounts changes: the console mounts what is new and unmounts what is gone"}}},
		"nothing": {func(c *osconfig.Config) { c.Users = []osconfig.User{} }, nil},
		"swarm": {func(c *osconfig.Config) { c.Rancher.Docker.Swarm.Init = true },
			[]Change{{"rancher.docker.swarm", Restart, "docker", "rancher.docker.swarm is set: the engine and its containers restart, without live restore; then the machine makes or joins its swarm"}}},
		"swarm that is none": {func(c *osconfig.Config) { c.Rancher.Docker.Swarm.Availability = "drain" },
			[]Change{{"rancher.docker.swarm", Nothing, "", "rancher.docker.swarm changes (availability): it has no effect without init: true or join"}}},
	} {
		t.Run(name, func(t *testing.T) {
			after := base
			tc.edit(&after)
			got := Between(base, after, !DaemonOnly(base.Rancher.Docker, after.Rancher.Docker))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What of a swarm changes while the machine is in one. The token is never shown.
func TestSwarmTexts(t *testing.T) {
	lock := true
	base := osconfig.Swarm{Join: osconfig.SwarmJoin{Remote: []string{"10.0.0.1"}, Token: "SWMTKN-hidden"}}
	for name, tc := range map[string]struct {
		edit func(*osconfig.Engine)
		want []Change
	}{
		"gone": {func(e *osconfig.Engine) { e.Swarm = osconfig.Swarm{} },
			[]Change{{"rancher.docker.swarm", Restart, "docker", "rancher.docker.swarm is no longer set: the machine leaves its swarm, then the engine and its containers restart"}}},
		"labels": {func(e *osconfig.Engine) { e.Swarm.Labels = map[string]string{"disk": "ssd"} },
			[]Change{{"rancher.docker.swarm", Restart, "docker", "rancher.docker.swarm changes (labels): the engine restarts with its labels, and so do its containers"}}},
		"token and autolock": {func(e *osconfig.Engine) { e.Swarm.Join.Token, e.Swarm.Autolock = "SWMTKN-other", &lock },
			[]Change{{"rancher.docker.swarm", Live, "", "rancher.docker.swarm changes (join, autolock): a machine that is in a swarm stays in it; availability, autolock and addresses follow"}}},
		"another option": {func(e *osconfig.Engine) { e.Debug = true },
			[]Change{{"rancher.docker", Restart, "docker", "rancher.docker is set (debug): the engine restarts; a swarm's containers stop with it"}}},
	} {
		t.Run(name, func(t *testing.T) {
			before := osconfig.Config{Rancher: osconfig.Rancher{Docker: osconfig.Engine{Swarm: base}}}
			after := before
			tc.edit(&after.Rancher.Docker)
			if diff := cmp.Diff(tc.want, Between(before, after, true)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What ends containers may be no part of rancher.docker.
func TestContainersEnd(t *testing.T) {
	var after osconfig.Config
	after.Rancher.Docker.Debug = true
	for end, want := range map[bool]string{false: "; containers go on", true: stops} {
		if got := Between(osconfig.Config{}, after, end); len(got) != 1 || !strings.HasSuffix(got[0].Text, want) {
			t.Errorf("containers end: %t: %+v", end, got)
		}
	}
	live := osconfig.Engine{TLSArgs: []string{"--live-restore=false"}}
	debug := live
	debug.Debug = true
	if DaemonOnly(live, debug) {
		t.Error("dockerd has no live restore by tls_args")
	}
}

func TestApart(t *testing.T) {
	now, reboot := Apart([]Change{{Key: "a", How: Live}, {Key: "b", How: Reboot}, {Key: "c", How: Restart}})
	if len(now) != 2 || len(reboot) != 1 || reboot[0].Key != "b" {
		t.Errorf("%v, %v", now, reboot)
	}
}

// A machine does not leave or join a swarm because a trial ends.
func TestLasting(t *testing.T) {
	off, on := osconfig.Config{}, osconfig.Config{}
	on.Rancher.Docker.Swarm.Init = true
	for _, tc := range []struct {
		before, after osconfig.Config
		want          string
	}{
		{off, off, ""}, {on, on, ""}, {off, on, "stays in it"}, {on, off, "stays out of it"},
	} {
		if got := strings.Join(Lasting(tc.before, tc.after), ""); (got == "") != (tc.want == "") || !strings.HasSuffix(got, tc.want) {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
