# shellcheck shell=bash
# Completion of etcd-defrag for bash, with and without the bash-completion package.
# Made by npm run docs from the tables of options and commands.

_etcd_defrag() {
  COMPREPLY=()
  # bash cuts words at = and : too (COMP_WORDBREAKS): what has no space between is one word again.
  local -a line=()
  local rest=${COMP_LINE:0:COMP_POINT} stripped i
  rest=${rest#*"${COMP_WORDS[0]}"}
  for ((i = 1; i <= COMP_CWORD; i++)); do
    stripped=${rest#"${rest%%[![:space:]]*}"}
    if [[ $i -gt 1 && $stripped == "$rest" ]]; then
      line[-1]+=${COMP_WORDS[i]}
    else
      line+=("${COMP_WORDS[i]}")
    fi
    rest=${stripped#"${COMP_WORDS[i]}"}
  done
  local part=${line[-1]-}
  unset 'line[-1]'

  # The command is the first word that is neither a flag nor the value of one, or the first two.
  local command='' count=0 last='' word
  for word in "${line[@]}"; do
    if [[ -n $last ]]; then
      last=''
      continue
    fi
    case $word in
    --endpoints | --cacert | --cert | --key | --user | --password | --password-file | --tls-server-name | --dial-timeout | --command-timeout | --defrag-timeout | --settle-timeout | --pause | --min-uptime | --max-stall | --backup-path | --backup-keep | --backup-keep-daily | --backup-keep-weekly | --data-dir | --coordination-prefix | --min-interval | --wait | --state-dir | --schedule | --timezone | --output | --config | --for | --reason | --scope | --name | --initial-cluster | --initial-advertise-peer-urls | --initial-cluster-token | --bump-revision | --runtime | --etcdutl | --etcd | --drill-dir)
      last=$word ;;
    -*) ;;
    *)
      ((++count))
      if ((count == 1)); then
        command=$word
      elif ((count == 2)); then
        case $command in
        backup | daemon) command+=" $word" ;;
        esac
      fi ;;
    esac
  done

  # The value of a flag. Where bash cuts at =, it completes what is behind it.
  local words='' before=''
  if [[ -z $last && $part == --*=* ]]; then
    last=${part%%=*}
    part=${part#*=}
    [[ $COMP_WORDBREAKS == *=* ]] || before=$last=
  fi
  if [[ -n $last ]]; then
    case $last in
    --cacert | --cert | --key | --password-file | --backup-path | --config | --etcdutl | --etcd)
      compopt -o default
      return ;;
    --data-dir | --state-dir | --drill-dir)
      compopt -o dirnames
      return ;;
    --output) words='text json' ;;
    --scope) words='cluster node' ;;
    --runtime) words='static-pod systemd' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$words" -- "$part")
    return
  fi

  local given
  if [[ $part == -* ]]; then
    case ${command:-run} in
    run | plan)
      words='--endpoints --cacert --cert --key --user --password --password-file --insecure-skip-tls-verify --tls-server-name --dial-timeout --command-timeout --defrag-timeout --settle-timeout --pause --min-uptime --max-stall --no-disarm --no-backup --backup-path --backup-keep --backup-keep-daily --backup-keep-weekly --no-trim --data-dir --no-coordination --coordination-prefix --min-interval --wait --state-dir --force-single --force-unhealthy --force-nonleader --force-version --force-disk --output --config --help --version' ;;
    status)
      words='--endpoints --cacert --cert --key --user --password --password-file --insecure-skip-tls-verify --tls-server-name --dial-timeout --command-timeout --defrag-timeout --settle-timeout --pause --min-uptime --max-stall --no-disarm --no-backup --backup-path --backup-keep --backup-keep-daily --backup-keep-weekly --no-trim --data-dir --no-coordination --coordination-prefix --min-interval --wait --state-dir --force-single --force-unhealthy --force-nonleader --force-version --force-disk --output --config --show-config --help --version' ;;
    'backup create')
      words='--endpoints --cacert --cert --key --user --password --password-file --insecure-skip-tls-verify --tls-server-name --dial-timeout --command-timeout --settle-timeout --backup-path --backup-keep --backup-keep-daily --backup-keep-weekly --no-coordination --coordination-prefix --wait --state-dir --force-unhealthy --force-disk --output --config --help --version' ;;
    'backup list' | 'backup show')
      words='--backup-path --output --config --help --version' ;;
    'backup verify')
      words='--backup-path --output --config --force-no-hash --help --version' ;;
    'backup restore')
      words='--data-dir --output --config --plan --name --initial-cluster --initial-advertise-peer-urls --initial-cluster-token --bump-revision --no-bump-revision --force-no-hash --runtime --etcdutl --help --version' ;;
    'backup drill')
      words='--user --password-file --backup-path --data-dir --output --config --force-no-hash --etcdutl --etcd --if-any --drill-dir --help --version' ;;
    holds-etcd)
      words='--endpoints --data-dir --output --config --help --version' ;;
    daemon | 'daemon settings')
      words='--endpoints --cacert --cert --key --user --password --password-file --insecure-skip-tls-verify --tls-server-name --dial-timeout --command-timeout --defrag-timeout --settle-timeout --pause --min-uptime --max-stall --no-disarm --no-backup --backup-path --backup-keep --backup-keep-daily --backup-keep-weekly --no-trim --data-dir --no-coordination --coordination-prefix --min-interval --wait --state-dir --force-single --force-unhealthy --force-nonleader --force-version --force-disk --schedule --timezone --catch-up --output --config --help --version' ;;
    pause)
      words='--endpoints --cacert --cert --key --user --password --password-file --insecure-skip-tls-verify --tls-server-name --dial-timeout --command-timeout --coordination-prefix --state-dir --output --config --for --reason --scope --help --version' ;;
    resume)
      words='--endpoints --cacert --cert --key --user --password --password-file --insecure-skip-tls-verify --tls-server-name --dial-timeout --command-timeout --coordination-prefix --state-dir --output --config --scope --help --version' ;;
    esac
    # What is there already is not offered again, nor is its opposite.
    for word in "${line[@]}"; do
      given=${word%%=*}
      case $given in
      --endpoints) continue ;;
      --bump-revision) given='--bump-revision --no-bump-revision' ;;
      --no-bump-revision) given='--no-bump-revision --bump-revision' ;;
      esac
      for given in $given; do
        words=" $words "
        words=${words/" $given "/ }
      done
    done
  elif ((count == 0)); then
    words='run plan status backup holds-etcd daemon pause resume'
  elif ((count == 1)); then
    case $command in
    backup) words='create list verify show restore drill' ;;
    daemon) words='settings' ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$part")

  # One file, behind the words of a command that works on one.
  [[ $part == -* || ${#COMPREPLY[@]} -gt 0 ]] && return
  case $command in
  'backup verify' | 'backup show' | 'backup restore' | 'backup drill')
    if [[ $command == *' '* ]]; then
      ((count == 2)) && compopt -o default
    else
      ((count == 1)) && compopt -o default
    fi ;;
  esac
}

complete -F _etcd_defrag etcd-defrag
