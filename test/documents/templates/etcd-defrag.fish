# Completion of etcd-defrag for fish.
# Made by npm run docs from the tables of options and commands.

# The words before the cursor that are neither flags nor their values, a line each.
function __etcd_defrag_words
    set -l last
    for word in (commandline -opc)[2..-1]
        if test -n "$last"
            set last
        else if contains -- $word @WITH_VALUE@
            set last $word
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

# Whether the line is about one of these commands; run where it names none.
function __etcd_defrag_is
    set -l words (__etcd_defrag_words)
    set -q words[1]; or set words run
    contains -- $words[1] @FAMILIES@; or set words $words[1]
    contains -- "$words[1..2]" $argv
end

# Whether the line has these words and no other, or none.
function __etcd_defrag_after
    test "$(__etcd_defrag_words | string join ' ')" = "$argv"
end

# Whether one of these flags is there already; not the one whose value is being completed.
function __etcd_defrag_has
    set -l before (commandline -opc)[2..-1]
    contains -- "$before[-1]" @WITH_VALUE@; and set -e before[-1]
    for flag in $argv
        string match -q -- $flag $before; and return
        string match -q -- "$flag=*" $before; and return
    end
    return 1
end

complete -c etcd-defrag -f
@WORDS@
@SECOND_WORDS@
@WITH_FILE@
@FLAGS@
