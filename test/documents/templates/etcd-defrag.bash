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
    @WITH_VALUE@)
      last=$word ;;
    -*) ;;
    *)
      ((++count))
      if ((count == 1)); then
        command=$word
      elif ((count == 2)); then
        case $command in
        @FAMILIES@) command+=" $word" ;;
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
    @FILE_FLAGS@)
      compopt -o default
      return ;;
    @FOLDER_FLAGS@)
      compopt -o dirnames
      return ;;
@CHOICES@
    esac
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$words" -- "$part")
    return
  fi

  local given
  if [[ $part == -* ]]; then
    case ${command:-run} in
@FLAGS@
    esac
    # What is there already is not offered again, nor is its opposite.
    for word in "${line[@]}"; do
      given=${word%%=*}
      case $given in
      @REPEATABLE@) continue ;;
@EXCLUDED@
      esac
      for given in $given; do
        words=" $words "
        words=${words/" $given "/ }
      done
    done
  elif ((count == 0)); then
    words='@WORDS@'
  elif ((count == 1)); then
    case $command in
@SECOND_WORDS@
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$part")

  # One file, behind the words of a command that works on one.
  [[ $part == -* || ${#COMPREPLY[@]} -gt 0 ]] && return
  case $command in
  @WITH_FILE@)
    if [[ $command == *' '* ]]; then
      ((count == 2)) && compopt -o default
    else
      ((count == 1)) && compopt -o default
    fi ;;
  esac
}

complete -F _etcd_defrag etcd-defrag
