package vmtest

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/pharos-os/pharos/scripts/vmtest/inside"
)

// The engine's socket, as people write it.
const (
	dockerSock   = "/var/run/docker.sock:/var/run/docker.sock"
	dockerSockRO = dockerSock + ":ro"
)

// ofMachine are sources that the machine has by itself, and what must be seen
// of each at a target. A file must be the machine's, byte for byte.
func ofMachine(f facts, service string) map[string]func(target string) []inside.Check {
	one := func(kind, below, want string) func(string) []inside.Check {
		return func(target string) []inside.Check {
			return []inside.Check{{Kind: kind, Path: path.Join(target, below), Want: want}}
		}
	}
	// A container sees itself in the engine's list.
	container := projectName + "-" + service + "-1"
	m := map[string]func(string) []inside.Check{
		"/var/run/docker.sock":       one("docker", "", container),
		"/run/docker.sock":           one("docker", "", container),
		"/var/run":                   one("docker", "docker.sock", container),
		"/var/log":                   one("text", nonceName, nonce("/var/log")),
		"/run/udev":                  one("filled", "data", ""),
		"/run/dbus":                  one("directory", "", ""),
		"/dev/disk":                  one("filled", "by-label", ""),
		"/lib/modules":               one("hash", f["release"]+"/modules.dep", f["hash modules.dep"]),
		"/var/lib/docker":            one("filled", "containers", ""),
		"/var/lib/docker/containers": one("ownlog", "", inside.LogMark(service)),
		"/dev":                       one("device", "null", "c 1:3"),
		"/dev/hugepages":             one("directory", "", ""),
		"/sys/kernel/debug":          one("filled", "bdi", ""),
		"/sys/kernel/tracing":        one("filled", "events", ""),
		"/sys/fs/bpf":                one("mode", "", "0700"), // without the mount 0755
		"/sys":                       one("contains", "class/net/eth0/address", f["mac"]),
		"/proc": func(target string) []inside.Check {
			return []inside.Check{
				{Kind: "text", Path: path.Join(target, "sys/kernel/random/boot_id"), Want: f["boot_id"]},
				{Kind: "process", Path: target, Want: "dockerd"},
			}
		},
		// What an agent that looks at the whole machine reads.
		"/": func(target string) []inside.Check {
			return []inside.Check{
				{Kind: "hash", Path: path.Join(target, "etc/os-release"), Want: f["hash /etc/os-release"]},
				{Kind: "text", Path: path.Join(target, "etc/stacks", nonceName), Want: nonce("/etc/stacks")},
				{Kind: "text", Path: path.Join(target, "srv/stacks", nonceName), Want: nonce(projectDir)},
				{Kind: "text", Path: path.Join(target, "home", nonceName), Want: nonce("/home")},
				{Kind: "text", Path: path.Join(target, "var/log", nonceName), Want: nonce("/var/log")},
				{Kind: "text", Path: path.Join(target, "proc/sys/kernel/random/boot_id"), Want: f["boot_id"]},
				{Kind: "docker", Path: path.Join(target, "run/docker.sock"), Want: container},
			}
		},
	}
	for _, file := range machineFiles() {
		m[file] = one("hash", "", f["hash "+file])
	}
	return m
}

// machineFiles are files that containers bind from any machine.
func machineFiles() []string {
	return []string{"/etc/localtime", "/etc/timezone", "/etc/machine-id", "/etc/passwd", "/etc/group", "/etc/hostname", "/etc/os-release"}
}

// stackNetworks are those that stacks name; proxy is made beforehand.
func stackNetworks() map[string]network {
	return map[string]network{
		"proxy":   {External: true},
		"backend": {Internal: true},
		"wg":      {EnableIPv6: true, IPAM: &ipam{[]subnet{{"10.42.42.0/24"}, {"fdcc:ad94:bacf:61a3::/64"}}}},
		"lan":     {Driver: "macvlan", DriverOpts: map[string]string{"parent": "eth0"}, IPAM: &ipam{[]subnet{{"192.168.77.0/24"}}}},
	}
}

// stackSecrets and stackConfigs are in each of the ways that compose knows.
func stackSecrets() map[string]material {
	return map[string]material{
		"db_password":  {File: "./secrets/db_password.txt"},
		"agent_secret": {Environment: "AGENT_SECRET"},
	}
}

func stackConfigs() map[string]material {
	return map[string]material{
		"loki.yml":      {File: "./loki/loki.yml"},
		"rabbitmq.conf": {Content: "listeners.tcp.default = 5672"},
	}
}

// agentSecret is the variable that a secret is taken from.
const agentSecret = "from the environment"

func materialText(m material) string {
	switch {
	case m.File != "":
		return nonce(absolute(m.File))
	case m.Environment != "":
		return agentSecret
	}
	return m.Content
}

// stacks are what people run on a Docker host, and what the compose files that
// their projects publish ask for.
func stacks() []stack {
	return slices.Concat(managers(), monitoring(), logShippers(), namesAndVPNs(), proxies(), databases(), applications(), lowLevel())
}

// managers look after other containers.
func managers() []stack {
	return []stack{
		{"Portainer", []service{{
			Name: "portainer", SecurityOpt: []string{"no-new-privileges:true"}, Ports: []string{"8000:8000", "9443:9443"},
			Volumes: []string{dockerSock, "portainer_data:/data", "/etc/localtime:/etc/localtime:ro"},
		}}},
		{"Watchtower", []service{{
			Name: "watchtower", Environment: map[string]string{"WATCHTOWER_CLEANUP": "true", "WATCHTOWER_SCHEDULE": "0 0 4 * * *"},
			Volumes: []string{dockerSock, "/etc/localtime:/etc/localtime:ro", "/root/.docker/config.json:/config.json:ro"},
		}}},
		{"Dozzle", []service{{Name: "dozzle", Volumes: []string{dockerSockRO}, Ports: []string{"8888:8080"}, Healthy: true}}},
		{"Diun", []service{{
			Name: "diun", Hostname: "diun", Labels: []string{"diun.enable=true"}, Environment: map[string]string{"TZ": "Europe/Paris"},
			Volumes: []string{"./diun/:/data", dockerSock},
		}}},
		{"Dockge", []service{{
			Name: "dockge", Ports: []string{"5001:5001"}, Environment: map[string]string{"DOCKGE_STACKS_DIR": "/opt/stacks"},
			// The folder of the stacks must have the same path inside and outside.
			Volumes: []string{dockerSock, "./dockge/:/app/data", "/opt/stacks/:/opt/stacks"},
		}}},
		{"Homepage with the docker group", []service{{
			Name: "homepage", User: "1000:1000", GroupAdd: []string{"1102"}, Ports: []string{"3010:3000"},
			Volumes: []string{"./homepage/:/app/config", dockerSockRO},
		}}},
		{"GitLab Runner", []service{{
			Name: "gitlab-runner", Volumes: []string{dockerSock, "/srv/gitlab-runner/config/:/etc/gitlab-runner"},
		}}},
		{"Woodpecker CI", []service{
			{Name: "woodpecker", Ports: []string{"8001:8000"}, Serves: []string{"tcp/9000"}, Volumes: []string{"woodpecker_data:/var/lib/woodpecker"}, Healthy: true},
			{
				Name: "woodpecker-agent", Secrets: []string{"agent_secret"}, Volumes: []string{"woodpecker_agent:/etc/woodpecker", dockerSock},
				DependsOn: map[string]after{"woodpecker": {"service_healthy"}}, Reaches: []string{"tcp woodpecker:9000 woodpecker"},
			},
		}},
	}
}

// monitoring looks at the machine.
func monitoring() []stack {
	return []stack{
		{"cAdvisor", []service{{
			Name: "cadvisor", Privileged: true, Devices: []string{"/dev/kmsg:/dev/kmsg"}, Ports: []string{"8082:8080"},
			Volumes: []string{"/:/rootfs:ro", "/var/run:/var/run:ro", "/sys:/sys:ro", "/var/lib/docker:/var/lib/docker:ro", "/dev/disk:/dev/disk:ro"},
		}}},
		{"Node exporter", []service{{
			Name: "node-exporter", NetworkMode: "host", PID: "host", Serves: []string{"tcp/9100"}, Volumes: []string{"/:/host:ro,rslave"},
		}}},
		{"Prometheus", []service{{
			Name: "prometheus", User: "65534:65534", Ports: []string{"127.0.0.1:9090:9090"}, ExtraHosts: []string{"host.docker.internal:host-gateway"},
			Volumes: []string{"/etc/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro", "/opt/prometheus/:/prometheus"},
			Reaches: []string{"tcp host.docker.internal:9100 node-exporter", "tcp cadvisor:8080 cadvisor"}, Healthy: true,
		}}},
		{"Grafana", []service{{
			Name: "grafana", User: "472:0", Ports: []string{"3000:3000"}, EnvFile: []string{"./grafana/grafana.env"},
			Volumes:   []string{"./grafana/provisioning/:/etc/grafana/provisioning:ro", "/srv/grafana/:/var/lib/grafana", "/etc/grafana/grafana.ini:/etc/grafana/grafana.ini:ro"},
			DependsOn: map[string]after{"prometheus": {"service_started"}},
			Also:      []inside.Check{{Kind: "env", Path: "GF_FROM_FILE", Want: nonce(projectDir + "/grafana/grafana.env")}},
		}}},
		{"Netdata", []service{{
			Name: "netdata", NetworkMode: "host", PID: "host", CapAdd: []string{"SYS_PTRACE", "SYS_ADMIN"}, SecurityOpt: []string{"apparmor:unconfined"},
			Serves: []string{"tcp/19999"}, Volumes: []string{
				"netdata_config:/etc/netdata", "/etc/passwd:/host/etc/passwd:ro", "/etc/group:/host/etc/group:ro", "/etc/localtime:/etc/localtime:ro",
				"/proc:/host/proc:ro", "/sys:/host/sys:ro", "/etc/os-release:/host/etc/os-release:ro", "/var/log:/host/var/log:ro",
				dockerSockRO, "/run/dbus:/run/dbus:ro", "/:/host/root:ro,rslave",
			},
		}}},
		{"Telegraf", []service{{
			Name: "telegraf", User: "999:1102", Hostname: "telegraf", Environment: map[string]string{"HOST_PROC": "/hostfs/proc", "HOST_MOUNT_PREFIX": "/hostfs"},
			Volumes: []string{"/etc/telegraf/telegraf.conf:/etc/telegraf/telegraf.conf:ro", "/:/hostfs:ro", dockerSock},
		}}},
		{"Uptime Kuma", []service{{
			Name: "uptime-kuma", Ports: []string{"3001:3001"}, ExtraHosts: []string{"host.docker.internal:host-gateway"},
			Volumes: []string{"./uptime-kuma/:/app/data", dockerSockRO}, Reaches: []string{"tcp host.docker.internal:9443 portainer", "tcp host.docker.internal:53 pihole"},
			Healthy: true,
		}}},
		{"Scrutiny", []service{{
			Name: "scrutiny", CapAdd: []string{"SYS_RAWIO"}, Devices: []string{"/dev/vda:/dev/vda:r", "/dev/vdb:/dev/vdb"}, Ports: []string{"8083:8080", "8086:8086"},
			Volumes: []string{"/run/udev:/run/udev:ro", "./scrutiny/:/opt/scrutiny/config"},
		}}},
	}
}

// logShippers read the logs of the machine and of containers.
func logShippers() []stack {
	return []stack{
		{"Promtail and Loki", []service{
			{Name: "loki", User: "10001:10001", Ports: []string{"3100:3100"}, Configs: []string{"loki.yml"}, Volumes: []string{"/srv/loki/:/loki"}, Healthy: true},
			{
				Name: "promtail", DependsOn: map[string]after{"loki": {"service_healthy"}}, Reaches: []string{"tcp loki:3100 loki"},
				Volumes: []string{"/var/log:/var/log:ro", "/etc/machine-id:/etc/machine-id:ro", "/var/lib/docker/containers:/var/lib/docker/containers:ro", dockerSock, "/etc/promtail/config.yml:/etc/promtail/config.yml:ro"},
			},
		}},
		{"Filebeat", []service{{
			Name: "filebeat", User: "0:0", Volumes: []string{"./filebeat/filebeat.yml:/usr/share/filebeat/filebeat.yml:ro", "/var/lib/docker/containers:/var/lib/docker/containers:ro", dockerSockRO, "/var/log:/var/log:ro"},
		}}},
		{"Fluent Bit", []service{{
			Name: "fluent-bit", Ports: []string{"24224:24224", "24224:24224/udp"}, Logging: &logging{"local", map[string]string{"max-size": "10m"}},
			Volumes: []string{"/var/log:/var/log", "/etc/machine-id:/etc/machine-id:ro", "/etc/hostname:/etc/host_hostname:ro", "./fluent-bit/:/fluent-bit/etc:ro"},
		}}},
		{"CrowdSec", []service{{
			Name: "crowdsec", Ports: []string{"127.0.0.1:8084:8080"}, SecurityOpt: []string{"no-new-privileges:true"}, Logging: &logging{Driver: "syslog"},
			Volumes: []string{"./crowdsec/acquis.yaml:/etc/crowdsec/acquis.yaml:ro", "/var/log:/logs:ro", "crowdsec_data:/var/lib/crowdsec/data"},
		}}},
	}
}

// wireguardSysctls is what a WireGuard peer that is a gateway asks for.
func wireguardSysctls() map[string]string {
	return map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.src_valid_mark": "1"}
}

func namesAndVPNs() []stack {
	tun, wireguard := inside.Check{Kind: "tunnel", Path: "/dev/net/tun"}, inside.Check{Kind: "newlink", Want: "wireguard"}
	ipv6 := wireguardSysctls()
	ipv6["net.ipv6.conf.all.disable_ipv6"], ipv6["net.ipv6.conf.all.forwarding"] = "0", "1"
	return []stack{
		{"Pi-hole", []service{{
			Name: "pihole", Hostname: "pihole", CapAdd: []string{"NET_ADMIN", "SYS_TIME", "SYS_NICE"}, DNS: []string{"127.0.0.1", "9.9.9.9"}, ShmSize: "256mb",
			Ports: []string{"53:53/tcp", "53:53/udp", "67:67/udp", "8089:80/tcp"}, Volumes: []string{"./pihole/etc-pihole/:/etc/pihole", "./pihole/etc-dnsmasq.d/:/etc/dnsmasq.d"},
			Healthy: true,
		}}},
		{"AdGuard Home on the LAN", []service{{
			Name: "adguard", Networks: map[string]attach{"lan": {IPv4: "192.168.77.53"}}, Serves: []string{"tcp/53", "udp/53", "tcp/3000"},
			Volumes: []string{"/opt/adguard/work/:/opt/adguardhome/work", "/opt/adguard/conf/:/opt/adguardhome/conf"},
		}}},
		{"WireGuard", []service{{
			Name: "wireguard", CapAdd: []string{"NET_ADMIN", "SYS_MODULE"}, Sysctls: wireguardSysctls(), Ports: []string{"51820:51820/udp"},
			Volumes: []string{"./wireguard/:/config", "/lib/modules:/lib/modules:ro"}, Also: []inside.Check{wireguard},
		}}},
		{"wg-easy", []service{{
			Name: "wg-easy", CapAdd: []string{"NET_ADMIN", "SYS_MODULE"}, Sysctls: ipv6, Ports: []string{"51822:51820/udp", "51821:51821/tcp"},
			Networks: map[string]attach{"wg": {IPv4: "10.42.42.42", IPv6: "fdcc:ad94:bacf:61a3::2a"}},
			Volumes:  []string{"etc_wireguard:/etc/wireguard", "/lib/modules:/lib/modules:ro"}, Also: []inside.Check{wireguard},
		}}},
		{"OpenVPN", []service{{
			Name: "openvpn", CapAdd: []string{"NET_ADMIN"}, Devices: []string{"/dev/net/tun"}, Ports: []string{"1194:1194/udp"},
			Volumes: []string{"./openvpn/conf/:/etc/openvpn"}, Also: []inside.Check{tun},
		}}},
		{"Tailscale", []service{{
			Name: "tailscale", NetworkMode: "host", CapAdd: []string{"NET_ADMIN", "NET_RAW", "SYS_MODULE"}, Serves: []string{"udp/41641"},
			Volumes: []string{"/var/lib/tailscale/:/var/lib/tailscale"}, Devices: []string{"/dev/net/tun:/dev/net/tun"},
			Also: []inside.Check{tun},
		}}},
		{"Gluetun and Transmission", []service{
			{
				Name: "gluetun", CapAdd: []string{"NET_ADMIN"}, Devices: []string{"/dev/net/tun:/dev/net/tun"}, Also: []inside.Check{tun},
				Ports: []string{"8887:8888/tcp", "8388:8388/tcp", "8388:8388/udp"}, Volumes: []string{"./gluetun/:/gluetun"}, Healthy: true,
			},
			{
				Name: "transmission", NetworkMode: "service:gluetun", DependsOn: map[string]after{"gluetun": {"service_healthy"}}, Serves: []string{"tcp/9091"},
				Volumes: []string{"/home/rancher/transmission/:/config", "/mnt/downloads/:/downloads"}, Reaches: []string{"tcp 127.0.0.1:8888 gluetun"},
			},
		}},
		{"DDNS without a network", []service{{Name: "cron-job", NetworkMode: "none", Init: true, Volumes: []string{"/usr/local/jobs/:/jobs:ro"}}}},
	}
}

func proxies() []stack {
	return []stack{
		{"Traefik", []service{
			{
				Name: "traefik", Ports: []string{"80:80", "443:443"}, SecurityOpt: []string{"no-new-privileges:true"}, Networks: map[string]attach{"proxy": {}},
				Volumes: []string{dockerSockRO, "./traefik/traefik.yml:/traefik.yml:ro", "./traefik/acme.json:/acme.json", "/etc/localtime:/etc/localtime:ro"},
				Also:    []inside.Check{{Kind: "mode", Path: "/acme.json", Want: "0600"}}, Reaches: []string{"tcp whoami:80 whoami"}, Healthy: true,
			},
			{
				Name: "whoami", Networks: map[string]attach{"proxy": {}}, Serves: []string{"tcp/80"},
				Labels: []string{"traefik.enable=true", "traefik.http.routers.whoami.rule=Host(`whoami.example.org`)"},
			},
		}},
		{"Caddy", []service{{
			Name: "caddy", CapAdd: []string{"NET_ADMIN"}, Ports: []string{"8081:80", "8443:443", "8443:443/udp"},
			Volumes: []string{"./caddy/Caddyfile:/etc/caddy/Caddyfile", "./caddy/site/:/srv", "caddy_data:/data", "caddy_config:/config"},
		}}},
		{"nginx-proxy with acme-companion", []service{
			{
				Name: "nginx-proxy", Ports: []string{"8090:80"}, Labels: []string{"com.github.nginx-proxy.nginx"},
				Volumes: []string{"certs:/etc/nginx/certs:ro", "nginx_html:/usr/share/nginx/html", "/var/run/docker.sock:/tmp/docker.sock:ro"},
			},
			{
				Name: "acme-companion", VolumesFrom: []string{"nginx-proxy"}, Volumes: []string{"certs:/etc/nginx/certs:rw", "acme:/etc/acme.sh", dockerSockRO},
				DependsOn: map[string]after{"nginx-proxy": {"service_started"}},
				Also:      []inside.Check{{Kind: "sees", Path: "/usr/share/nginx/html/from-nginx-proxy", Want: written("nginx-proxy")}},
			},
		}},
	}
}

func databases() []stack {
	unlimited := limits{-1, -1}
	return []stack{
		{"PostgreSQL", []service{{
			Name: "postgres", ShmSize: "256m", Secrets: []string{"db_password"}, Environment: map[string]string{"POSTGRES_PASSWORD_FILE": "/run/secrets/db_password"},
			Volumes: []string{"postgres_data:/var/lib/postgresql/data", "./postgres/init/:/docker-entrypoint-initdb.d:ro"}, Tmpfs: []string{"/var/run/postgresql:size=16m"},
			Serves: []string{"tcp/5432"}, MemLimit: "512m", Healthy: true, Networks: map[string]attach{"backend": {Aliases: []string{"db"}}},
			StopGrace: "1m",
		}}},
		{"MariaDB", []service{{
			Name: "mariadb", User: "999:999", Volumes: []string{"/srv/mariadb/:/var/lib/mysql", "/etc/mysql/conf.d/:/etc/mysql/conf.d:ro"}, Secrets: []string{"db_password"},
			Ports: []string{"127.0.0.1:3306:3306"}, CapAdd: []string{"SYS_NICE"}, Healthy: true,
		}}},
		{"Redis", []service{{
			Name: "redis", Sysctls: map[string]string{"net.core.somaxconn": "1024"}, Ulimits: map[string]limits{"nofile": {65535, 65535}}, ReadOnly: true,
			Tmpfs: []string{"/tmp:size=32m"}, CapDrop: []string{"ALL"}, CapAdd: []string{"SETGID", "SETUID", "CHOWN"}, Volumes: []string{"redis_data:/data"}, Serves: []string{"tcp/6379"},
			Healthy: true,
		}}},
		{"RabbitMQ", []service{{
			Name: "rabbitmq", Hostname: "rabbit1", Ports: []string{"5672:5672", "15672:15672"}, Configs: []string{"rabbitmq.conf"}, Ulimits: map[string]limits{"nofile": {64000, 64000}},
			Volumes: []string{"rabbitmq_data:/var/lib/rabbitmq"}, Healthy: true,
		}}},
		{"Elasticsearch", []service{{
			Name: "elasticsearch", Environment: map[string]string{"discovery.type": "single-node", "bootstrap.memory_lock": "true"}, MemLimit: "1g", CapAdd: []string{"IPC_LOCK"},
			Ulimits: map[string]limits{"memlock": unlimited, "nofile": {65536, 65536}, "nproc": {4096, 4096}}, Ports: []string{"127.0.0.1:9200:9200"},
			User: "1000:0", Volumes: []string{"/srv/elasticsearch/:/usr/share/elasticsearch/data"}, Healthy: true,
			Also: []inside.Check{{Kind: "atleast", Path: "/proc/sys/vm/max_map_count", Want: "262144"}},
		}}},
		{"MinIO", []service{{
			Name: "minio", Hostname: "minio1", Ports: []string{"9000:9000", "9001:9001"}, Environment: map[string]string{"MINIO_ROOT_USER": "minioadmin"},
			Volumes: []string{"/mnt/minio1/:/data1", "/media/minio2/:/data2"}, Healthy: true,
		}}},
	}
}

func applications() []stack {
	media := []string{"/etc/timezone:/etc/timezone:ro", "/etc/localtime:/etc/localtime:ro"}
	return []stack{
		{"Nextcloud", []service{
			{Name: "nextcloud-db", Networks: map[string]attach{"backend": {}}, Serves: []string{"tcp/3306"}, Volumes: []string{"nextcloud_db:/var/lib/mysql"}, Healthy: true, Secrets: []string{"db_password"}},
			{
				Name: "nextcloud", Ports: []string{"8085:80"}, Volumes: []string{"nextcloud:/var/www/html", "/home/rancher/nextcloud/:/var/www/html/data"},
				Networks: map[string]attach{"default": {}, "backend": {}}, DependsOn: map[string]after{"nextcloud-db": {"service_healthy"}},
				Reaches: []string{"tcp nextcloud-db:3306 nextcloud-db", "tcp redis:6379 redis"}, Healthy: true,
			},
			{
				Name: "nextcloud-cron", VolumesFrom: []string{"nextcloud"}, DependsOn: map[string]after{"nextcloud": {"service_started"}},
				Also: []inside.Check{{Kind: "sees", Path: "/var/www/html/from-nextcloud", Want: written("nextcloud")}, {Kind: "sees", Path: "/var/www/html/data/from-nextcloud", Want: written("nextcloud")}},
			},
		}},
		{"Gitea", []service{
			{Name: "gitea-init", Once: true, Volumes: []string{"./gitea/:/data"}},
			{
				Name: "gitea", Ports: []string{"3002:3000", "2222:22"}, Volumes: append(slices.Clone(media), "./gitea/:/data"), Networks: map[string]attach{"default": {}, "backend": {}},
				DependsOn: map[string]after{"gitea-init": {"service_completed_successfully"}, "postgres": {"service_healthy"}}, Reaches: []string{"tcp db:5432 postgres"},
				Also: []inside.Check{{Kind: "sees", Path: "/data/from-gitea-init", Want: written("gitea-init")}},
			},
		}},
		{"Vaultwarden", []service{{
			Name: "vaultwarden", User: "1000:1000", ReadOnly: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges:true"}, Ports: []string{"127.0.0.1:8222:8080"},
			Volumes: []string{"./vw-data/:/data"}, PidsLimit: 100, CPUs: "0.5", MemLimit: "256m", Healthy: true,
		}}},
		{"Mosquitto", []service{{
			Name: "mosquitto", User: "1883:1883", Ports: []string{"1883:1883", "9883:9001"},
			Volumes: []string{"/etc/mosquitto/mosquitto.conf:/mosquitto/config/mosquitto.conf:ro", "/opt/mosquitto/data/:/mosquitto/data", "/opt/mosquitto/log/:/mosquitto/log"},
		}}},
		{"Home Assistant", []service{{
			Name: "homeassistant", NetworkMode: "host", Privileged: true, Serves: []string{"tcp/8123"},
			Volumes: []string{"/opt/homeassistant/:/config", "/etc/localtime:/etc/localtime:ro", "/run/dbus:/run/dbus:ro"},
		}}},
		{"ESPHome", []service{{Name: "esphome", NetworkMode: "host", Privileged: true, Serves: []string{"tcp/6052"}, Volumes: []string{"./esphome/:/config", "/etc/localtime:/etc/localtime:ro"}}}},
		{"Plex", []service{{
			Name: "plex", NetworkMode: "host", Serves: []string{"tcp/32400"}, Tmpfs: []string{"/transcode:size=128m"}, Environment: map[string]string{"PUID": "1000", "TZ": "Etc/UTC"},
			Volumes: []string{"./new/plex:/config", "/mnt/media/:/data:ro"},
		}}},
		{"Syncthing", []service{{
			Name: "syncthing", Hostname: "my-syncthing", Ports: []string{"8384:8384", "22000:22000/tcp", "22000:22000/udp", "21027:21027/udp"},
			Volumes: []string{"/home/rancher/Sync/:/var/syncthing"}, Healthy: true,
		}}},
		{"UniFi controller", []service{
			{Name: "unifi-db", Serves: []string{"tcp/27017"}, Volumes: []string{"./unifi/db/:/data/db", "./unifi/init-mongo.js:/docker-entrypoint-initdb.d/init-mongo.js:ro"}},
			{
				Name: "unifi", Ports: []string{"8444:8443", "3478:3478/udp", "10001:10001/udp", "1900:1900/udp"}, MemLimit: "1g", Volumes: []string{"/usr/local/unifi/:/config"},
				DependsOn: map[string]after{"unifi-db": {"service_started"}}, Reaches: []string{"tcp unifi-db:27017 unifi-db"},
			},
		}},
		{"Duplicati", []service{{Name: "duplicati", User: "0:0", Hostname: "backup", Volumes: []string{"./duplicati/:/config", "/root/backups/:/backups", "/:/source:ro"}, Ports: []string{"8200:8200"}}}},
	}
}

// lowLevel are stacks that use the kernel themselves.
func lowLevel() []stack {
	nested := []inside.Check{{Kind: "mounts", Path: "/var/lib/docker"}, {Kind: "controlgroup", Path: "/sys/fs/cgroup"}}
	return []stack{
		{"Docker in Docker", []service{{
			Name: "dind", Privileged: true, Volumes: []string{"dind_certs:/certs", "dind_data:/var/lib/docker"}, Environment: map[string]string{"DOCKER_TLS_CERTDIR": "/certs"},
			Serves: []string{"tcp/2376"}, Also: append(nested, inside.Check{Kind: "newlink", Want: "bridge"}),
		}}},
		{"k3s", []service{{
			Name: "k3s", Privileged: true, Tmpfs: []string{"/run", "/var/run"}, Ulimits: map[string]limits{"nproc": {65535, 65535}, "nofile": {65535, 65535}}, Ports: []string{"6443:6443"},
			Volumes: []string{"k3s_data:/var/lib/rancher/k3s", "./k3s/output/:/output"},
			Also: []inside.Check{
				{Kind: "mounts", Path: "/var/lib/rancher/k3s"}, {Kind: "controlgroup", Path: "/sys/fs/cgroup"}, {Kind: "newlink", Want: "vxlan"},
				{Kind: "writable", Path: "/proc/sys/net/ipv4/ip_forward"}, {Kind: "writable", Path: "/proc/sys/vm/overcommit_memory"},
			},
		}}},
		{"bpftrace, Tetragon and Cilium", []service{{
			Name: "bpf", Privileged: true, PID: "host", Volumes: []string{"/sys/kernel/debug:/sys/kernel/debug", "/sys/kernel/tracing:/sys/kernel/tracing", "/sys/fs/bpf:/sys/fs/bpf", "/dev/hugepages:/dev/hugepages"},
		}}},
		{"Rclone mount", []service{{
			Name: "rclone", Devices: []string{"/dev/fuse"}, CapAdd: []string{"SYS_ADMIN"}, SecurityOpt: []string{"apparmor:unconfined"},
			Volumes: []string{"/mnt/rclone/:/data:rshared"}, Also: []inside.Check{{Kind: "shares", Path: "/data/remote", Want: written("rclone")}},
		}}},
		{"NFS server", []service{{
			Name: "nfs-server", Privileged: true, Volumes: []string{"/srv/nfs/:/exports", "/lib/modules:/lib/modules:ro"}, Ports: []string{"2049:2049"},
		}}},
		{"iSCSI target", []service{{
			Name: "iscsi", Privileged: true, NetworkMode: "host", CapAdd: []string{"SYS_MODULE"}, Volumes: []string{"/dev:/dev", "/lib/modules:/lib/modules", "/srv/iscsi/:/iscsi"},
			Serves: []string{"tcp/3260"},
		}}},
	}
}

// TestStackTable holds the table to what compose and the test take for granted.
func TestStackTable(t *testing.T) {
	if n := len(stacks()); n < 40 {
		t.Errorf("%d stacks, want at least 40", n)
	}
	names, ports := map[string]bool{}, map[string]string{}
	for _, st := range slices.Concat(stacks(), genericStacks()) {
		for _, s := range st.services {
			if names[s.Name] {
				t.Errorf("two services are called %s", s.Name)
			}
			names[s.Name] = true
			published, serve := s.published()
			for _, p := range published {
				_, number, _ := strings.Cut(p.address, ":")
				if other := ports[p.network+"/"+number]; other != "" && s.NetworkMode == "" {
					t.Errorf("%s and %s have the port %s/%s", s.Name, other, p.network, number)
				}
				ports[p.network+"/"+number] = s.Name
			}
			if s.Healthy && !slices.ContainsFunc(serve, func(p string) bool { return strings.HasPrefix(p, "tcp/") }) {
				t.Errorf("%s is to be healthy, which needs a TCP port", s.Name)
			}
			if s.User != "" && slices.ContainsFunc(s.Volumes, func(v string) bool { return !strings.ContainsAny(v[:1], "./") }) && s.User != "0:0" {
				t.Errorf("%s is no root and has a named volume, which belongs to root", s.Name)
			}
			for _, c := range append(s.CapAdd, s.CapDrop...) {
				if c != "ALL" && !slices.Contains(capabilityNames(), "CAP_"+c) {
					t.Errorf("%s: unknown capability %s", s.Name, c)
				}
			}
			for name := range maps.Keys(s.Networks) {
				if _, ok := stackNetworks()[name]; !ok && name != "default" {
					t.Errorf("%s: unknown network %s", s.Name, name)
				}
			}
			for _, c := range s.checks(facts{}) {
				if strings.Contains(c.Kind, " ") || c.Kind == "" || (c.Kind == "tmpfs" || c.Kind == "text") && c.Path == "" {
					t.Errorf("%s: check %s", s.Name, c)
				}
			}
		}
	}
}

// serialPort is what udev calls QEMU's USB serial port, and what the kernel does.
const (
	serialByID = "/dev/serial/by-id/usb-QEMU_QEMU_USB_SERIAL_stacks-if00-port0"
	serialPort = "/dev/ttyUSB0"
)

// genericStacks need devices that only FLAVOR=generic has drivers for.
func genericStacks() []stack {
	localtime := "/etc/localtime:/etc/localtime:ro"
	return []stack{
		{"Jellyfin", []service{{
			Name: "jellyfin", GroupAdd: []string{"44"}, Devices: []string{"/dev/dri/renderD128:/dev/dri/renderD128", "/dev/dri/card0:/dev/dri/card0"},
			Ports: []string{"8096:8096", "7359:7359/udp"}, Volumes: []string{"/srv/jellyfin/:/config", "/mnt/media/:/media:ro"}, Healthy: true,
		}}},
		{"Plex with a GPU", []service{{
			Name: "plex-gpu", NetworkMode: "host", Devices: []string{"/dev/dri:/dev/dri"}, Serves: []string{"tcp/32400"}, Tmpfs: []string{"/transcode"},
			Volumes: []string{"./plex/:/config"}, Also: []inside.Check{{Kind: "filled", Path: "/dev/dri"}},
		}}},
		{"Frigate", []service{{
			Name: "frigate", Privileged: true, ShmSize: "128mb", Devices: []string{"/dev/bus/usb:/dev/bus/usb", "/dev/dri/renderD128:/dev/dri/renderD128"},
			Tmpfs: []string{"/tmp/cache:size=100m"}, Volumes: []string{localtime, "./frigate/:/config", "/mnt/frigate/:/media/frigate"}, Ports: []string{"5000:5000", "8554:8554", "8555:8555/udp"},
			Also: []inside.Check{{Kind: "filled", Path: "/dev/bus/usb/001"}}, Healthy: true,
		}}},
		{"Zigbee2MQTT", []service{{
			Name: "zigbee2mqtt", User: "1000:1000", GroupAdd: []string{"20"}, Devices: []string{serialByID + ":/dev/ttyACM0"}, Ports: []string{"8087:8080"},
			Volumes: []string{"/opt/zigbee2mqtt/:/app/data", "/run/udev:/run/udev:ro"}, Environment: map[string]string{"TZ": "Europe/Amsterdam"},
		}}},
		{"Z-Wave JS UI", []service{{
			Name: "zwave", Devices: []string{serialByID + ":/dev/zwave"}, Ports: []string{"8091:8091"}, Volumes: []string{"zwave:/usr/src/app/store"},
		}}},
		{"OctoPrint with hot plug", []service{{
			Name: "octoprint", DeviceRules: []string{"c 188:* rmw"}, Volumes: []string{"/dev:/dev", "octoprint:/octoprint"}, Ports: []string{"8092:80"},
			Also: []inside.Check{{Kind: "device", Path: serialPort, Want: "c 188:0"}},
		}}},
		{"Snapcast and MPD", []service{{
			Name: "mpd", Devices: []string{"/dev/snd:/dev/snd"}, GroupAdd: []string{"29"}, IPC: "host", Ports: []string{"6600:6600"}, Volumes: []string{"/mnt/music/:/music:ro"},
			Also: []inside.Check{{Kind: "filled", Path: "/dev/snd"}},
		}}},
		{"NUT UPS server", []service{{
			Name: "nut", Devices: []string{"/dev/bus/usb:/dev/bus/usb"}, CapAdd: []string{"SYS_ADMIN"}, Ports: []string{"3493:3493"}, Volumes: []string{"./nut/:/etc/nut:ro"},
			Also: []inside.Check{{Kind: "filled", Path: "/dev/bus/usb/001"}},
		}}},
	}
}
