#compdef ros
# zsh completion of ros, made by: ros completion zsh
_ros() {
  local at=ros word
  local -a found
  for word in ${words[2,CURRENT-1]}; do
    case "$at $word" in
      "ros s") at="ros service" ;;
      "ros service ls") at="ros service list" ;;
      "ros c") at="ros config" ;;
      "ros net") at="ros network" ;;
      "ros status"|"ros boot"|"ros service"|"ros service list"|"ros service logs"|"ros service start"|"ros service stop"|"ros service restart"|"ros service ps"|"ros logs"|"ros config"|"ros config get"|"ros config set"|"ros config unset"|"ros config append"|"ros config remove"|"ros config merge"|"ros config edit"|"ros config export"|"ros config validate"|"ros config diff"|"ros config apply"|"ros config confirm"|"ros config history"|"ros config rollback"|"ros config schema"|"ros config sources"|"ros network"|"ros network status"|"ros network plan"|"ros network apply"|"ros network renew"|"ros engine"|"ros engine swarm"|"ros engine swarm status"|"ros engine swarm token"|"ros engine swarm unlock"|"ros engine swarm unlock-key"|"ros docker"|"ros docker doctor"|"ros version"|"ros completion") at="$at $word" ;;
    esac
  done
  local -a keys=(KEYS)
  case "$at" in
    "ros")
      found=(
        'status:show how the machine is; exit code 0 only when it is ready'
        'boot:show what the boot did when'
        'service:list and control the system'\''s services'
        'logs:print the logs of the system, the kernel or one service'
        'config:show, check, change and apply the configuration'
        'network:show, plan and apply the network'
        'engine:look after the user engine'
        'docker:look at how containers use the machine'
        'version:print this program'\''s version'
        'completion:print the completion script of a shell'
        '--help:show help')
      ;;
    "ros status")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros boot")
      case "${words[CURRENT-1]}" in --plot) _files; return ;; esac
      found=(
        '--plot:draw the boot into FILE.svg (- is standard output)'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros service")
      found=(
        'list:list the services and how they are'
        'logs:print the log of one service'
        'start:start a service and wait until it runs'
        'stop:stop a service and wait until it has stopped'
        'restart:stop and start a service'
        'ps:list the processes of services'
        '--help:show help')
      ;;
    "ros service list")
      found=(
        '--quiet:print names only'
        '-q:print names only'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros service logs")
      found=(
        '--follow:go on with new lines'
        '-f:go on with new lines'
        '--lines:print the last N lines; default all, with -f 10'
        '-n:print the last N lines; default all, with -f 10'
        '--since:print what is newer than TIME\: 10m, 2h, 3d or 2006-01-02T15\:04\:05Z'
        '--json:print JSON'
        '--help:show help')
      found+=(${(f)"$(ros service list --quiet 2>/dev/null)"})
      ;;
    "ros service start")
      found=(
        '--help:show help')
      found+=(${(f)"$(ros service list --quiet 2>/dev/null)"})
      ;;
    "ros service stop")
      found=(
        '--help:show help')
      found+=(${(f)"$(ros service list --quiet 2>/dev/null)"})
      ;;
    "ros service restart")
      found=(
        '--help:show help')
      found+=(${(f)"$(ros service list --quiet 2>/dev/null)"})
      ;;
    "ros service ps")
      found=(
        '--json:print JSON'
        '--help:show help')
      found+=(${(f)"$(ros service list --quiet 2>/dev/null)"})
      ;;
    "ros logs")
      found=(
        'system:the manager'\''s log'
        'kernel:the kernel'\''s log'
        '--follow:go on with new lines'
        '-f:go on with new lines'
        '--lines:print the last N lines; default all, with -f 10'
        '-n:print the last N lines; default all, with -f 10'
        '--since:print what is newer than TIME\: 10m, 2h, 3d or 2006-01-02T15\:04\:05Z'
        '--json:print JSON'
        '--help:show help')
      found+=(${(f)"$(ros service list --quiet 2>/dev/null)"})
      ;;
    "ros config")
      found=(
        'get:print the value at a key'
        'set:give a key a value'
        'unset:take a key away'
        'append:add to a list'
        'remove:take an item out of a list'
        'merge:merge a cloud-config into the machine'\''s own'
        'edit:edit the machine'\''s own configuration (root only)'
        'export:print the configuration as one cloud-config'
        'validate:check cloud-configs; needs neither root nor Pharos'
        'diff:say what applying the configuration would change'
        'apply:bring the running machine to its configuration'
        'confirm:keep the configuration that is on trial'
        'history:list what the machine'\''s own configuration was'
        'rollback:bring back an older configuration'
        'schema:print the JSON schema of the configuration'
        'sources:say where the configuration comes from'
        '--help:show help')
      ;;
    "ros config get")
      found=(
        '--source:print where it was set instead\: layer and FILE\:LINE'
        '-s:print where it was set instead\: layer and FILE\:LINE'
        '--private:with secrets (root only)'
        '-p:with secrets (root only)'
        '--json:print JSON'
        '--help:show help')
      found+=($keys)
      ;;
    "ros config set")
      found=(
        '--json:print JSON'
        '--help:show help')
      found+=($keys)
      ;;
    "ros config unset")
      found=(
        '--json:print JSON'
        '--help:show help')
      found+=($keys)
      ;;
    "ros config append")
      found=(
        '--json:print JSON'
        '--help:show help')
      found+=($keys)
      ;;
    "ros config remove")
      found=(
        '--json:print JSON'
        '--help:show help')
      found+=($keys)
      ;;
    "ros config merge")
      case "${words[CURRENT-1]}" in --input|-i) _files; return ;; esac
      found=(
        '--input:read FILE instead of standard input'
        '-i:read FILE instead of standard input'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros config edit")
      found=(
        '--help:show help')
      ;;
    "ros config export")
      case "${words[CURRENT-1]}" in --output|-o) _files; return ;; esac
      found=(
        '--full:with the defaults'
        '-f:with the defaults'
        '--private:with secrets (root only)'
        '-p:with secrets (root only)'
        '--output:write to FILE'
        '-o:write to FILE'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros config validate")
      case "${words[CURRENT-1]}" in --input|-i) _files; return ;; esac
      found=(
        '--input:check FILE (- is standard input); may be repeated'
        '-i:check FILE (- is standard input); may be repeated'
        '--layer:warn about what has no effect in layer NAME\: iso, user-data, cloud-config, …'
        '-l:warn about what has no effect in layer NAME\: iso, user-data, cloud-config, …'
        '--strict:end with 1 if there is a warning, too'
        '--json:print JSON'
        '--help:show help')
      _files
      ;;
    "ros config diff")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros config apply")
      found=(
        '--try:go back after TIME (60s, 5m) unless confirmed'
        '-t:go back after TIME (60s, 5m) unless confirmed'
        '--yes:also do what cannot be undone'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros config confirm")
      found=(
        '--help:show help')
      ;;
    "ros config history")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros config rollback")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros config schema")
      found=(
        '--help:show help')
      ;;
    "ros config sources")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros network")
      found=(
        'status:show links, addresses, routes and names, and where each is from'
        'plan:say what applying the network'\''s configuration would change'
        'apply:bring the network to its configuration'
        'renew:ask for a link'\''s leases anew'
        '--help:show help')
      ;;
    "ros network status")
      found=(
        '--quiet:print the names of links only'
        '-q:print the names of links only'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros network plan")
      found=(
        '--json:print JSON'
        '--help:show help')
      _files
      ;;
    "ros network apply")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros network renew")
      found=(
        '--json:print JSON'
        '--help:show help')
      found+=(${(f)"$(ros network status --quiet 2>/dev/null)"})
      ;;
    "ros engine")
      found=(
        'swarm:show the swarm, its tokens and keys'
        '--help:show help')
      ;;
    "ros engine swarm")
      found=(
        'status:show this machine'\''s part in the swarm, and on a manager all nodes'
        'token:print the join tokens, as a configuration; on a manager, as root'
        'unlock:unlock this manager'\''s keys; the unlock key is read from the terminal or standard input'
        'unlock-key:print the key that unlocks managers; on a manager, as root'
        '--help:show help')
      ;;
    "ros engine swarm status")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros engine swarm token")
      found=(
        '--rotate:make a new token first'
        '--quiet:print the token alone'
        '-q:print the token alone'
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros engine swarm unlock")
      found=(
        '--help:show help')
      ;;
    "ros engine swarm unlock-key")
      found=(
        '--help:show help')
      ;;
    "ros docker")
      found=(
        'doctor:find what containers lose at the next boot, and what they miss'
        '--help:show help')
      ;;
    "ros docker doctor")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros version")
      found=(
        '--json:print JSON'
        '--help:show help')
      ;;
    "ros completion")
      found=(
        'bash:'
        'zsh:'
        'fish:'
        '--help:show help')
      ;;
  esac
  _describe ros found
}
compdef _ros ros
