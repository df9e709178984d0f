package osconfig_test

import (
	"reflect"
	"strings"
	"testing"

	osconfig "github.com/pharos-os/pharos/os-config"
	"github.com/pharos-os/pharos/os-config/coreunit"
)

// TestDocumentedFiles: testdata/documented has an example of everything that
// RancherOS, cloud-init and CoreOS document and Pharos knows. None has an
// error; what is dropped or not carried out yet is a warning. An export reads
// back the same.
func TestDocumentedFiles(t *testing.T) {
	testFiles(t, "documented", 80, func(t *testing.T, path string) {
		cfg, doc, report := check(t, path)
		if report.HasErrors() {
			t.Fatalf("reported:\n%s", report)
		}
		units := osconfig.Decoder{Units: coreunit.Check}
		if report := units.Validate(doc); report.HasErrors() {
			t.Errorf("units:\n%s", report)
		}
		again, more := osconfig.Parse("again", "export", []byte(doc.Export(true, true)))
		cfg2, _ := osconfig.Decode(osconfig.Merge(again))
		if more.HasErrors() || !reflect.DeepEqual(cfg, cfg2) {
			t.Fatalf("the export reads back differently:\n%s\n%s", more, doc.Export(true, true))
		}
		_, _, atBoot := osconfig.DecodeLenient(osconfig.Layer{Name: "test", Doc: doc.Root})
		if atBoot.HasErrors() {
			t.Errorf("at boot:\n%s", atBoot)
		}
	})
}

// TestEveryKeyHasAnExample: the documented keys of RancherOS, and each key of
// Config, stand in a file of testdata/documented, and each is one that Config
// has or of which is said what becomes of it.
func TestEveryKeyHasAnExample(t *testing.T) {
	examples := map[string]bool{}
	testFiles(t, "documented", 80, func(t *testing.T, path string) {
		_, doc, _ := check(t, path)
		usedKeys(doc.Root, reflect.TypeFor[osconfig.Config](), "", examples)
	})
	own := map[string]bool{}
	configKeys(reflect.TypeFor[osconfig.Config](), "", own)
	for pattern := range own {
		if !examples[pattern] {
			t.Errorf("%s: no file of testdata/documented has it", pattern)
		}
	}
	for _, pattern := range strings.Fields(rancherKeys) {
		if !examples[pattern] {
			t.Errorf("%s: a key of RancherOS; no file of testdata/documented has it", pattern)
		}
		if !own[pattern] && osconfig.AboutKey(pattern).Legacy == "" {
			t.Errorf("%s: a key of RancherOS that is unknown", pattern)
		}
	}
}

// isLeaf says whether a type has no keys of its own.
func isLeaf(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[osconfig.Command](), reflect.TypeFor[osconfig.Mount](), reflect.TypeFor[osconfig.Any]():
		return true
	}
	return false
}

// configKeys lists the keys below t; rancher.defaults repeats others.
func configKeys(t reflect.Type, at string, out map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer:
		configKeys(t.Elem(), at, out)
	case reflect.Slice:
		configKeys(t.Elem(), at+"[]", out)
	case reflect.Map:
		configKeys(t.Elem(), at+".*", out)
	case reflect.Struct:
		if isLeaf(t) {
			return
		}
		for i := range t.NumField() {
			name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if option == "internal" { // made by package cloudconfig, of other formats
				continue
			}
			key := strings.TrimPrefix(at+"."+name, ".")
			out[key] = true
			if at != "rancher.defaults" {
				configKeys(t.Field(i).Type, key, out)
			}
		}
	}
}

// usedKeys lists the keys of a document as pattern paths.
func usedKeys(n *osconfig.Node, t reflect.Type, at string, out map[string]bool) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, item := range n.List {
		var elem reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			elem = t.Elem()
		}
		usedKeys(item, elem, at+"[]", out)
	}
	for _, e := range n.Map {
		switch {
		case t != nil && t.Kind() == reflect.Map:
			usedKeys(e.Value, t.Elem(), at+".*", out)
		default:
			key := strings.TrimPrefix(at+"."+e.Key, ".")
			out[key] = true
			usedKeys(e.Value, fieldType(t, e.Key), key, out)
		}
	}
}

func fieldType(t reflect.Type, key string) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name == key {
			return t.Field(i).Type
		}
	}
	return nil
}

// rancherKeys are the keys that RancherOS and BurmillaOS document, in the
// order of their documentation.
const rancherKeys = `
hostname ssh_authorized_keys mounts runcmd bootcmd rancher
write_files write_files[].path write_files[].content write_files[].owner write_files[].permissions write_files[].encoding write_files[].container

rancher.console rancher.environment rancher.services rancher.bootstrap rancher.cloud_init_services rancher.services_include
rancher.bootstrap_docker rancher.system_docker rancher.docker rancher.cloud_init.datasources rancher.repositories.*.url
rancher.registry_auths.*.auth rancher.registry_auths.*.username rancher.registry_auths.*.password rancher.registry_auths.*.email
rancher.registry_auths.*.serveraddress rancher.registry_auths.*.identitytoken rancher.registry_auths.*.registrytoken
rancher.modules rancher.sysctl rancher.restart_services rancher.resize_device rancher.debug rancher.log rancher.rm_usr
rancher.no_sharedroot rancher.force_console_rebuild rancher.recovery rancher.disable rancher.hypervisor_service
rancher.shutdown_timeout rancher.http_load_retries rancher.preload_wait rancher.autoformat rancher.password rancher.autologin
rancher.defaults.hostname rancher.defaults.docker rancher.defaults.network rancher.defaults.system_docker_logs

rancher.ssh.keys rancher.ssh.daemon rancher.ssh.port rancher.ssh.listen_address
rancher.state.directory rancher.state.fstype rancher.state.dev rancher.state.wait rancher.state.required rancher.state.autoformat
rancher.state.formatzero rancher.state.mdadm_scan rancher.state.lvm_scan rancher.state.cryptsetup rancher.state.rngd
rancher.state.script rancher.state.oem_fstype rancher.state.oem_dev rancher.state.boot_fstype rancher.state.boot_dev
rancher.upgrade.url rancher.upgrade.image rancher.upgrade.rollback rancher.upgrade.policy

rancher.network.pre_cmds rancher.network.post_cmds rancher.network.dhcp_timeout rancher.network.dns.nameservers
rancher.network.dns.search rancher.network.http_proxy rancher.network.https_proxy rancher.network.no_proxy
rancher.network.interfaces rancher.network.wifi_networks rancher.network.modem_networks
rancher.network.interfaces.*.match rancher.network.interfaces.*.dhcp rancher.network.interfaces.*.dhcp_args
rancher.network.interfaces.*.address rancher.network.interfaces.*.addresses rancher.network.interfaces.*.ipv4ll
rancher.network.interfaces.*.gateway rancher.network.interfaces.*.gateway_ipv6 rancher.network.interfaces.*.mtu
rancher.network.interfaces.*.bridge rancher.network.interfaces.*.bond rancher.network.interfaces.*.bond_opts
rancher.network.interfaces.*.vlans rancher.network.interfaces.*.pre_up rancher.network.interfaces.*.post_up
rancher.network.interfaces.*.wifi_network
rancher.network.wifi_networks.*.address rancher.network.wifi_networks.*.gateway rancher.network.wifi_networks.*.scan_ssid
rancher.network.wifi_networks.*.ssid rancher.network.wifi_networks.*.psk rancher.network.wifi_networks.*.priority
rancher.network.wifi_networks.*.pairwise rancher.network.wifi_networks.*.group rancher.network.wifi_networks.*.eap
rancher.network.wifi_networks.*.identity rancher.network.wifi_networks.*.anonymous_identity
rancher.network.wifi_networks.*.ca_certs rancher.network.wifi_networks.*.client_certs rancher.network.wifi_networks.*.private_keys
rancher.network.wifi_networks.*.private_key_passwds rancher.network.wifi_networks.*.phases
rancher.network.wifi_networks.*.eapol_flags rancher.network.wifi_networks.*.key_mgmt rancher.network.wifi_networks.*.password

rancher.docker.bridge rancher.docker.bip rancher.docker.config_file rancher.docker.containerd rancher.docker.debug
rancher.docker.exec_root rancher.docker.group rancher.docker.graph rancher.docker.data_root rancher.docker.host
rancher.docker.insecure_registry rancher.docker.live_restore rancher.docker.log_driver rancher.docker.log_opts
rancher.docker.pid_file rancher.docker.registry_mirror rancher.docker.restart rancher.docker.selinux_enabled
rancher.docker.storage_driver rancher.docker.userland_proxy rancher.docker.userns_enabled rancher.docker.engine
rancher.docker.tls rancher.docker.tls_args rancher.docker.extra_args rancher.docker.args rancher.docker.server_cert
rancher.docker.server_key rancher.docker.ca_cert rancher.docker.ca_key rancher.docker.environment
rancher.docker.storage_context rancher.docker.exec

rancher.services.*.build rancher.services.*.dockerfile rancher.services.*.image rancher.services.*.command
rancher.services.*.entrypoint rancher.services.*.container_name rancher.services.*.cap_add rancher.services.*.cap_drop
rancher.services.*.cgroup_parent rancher.services.*.cpu_quota rancher.services.*.cpuset rancher.services.*.cpu_shares
rancher.services.*.mem_limit rancher.services.*.memswap_limit rancher.services.*.devices rancher.services.*.dns
rancher.services.*.dns_search rancher.services.*.domainname rancher.services.*.hostname rancher.services.*.env_file
rancher.services.*.environment rancher.services.*.expose rancher.services.*.external_links rancher.services.*.links
rancher.services.*.extra_hosts rancher.services.*.labels rancher.services.*.log_driver rancher.services.*.log_opt
rancher.services.*.mac_address rancher.services.*.net rancher.services.*.pid rancher.services.*.ipc rancher.services.*.uts
rancher.services.*.ports rancher.services.*.privileged rancher.services.*.read_only rancher.services.*.restart
rancher.services.*.security_opt rancher.services.*.stdin_open rancher.services.*.tty rancher.services.*.ulimits
rancher.services.*.user rancher.services.*.volume_driver rancher.services.*.volumes rancher.services.*.volumes_from
rancher.services.*.working_dir
`
