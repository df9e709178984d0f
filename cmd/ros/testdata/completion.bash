# bash completion of ros, made by: ros completion bash
_ros() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=ros words= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      "ros s") path="ros service" ;;
      "ros service ls") path="ros service list" ;;
      "ros c") path="ros config" ;;
      "ros net") path="ros network" ;;
      "ros status"|"ros boot"|"ros service"|"ros service list"|"ros service logs"|"ros service start"|"ros service stop"|"ros service restart"|"ros service ps"|"ros logs"|"ros config"|"ros config get"|"ros config set"|"ros config unset"|"ros config append"|"ros config remove"|"ros config merge"|"ros config edit"|"ros config export"|"ros config validate"|"ros config diff"|"ros config apply"|"ros config confirm"|"ros config history"|"ros config rollback"|"ros config schema"|"ros config sources"|"ros network"|"ros network status"|"ros network plan"|"ros network apply"|"ros network renew"|"ros engine"|"ros engine swarm"|"ros engine swarm status"|"ros engine swarm token"|"ros engine swarm unlock"|"ros engine swarm unlock-key"|"ros docker"|"ros docker doctor"|"ros version"|"ros completion") path="$path $word" ;;
    esac
  done
  local keys='KEYS'
  case "$path" in
    "ros")
      words='status boot service logs config network engine docker version completion --help'
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
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
      ;;
    "ros service start")
      words='--help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
      ;;
    "ros service stop")
      words='--help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
      ;;
    "ros service restart")
      words='--help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
      ;;
    "ros service ps")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
      ;;
    "ros logs")
      words='system kernel --follow -f --lines -n --since --json --help'
      [[ $cur == -* ]] || words="$words $(ros service list --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
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
      words='--try -t --yes --json --help'
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
    "ros network")
      words='status plan apply renew --help'
      ;;
    "ros network status")
      words='--quiet -q --json --help'
      ;;
    "ros network plan")
      words='--json --help'
      [[ $cur == -* ]] || { COMPREPLY=($(compgen -f -- "$cur")); return; }
      ;;
    "ros network apply")
      words='--json --help'
      ;;
    "ros network renew")
      words='--json --help'
      [[ $cur == -* ]] || words="$words $(ros network status --quiet 2>/dev/null | grep -x '[A-Za-z0-9_.:@-]*')"
      ;;
    "ros engine")
      words='swarm --help'
      ;;
    "ros engine swarm")
      words='status token unlock unlock-key --help'
      ;;
    "ros engine swarm status")
      words='--json --help'
      ;;
    "ros engine swarm token")
      words='--rotate --quiet -q --json --help'
      ;;
    "ros engine swarm unlock")
      words='--help'
      ;;
    "ros engine swarm unlock-key")
      words='--help'
      ;;
    "ros docker")
      words='doctor --help'
      ;;
    "ros docker doctor")
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
