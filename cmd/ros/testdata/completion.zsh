#compdef ros
# zsh completion of ros, made by: ros completion zsh
_ros() {
  local at=ros word
  local -a found
  for word in ${words[2,CURRENT-1]}; do
    case "$at $word" in
      "ros status"|"ros boot"|"ros service"|"ros service list"|"ros service logs"|"ros service start"|"ros service stop"|"ros service restart"|"ros service ps"|"ros logs"|"ros config"|"ros config get"|"ros config export"|"ros config validate"|"ros version"|"ros completion") at="$at $word" ;;
    esac
  done
  case "$at" in
    "ros")
      found=(
        'status:show how the machine is; exit code 0 only when it is ready'
        'boot:show what the boot did when'
        'service:list and control the system'\''s services'
        'logs:print the logs of the system, the kernel or one service'
        'config:show and check the configuration'
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
        'export:print the configuration as one cloud-config'
        'validate:check cloud-configs; needs neither root nor Pharos'
        '--help:show help')
      ;;
    "ros config get")
      found=(
        '--private:with secrets (root only)'
        '-p:with secrets (root only)'
        '--json:print JSON'
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
        '--json:print JSON'
        '--help:show help')
      _files
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
