# bash completion of ros, made by: ros completion bash
_ros() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=ros words= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      "ros status"|"ros boot"|"ros service"|"ros service list"|"ros service logs"|"ros service start"|"ros service stop"|"ros service restart"|"ros service ps"|"ros logs"|"ros config"|"ros config get"|"ros config set"|"ros config unset"|"ros config append"|"ros config remove"|"ros config merge"|"ros config edit"|"ros config export"|"ros config validate"|"ros config diff"|"ros config apply"|"ros config confirm"|"ros config history"|"ros config rollback"|"ros config schema"|"ros config sources"|"ros version"|"ros completion") path="$path $word" ;;
    esac
  done
  local keys='hostname fqdn manage_etc_hosts ssh_authorized_keys ssh_pwauth disable_root ssh_keys users groups password chpasswd chpasswd.expire chpasswd.list chpasswd.users write_files bootcmd runcmd mounts mount_default_fields swap swap.filename swap.size swap.maxsize ntp ntp.enabled ntp.servers ntp.pools ntp.ntp_client timezone locale ca_certs ca_certs.remove_defaults ca_certs.trusted growpart resize_rootfs final_message power_state power_state.mode power_state.delay power_state.message power_state.timeout power_state.condition phone_home phone_home.url phone_home.post phone_home.tries coreos coreos.units coreos.update coreos.update.reboot_strategy coreos.update.group coreos.update.server rancher rancher.network rancher.network.dhcp_timeout rancher.network.dns rancher.network.dns.nameservers rancher.network.dns.search rancher.network.interfaces rancher.network.wifi_networks rancher.network.rules rancher.network.firewall rancher.network.firewall.policy rancher.network.firewall.allow rancher.network.firewall.published_ports rancher.network.pre_cmds rancher.network.post_cmds rancher.network.http_proxy rancher.network.https_proxy rancher.network.no_proxy rancher.docker rancher.docker.enabled rancher.docker.engine rancher.docker.pid rancher.docker.bridge rancher.docker.bip rancher.docker.config_file rancher.docker.debug rancher.docker.data_root rancher.docker.graph rancher.docker.group rancher.docker.host rancher.docker.insecure_registry rancher.docker.live_restore rancher.docker.log_driver rancher.docker.log_opts rancher.docker.registry_mirror rancher.docker.storage_driver rancher.docker.userland_proxy rancher.docker.userns_enabled rancher.docker.tls rancher.docker.tls_args rancher.docker.server_cert rancher.docker.server_key rancher.docker.ca_cert rancher.docker.ca_key rancher.docker.extra_args rancher.docker.environment rancher.ssh rancher.ssh.daemon rancher.ssh.port rancher.ssh.listen_address rancher.ssh.keys rancher.state rancher.state.dev rancher.state.fstype rancher.state.required rancher.state.autoformat rancher.state.mdadm_scan rancher.state.lvm_scan rancher.state.cryptsetup rancher.cloud_init rancher.cloud_init.datasources rancher.upgrade rancher.upgrade.url rancher.upgrade.image rancher.upgrade.policy rancher.console rancher.services rancher.services_include rancher.repositories rancher.registry_auths rancher.sysctl rancher.modules rancher.environment rancher.autologin rancher.password rancher.disable rancher.restart_services rancher.shutdown_timeout rancher.http_load_retries rancher.hypervisor_service rancher.debug rancher.log rancher.recovery rancher.defaults rancher.defaults.hostname rancher.defaults.docker rancher.defaults.docker.enabled rancher.defaults.docker.engine rancher.defaults.docker.pid rancher.defaults.docker.bridge rancher.defaults.docker.bip rancher.defaults.docker.config_file rancher.defaults.docker.debug rancher.defaults.docker.data_root rancher.defaults.docker.graph rancher.defaults.docker.group rancher.defaults.docker.host rancher.defaults.docker.insecure_registry rancher.defaults.docker.live_restore rancher.defaults.docker.log_driver rancher.defaults.docker.log_opts rancher.defaults.docker.registry_mirror rancher.defaults.docker.storage_driver rancher.defaults.docker.userland_proxy rancher.defaults.docker.userns_enabled rancher.defaults.docker.tls rancher.defaults.docker.tls_args rancher.defaults.docker.server_cert rancher.defaults.docker.server_key rancher.defaults.docker.ca_cert rancher.defaults.docker.ca_key rancher.defaults.docker.extra_args rancher.defaults.docker.environment rancher.defaults.network rancher.defaults.network.dhcp_timeout rancher.defaults.network.dns rancher.defaults.network.dns.nameservers rancher.defaults.network.dns.search rancher.defaults.network.interfaces rancher.defaults.network.wifi_networks rancher.defaults.network.rules rancher.defaults.network.firewall rancher.defaults.network.firewall.policy rancher.defaults.network.firewall.allow rancher.defaults.network.firewall.published_ports rancher.defaults.network.pre_cmds rancher.defaults.network.post_cmds rancher.defaults.network.http_proxy rancher.defaults.network.https_proxy rancher.defaults.network.no_proxy'
  case "$path" in
    "ros")
      words='status boot service logs config version completion --help'
      ;;
    "ros status")
      words='--json --help'
      ;;
    "ros boot")
      case "$prev" in --plot) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
      words='--plot --json --help'
      ;;
    "ros service")
      words='list logs start stop restart ps --help'
      ;;
    "ros service list")
      words='--quiet -q --json --help'
      ;;
    "ros service logs")
      words='--follow -f --lines -n --since --json --help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null)"
      ;;
    "ros service start")
      words='--help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null)"
      ;;
    "ros service stop")
      words='--help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null)"
      ;;
    "ros service restart")
      words='--help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null)"
      ;;
    "ros service ps")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null)"
      ;;
    "ros logs")
      words='system kernel --follow -f --lines -n --since --json --help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null)"
      ;;
    "ros config")
      words='get set unset append remove merge edit export validate diff apply confirm history rollback schema sources --help'
      ;;
    "ros config get")
      words='--source -s --private -p --json --help'
      [[ $cur == -* ]] || words="$words $keys"
      ;;
    "ros config set")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $keys"
      ;;
    "ros config unset")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $keys"
      ;;
    "ros config append")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $keys"
      ;;
    "ros config remove")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $keys"
      ;;
    "ros config merge")
      case "$prev" in --input|-i) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
      words='--input -i --json --help'
      ;;
    "ros config edit")
      words='--help'
      ;;
    "ros config export")
      case "$prev" in --output|-o) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
      words='--full -f --private -p --output -o --json --help'
      ;;
    "ros config validate")
      case "$prev" in --input|-i) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
      words='--input -i --layer -l --strict --json --help'
      [[ $cur == -* ]] || { COMPREPLY=($(compgen -f -- "$cur")); return; }
      ;;
    "ros config diff")
      words='--json --help'
      ;;
    "ros config apply")
      words='--try -t --json --help'
      ;;
    "ros config confirm")
      words='--help'
      ;;
    "ros config history")
      words='--json --help'
      ;;
    "ros config rollback")
      words='--json --help'
      ;;
    "ros config schema")
      words='--help'
      ;;
    "ros config sources")
      words='--json --help'
      ;;
    "ros version")
      words='--json --help'
      ;;
    "ros completion")
      words='bash zsh fish --help'
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _ros ros
