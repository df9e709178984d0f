package osconfig

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// realistic is a cloud-config of about so many lines, with what long ones are
// made of: accounts, files, commands, interfaces, services, sysctls.
func realistic(lines int) []byte {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu0gjeJKRKxcbSthcds/2eiiGr+PYFdPcJG8JQRdIyX"
	var b strings.Builder
	add := func(text string, args ...any) { fmt.Fprintf(&b, text, args...) }
	add("#cloud-config\nhostname: big\nssh_authorized_keys:\n  - %s\nusers:\n", key)
	for i := range lines / 50 {
		add("  - name: user%d\n    gecos: User %d\n    groups: [docker, adm]\n    shell: /bin/bash\n", i, i)
		add("    sudo: ALL=(ALL) NOPASSWD:ALL\n    lock_passwd: true\n    ssh_authorized_keys:\n      - %s u%d\n", key, i)
	}
	add("write_files:\n")
	for i := range lines / 40 {
		add("  - path: /etc/app/%d.conf\n    owner: root:root\n    permissions: '0644'\n    content: |\n", i)
		for j := range 16 {
			add("      option_%d = value %d\n", j, i)
		}
	}
	add("runcmd:\n")
	for i := range lines / 33 {
		add("  - [echo, hello %d]\n", i)
	}
	add("rancher:\n  network:\n    interfaces:\n")
	for i := range lines / 83 {
		add("      eth%d:\n        dhcp: false\n        addresses:\n          - 10.%d.%d.2/24\n        mtu: 1500\n", i, i/250, i%250)
	}
	add("  services:\n")
	for i := range lines / 83 {
		add("    svc%d:\n      image: example/svc:%d\n      restart: always\n      command: [run, --fast]\n      environment:\n", i, i)
		add("        A: b\n        C: d\n      volumes:\n        - /data:/data\n      ports:\n        - \"%d:80\"\n", 8000+i)
		add("      labels:\n        io.rancher.os.scope: system\n        io.rancher.os.after: network\n")
	}
	add("  sysctl:\n")
	for i := strings.Count(b.String(), "\n"); i < lines; i++ {
		add("    net.ipv4.conf.x%d.forwarding: 1\n", i)
	}
	return []byte(b.String())
}

func validate(data []byte) Report {
	layer, report := Parse("big", "big.yml", data)
	return append(report, Validate(Merge(layer))...)
}

// BenchmarkValidate is a file of 10,000 lines, of which goccy/go-yaml takes
// most of the time and memory, and a usual one.
func BenchmarkValidate(b *testing.B) {
	for _, lines := range []int{100, 10_000} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			data := realistic(lines)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				validate(data)
			}
		})
	}
}

// TestValidateMemory: checking 10,000 lines allocates less than 50 MB all in
// all, whatever of it is in use at once.
func TestValidateMemory(t *testing.T) {
	data := realistic(10_000)
	if lines := strings.Count(string(data), "\n"); lines < 10_000 {
		t.Fatalf("%d lines", lines)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	report := validate(data)
	runtime.ReadMemStats(&after)
	if report.HasErrors() {
		t.Fatal(report)
	}
	const most = 50 << 20
	used := after.TotalAlloc - before.TotalAlloc
	t.Logf("%.1f MB", float64(used)/(1<<20))
	if used > most {
		t.Errorf("%d bytes allocated, want at most %d", used, most)
	}
}

// TestManyKeys: a file with as many keys as are allowed stays affordable, in
// whichever shape they come, and one with more is refused.
func TestManyKeys(t *testing.T) {
	shapes := []struct {
		name  string
		n     int
		shape func(n int) string
	}{
		{"one mapping", maxKeysInOne - 1, func(n int) string { return "rancher:\n  sysctl:\n" + repeat(n, "    a.b%d: 1\n") }},
		{"unknown keys", maxKeysInOne - 1, func(n int) string { return repeat(n, "unknown_key_%d: 1\n") }},
		{"flow mapping", maxKeys - 5, func(n int) string { return "rancher: {sysctl: {" + repeat(n, "a.b%d: 1, ") + "}}\n" }},
		{"list of mappings", maxKeys - 5, func(n int) string { return "users:\n" + repeat(n, "  - name: u%d\n") }},
		{"list under a key", maxKeys - 5, func(n int) string { return "users:\n" + repeat(n, "- name: u%d\n") }},
	}
	for _, tt := range shapes {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.shape(tt.n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if report := validate([]byte(text)); unusable(report) {
				t.Fatal(report)
			}
			runtime.ReadMemStats(&after)
			used := after.TotalAlloc - before.TotalAlloc
			t.Logf("%.1f MB", float64(used)/(1<<20))
			if used > 128<<20 {
				t.Errorf("%d bytes allocated", used)
			}
			if _, report := Parse("x", "x", []byte(tt.shape(2*tt.n))); !unusable(report) || !strings.Contains(report.String(), "keys") {
				t.Errorf("twice as many: %s", report)
			}
		})
	}
}

// TestKeysOfAnyLength: a mapping is no deeper for longer keys.
func TestKeysOfAnyLength(t *testing.T) {
	var b strings.Builder
	b.WriteString("rancher:\n  environment:\n")
	for i := range 3 * maxDepth {
		b.WriteString("    " + strings.Repeat("A", i+1) + ": x\n")
	}
	if report := validate([]byte(b.String())); len(report) > 0 {
		t.Error(report)
	}
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
