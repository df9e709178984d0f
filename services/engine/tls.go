package engine

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/system/unit"
)

const (
	// tlsDir is RancherOS's place, which tls_args of people's files name.
	tlsDir = "/etc/docker/tls"
	// tlsSource is where the manager writes; below it each set of files has a
	// directory, so that other certificates make another unit.
	tlsSource = "/run/pharos/engine-tls"
	tlsHost   = "tcp://0.0.0.0:2376"
)

// TLSFiles are what the manager writes for the engine, by path: certificates
// and, readable by nobody else, the key. An error says why the engine listens
// on no TCP socket although it should with TLS.
func TLSFiles(e osconfig.Engine) (map[string]string, error) {
	if !e.TLS {
		return nil, nil
	}
	if !tlsComplete(e) {
		if len(e.TLSArgs) > 0 { // they name files of their own
			return nil, nil
		}
		return nil, errors.New("rancher.docker.tls: server_cert, server_key and ca_cert are needed: the engine listens on no TCP socket")
	}
	if _, err := tls.X509KeyPair([]byte(e.ServerCert), []byte(e.ServerKey)); err != nil {
		return nil, fmt.Errorf("rancher.docker.tls: server_cert and server_key: %w", err)
	}
	dir := tlsPlace(e)
	files := map[string]string{
		dir + "/ca.pem": e.CACert, dir + "/server-cert.pem": e.ServerCert, dir + "/server-key.pem": e.ServerKey,
	}
	if e.CAKey != "" {
		files[dir+"/ca-key.pem"] = e.CAKey
	}
	return files, nil
}

func tlsComplete(e osconfig.Engine) bool {
	return e.ServerCert != "" && e.ServerKey != "" && e.CACert != ""
}

func tlsPlace(e osconfig.Engine) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{e.CACert, e.CAKey, e.ServerCert, e.ServerKey}, "\x00")))
	return tlsSource + "/" + hex.EncodeToString(sum[:6])
}

func tlsMount(e osconfig.Engine) []unit.Mount {
	if !e.TLS || !tlsComplete(e) {
		return nil
	}
	return []unit.Mount{{Source: tlsPlace(e), Target: tlsDir, Options: []string{"ro"}, Mkdir: 0o700}}
}

// tlsOptions puts TLS into dockerd's configuration and returns the flags to
// add. Without certificates no TCP socket is left: one that was meant to ask
// for them must not let everybody in.
func tlsOptions(config map[string]any, e osconfig.Engine) []string {
	if !e.TLS {
		return nil
	}
	isTCP := func(host string) bool { return strings.HasPrefix(host, "tcp://") || !strings.Contains(host, "://") }
	hosts, _ := config["hosts"].([]string)
	if _, err := TLSFiles(e); err != nil {
		config["hosts"] = slices.DeleteFunc(slices.Clone(hosts), isTCP)
		return nil
	}
	if tlsComplete(e) {
		config["tlsverify"] = true
		config["tlscacert"] = tlsDir + "/ca.pem"
		config["tlscert"] = tlsDir + "/server-cert.pem"
		config["tlskey"] = tlsDir + "/server-key.pem"
	}
	args, more := takeFlag(e.TLSArgs, hostFlag()...)
	if hosts = append(slices.Clone(hosts), more...); !slices.ContainsFunc(hosts, isTCP) {
		hosts = append(hosts, tlsHost)
	}
	config["hosts"] = normalHosts(hosts)
	return args
}
