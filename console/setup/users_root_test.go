package setup

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	osconfig "github.com/pharos-os/pharos/os-config"
)

// lanternHash is `openssl passwd -6 -salt pharos lantern`.
const lanternHash = "$6$pharos$BLpT3eMemKGbSfqneSeVQOC3UDVVZqAlaRfwKQ9dxCPvk.Aa7sIgqv1bH0QKvoU/kjQNdVtV1DHWIue241yY9/"

// newHostKey is one as a configuration gives it.
func newHostKey(t *testing.T) (ssh.PublicKey, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey(), string(pem.EncodeToMemory(block))
}

// TestRootUsers has a real sshd, chpasswd, mount and, where the image is
// built, sudo: two users with keys of their own, passwords of each kind, a
// deferred file and mounts.
func TestRootUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts, sshd")
	}
	dir := t.TempDir()
	address, port := freePort(t)
	keeper, keeperLine := newKey(t)
	diver, diverLine := newKey(t)
	host, hostText := newHostKey(t)
	plan := Plan{
		SSH: SSH{Enabled: true, Port: port, Listen: "127.0.0.1", Passwords: true, HostKeys: map[string]string{"ssh_host_ed25519_key": hostText}},
		Accounts: Accounts{
			Users: []osconfig.User{
				{Name: "keeper", UID: 2345, Groups: []string{"docker", "crew"}, Shell: "/bin/sh", Passwd: lanternHash,
					Sudo: []string{"ALL=(ALL) NOPASSWD:ALL"}, SSHAuthorizedKeys: []string{keeperLine}},
				{Name: "diver", PlainTextPasswd: "wörds with: signs", SSHAuthorizedKeys: []string{diverLine}},
				{Name: "mute", Passwd: lanternHash, LockPasswd: new(true)},
				{Name: "bad", Sudo: []string{"no rule at all"}},
			},
			Chpasswd: osconfig.Chpasswd{Expire: new(false), List: []string{"rancher:lamp"}},
		},
		Files:  []osconfig.File{{Path: "/mnt/fast/deferred", Content: "late\n", Owner: "diver:crew", Defer: true}},
		Mounts: []osconfig.Mount{{Device: "tmpfs", Point: "/mnt/fast", FSType: "tmpfs", Options: "size=1m"}, {Device: "tmpfs", Point: "/data", FSType: "tmpfs"}, {Device: "/mnt/fast", Point: "/opt/bound", Options: "bind"}},
	}
	planPath := filepath.Join(dir, "run/setup.json")
	if err := plan.Write(planPath); err != nil {
		t.Fatal(err)
	}
	startConsole(t, dir)
	status := func() Status { st, _ := ReadStatus(filepath.Join(dir, "run/status.json")); return st }
	waitFor(t, func() bool { return status().Done }, func() string { return fmt.Sprintf("%+v", status()) })
	for _, p := range status().Problems {
		if !strings.HasPrefix(p, "user bad: sudo rules are left out: ") || !strings.HasSuffix(p, "syntax error") {
			t.Errorf("problem %q", p)
		}
	}

	login := func(user string, auth ssh.AuthMethod) (string, error) {
		var client *ssh.Client
		var err error
		if client, err = ssh.Dial("tcp", address, &ssh.ClientConfig{
			User: user, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.FixedHostKey(host), Timeout: 10 * time.Second,
		}); err != nil {
			return "", err
		}
		defer client.Close()
		session, err := client.NewSession()
		if err != nil {
			return "", err
		}
		var out bytes.Buffer
		session.Stdout, session.Stderr = &out, io.Discard
		err = session.Run("id -un; id -u; pwd; cat /opt/bound/deferred; stat -c %U:%G /mnt/fast/deferred; stat -f -c %T /data; stat -c %a%G /etc/shadow; command -v sudo >/dev/null && sudo -n id -un; true")
		return strings.Join(strings.Fields(out.String()), " "), err
	}
	const rest = " late diver:crew tmpfs 640shadow"
	sudo := ""
	if lower, err := lowerRoot(); err == nil && exists(lower+"/usr/bin/sudo") {
		sudo = " root"
	} else {
		t.Log("no sudo in this root: its rules are not tried")
	}
	waitFor(t, func() bool { _, err := login("rancher", ssh.Password("lamp")); return err == nil }, func() string { return "no login" })
	// sshd keeps an address waiting that failed often: those come last.
	cases := []struct {
		name, user string
		auth       ssh.AuthMethod
		want       string // empty: is not let in
	}{
		{"keeper's key", "keeper", ssh.PublicKeys(keeper), "keeper 2345 /home/keeper" + rest + sudo},
		{"diver's key", "diver", ssh.PublicKeys(diver), "diver 2001 /home/diver" + rest},
		{"hash", "keeper", ssh.Password("lantern"), "keeper 2345 /home/keeper" + rest + sudo},
		{"plain text", "diver", ssh.Password("wörds with: signs"), "diver 2001 /home/diver" + rest},
		{"chpasswd", "rancher", ssh.Password("lamp"), "rancher 1100 /home/rancher" + rest + sudo},
		{"another's key", "keeper", ssh.PublicKeys(diver), ""},
		{"wrong", "keeper", ssh.Password("lamp"), ""},
		{"locked", "mute", ssh.Password("lantern"), ""},
		{"none", "bad", ssh.Password(""), ""},
		{"root has no way in", "root", ssh.Password("lantern"), ""},
		{"root has no key", "root", ssh.PublicKeys(keeper), ""},
		{"nobody of that name", "other", ssh.PublicKeys(keeper), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := login(c.user, c.auth)
			if c.want == "" {
				if err == nil {
					t.Errorf("let in: %s", got)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("prints %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestRootNumberOfHome: without its memory, a machine goes by who owns a home.
func TestRootNumberOfHome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives a directory away")
	}
	r := newRoom(t)
	r.write(t, "/home/keeper/file", "")
	if err := os.Chown(r.path("/home/keeper"), 2777, 2777); err != nil {
		t.Fatal(err)
	}
	r.write(t, memoryPath, "{ half of")
	s := &setup{Options: r.options(), log: slog.New(slog.DiscardHandler)}
	err := s.everybody(t.Context(), Plan{Accounts: Accounts{Users: []osconfig.User{{Name: "keeper"}}}})
	if err == nil || !strings.HasPrefix(err.Error(), "memory of accounts: ") {
		t.Errorf("error %v", err)
	}
	if f, err := s.lookup("/etc/passwd", "keeper"); err != nil || f[2] != "2777" || f[3] != "2777" {
		t.Errorf("%v, %v", f, err)
	}
	if !strings.Contains(r.read(t, memoryPath), `"keeper": 2777`) {
		t.Error("not remembered")
	}
}
