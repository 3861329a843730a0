# Completion of etcd-defrag for fish.
# Made by npm run docs from the tables of options and commands.

# The words before the cursor that are neither flags nor their values, a line each.
function __etcd_defrag_words
    set -l last
    for word in (commandline -opc)[2..-1]
        if test -n "$last"
            set last
        else if contains -- $word --endpoints --cacert --cert --key --user --password --password-file --tls-server-name --dial-timeout --command-timeout --defrag-timeout --settle-timeout --pause --min-uptime --max-stall --backup-path --backup-keep --backup-keep-daily --backup-keep-weekly --data-dir --coordination-prefix --min-interval --wait --state-dir --schedule --timezone --output --config --for --reason --scope --name --initial-cluster --initial-advertise-peer-urls --initial-cluster-token --bump-revision --runtime --etcdutl --etcd --drill-dir
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
    contains -- $words[1] backup daemon; or set words $words[1]
    contains -- "$words[1..2]" $argv
end

# Whether the line has these words and no other, or none.
function __etcd_defrag_after
    test "$(__etcd_defrag_words | string join ' ')" = "$argv"
end

# Whether one of these flags is there already; not the one whose value is being completed.
function __etcd_defrag_has
    set -l before (commandline -opc)[2..-1]
    contains -- "$before[-1]" --endpoints --cacert --cert --key --user --password --password-file --tls-server-name --dial-timeout --command-timeout --defrag-timeout --settle-timeout --pause --min-uptime --max-stall --backup-path --backup-keep --backup-keep-daily --backup-keep-weekly --data-dir --coordination-prefix --min-interval --wait --state-dir --schedule --timezone --output --config --for --reason --scope --name --initial-cluster --initial-advertise-peer-urls --initial-cluster-token --bump-revision --runtime --etcdutl --etcd --drill-dir; and set -e before[-1]
    for flag in $argv
        string match -q -- $flag $before; and return
        string match -q -- "$flag=*" $before; and return
    end
    return 1
end

complete -c etcd-defrag -f
complete -c etcd-defrag -n __etcd_defrag_after -a run -d 'do the nightly job now (also without any command)'
complete -c etcd-defrag -n __etcd_defrag_after -a plan -d 'show what a run would do now, step by step and why, and touch nothing'
complete -c etcd-defrag -n __etcd_defrag_after -a status -d 'show the members, their sizes and their health, the last run and a pause'
complete -c etcd-defrag -n __etcd_defrag_after -a backup -d 'create, list, verify, show, restore, drill'
complete -c etcd-defrag -n __etcd_defrag_after -a holds-etcd -d 'say whether this node holds an etcd, or one is configured'
complete -c etcd-defrag -n __etcd_defrag_after -a daemon -d 'stay, and start a run whenever --schedule says'
complete -c etcd-defrag -n __etcd_defrag_after -a pause -d 'let no run begin for a while, at this cluster or on this node'
complete -c etcd-defrag -n __etcd_defrag_after -a resume -d 'end a pause'
complete -c etcd-defrag -n '__etcd_defrag_after backup' -a create -d 'back up the local member now, whether it leads or not, and defragment nothing'
complete -c etcd-defrag -n '__etcd_defrag_after backup' -a list -d 'show the backup and the earlier ones beside it, and whether they are whole'
complete -c etcd-defrag -n '__etcd_defrag_after backup' -a verify -d 'read a backup to its end and check all of it'
complete -c etcd-defrag -n '__etcd_defrag_after backup' -a show -d 'show what is in a backup, with the hash of etcdutl snapshot status'
complete -c etcd-defrag -n '__etcd_defrag_after backup' -a restore -d 'make a member\'s data directory from a backup and swap it in, the old one set aside'
complete -c etcd-defrag -n '__etcd_defrag_after backup' -a drill -d 'try a backup: restore it aside, start etcd on it, read it, and remove all again'
complete -c etcd-defrag -n '__etcd_defrag_after daemon' -a settings -d 'print what the daemon goes by, as JSON: schedule, next runs, the words of each run'
complete -c etcd-defrag -n '__etcd_defrag_after backup verify' -F
complete -c etcd-defrag -n '__etcd_defrag_after backup show' -F
complete -c etcd-defrag -n '__etcd_defrag_after backup restore' -F
complete -c etcd-defrag -n '__etcd_defrag_after backup drill' -F
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" holds-etcd daemon "daemon settings" pause resume' -l endpoints -x -d 'client URLs of etcd (http://127.0.0.1:2379)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --cacert' -l cacert -r -F -d 'certificates of the authorities that sign the members\' certificates'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --cert' -l cert -r -F -d 'client certificate'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --key' -l key -r -F -d 'key of the client certificate'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup drill" daemon "daemon settings" pause resume; and not __etcd_defrag_has --user' -l user -x -d 'etcd user, where authentication is on'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --password' -l password -x -d 'password of the user'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup drill" daemon "daemon settings" pause resume; and not __etcd_defrag_has --password-file' -l password-file -r -F -d 'file whose first line is the password of the user'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --insecure-skip-tls-verify' -l insecure-skip-tls-verify -d 'accept any certificate from the members'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --tls-server-name' -l tls-server-name -x -d 'name to look for in the members\' certificates instead of the host in the URL'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --dial-timeout' -l dial-timeout -x -d 'longest wait for a connection (2s)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --command-timeout' -l command-timeout -x -d 'longest wait for an answer to anything but Defragment and Snapshot (5s)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --defrag-timeout' -l defrag-timeout -x -d 'longest wait for a Defragment to be answered (10m)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --settle-timeout' -l settle-timeout -x -d 'longest wait for the members to be ready again after a step (1m)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --pause' -l pause -x -d 'wait so long between one member and the next (0s)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --min-uptime' -l min-uptime -x -d 'leave a member to itself until it has been up for so long (30s)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --max-stall' -l max-stall -x -d 'do not defragment a member that would be out for longer (1m)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --no-disarm' -l no-disarm -d 'do not take NOSPACE alarms back once their members are below their quota'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --no-backup' -l no-backup -d 'do not write a verified backup of the local member'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup list" "backup verify" "backup show" "backup drill" daemon "daemon settings"; and not __etcd_defrag_has --backup-path' -l backup-path -r -F -d 'where the backup goes, to be replaced only by a verified one, and the one that is looked at where no FILE is named (/root/etcd-backup.xz)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --backup-keep' -l backup-keep -x -d 'how many archives are kept: the newest at --backup-path, earlier ones beside it under dated names (1)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --backup-keep-daily' -l backup-keep-daily -x -d 'keep the newest archive of each of the last N days (UTC) too (0)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --backup-keep-weekly' -l backup-keep-weekly -x -d 'keep the newest archive of each of the last N weeks (from Monday, UTC) too (0)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --no-trim' -l no-trim -d 'do not run fstrim on the file system of the data directory'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup restore" "backup drill" holds-etcd daemon "daemon settings"; and not __etcd_defrag_has --data-dir' -l data-dir -x -a '(__fish_complete_directories (commandline -ct))' -d 'data directory of the local member (/var/lib/etcd)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --no-coordination' -l no-coordination -d 'do not keep other nodes\' runs away with a lock in etcd, and leave a record of the run there'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --coordination-prefix' -l coordination-prefix -x -d 'where lock, record and pause are in etcd (/etcd-defrag)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --min-interval' -l min-interval -x -d 'do nothing when a run completed less than this ago (1h)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --wait' -l wait -x -d 'wait so long for another run at this cluster to end, instead of leaving at once'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings" pause resume; and not __etcd_defrag_has --state-dir' -l state-dir -x -a '(__fish_complete_directories (commandline -ct))' -d 'where the pause of this node is kept, and when the daemon last looked at its schedule (/var/lib/etcd-defrag)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --force-single' -l force-single -d 'run on a cluster with a single voting member too: it is out while it is defragmented'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --force-unhealthy' -l force-unhealthy -d 'run although members are unhealthy: those that cannot be reached are skipped'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --force-nonleader' -l force-nonleader -d 'run although the local member is not the leader'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status daemon "daemon settings"; and not __etcd_defrag_has --force-version' -l force-version -d 'run although a version of etcd is known to lose data when it is defragmented'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" daemon "daemon settings"; and not __etcd_defrag_has --force-disk' -l force-disk -d 'run although this node\'s disks may have no room for the copy of a defragmentation or for the archive'
complete -c etcd-defrag -n '__etcd_defrag_is daemon "daemon settings"; and not __etcd_defrag_has --schedule' -l schedule -x -d 'when the daemon starts a run: minute, hour, day of the month, month and day of the week, as in crontab(5) (30 2 * * *)'
complete -c etcd-defrag -n '__etcd_defrag_is daemon "daemon settings"; and not __etcd_defrag_has --timezone' -l timezone -x -d 'time zone of the schedule, such as Europe/Berlin, instead of this node\'s own'
complete -c etcd-defrag -n '__etcd_defrag_is daemon "daemon settings"; and not __etcd_defrag_has --catch-up' -l catch-up -d 'start a run that was missed as soon as can be, once however many were missed'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup list" "backup verify" "backup show" "backup restore" "backup drill" holds-etcd daemon "daemon settings" pause resume; and not __etcd_defrag_has --output' -l output -x -a 'text json' -d 'for people, or one JSON document on standard output (text)'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup list" "backup verify" "backup show" "backup restore" "backup drill" holds-etcd daemon "daemon settings" pause resume; and not __etcd_defrag_has --config' -l config -r -F -d 'configuration file (/etc/etcd-defrag/config.yaml)'
complete -c etcd-defrag -n '__etcd_defrag_is status; and not __etcd_defrag_has --show-config' -l show-config -d 'every option, its value and where it came from'
complete -c etcd-defrag -n '__etcd_defrag_is pause; and not __etcd_defrag_has --for' -l for -x -d 'how long (4h)'
complete -c etcd-defrag -n '__etcd_defrag_is pause; and not __etcd_defrag_has --reason' -l reason -x -d 'why, for whoever wonders'
complete -c etcd-defrag -n '__etcd_defrag_is pause resume; and not __etcd_defrag_has --scope' -l scope -x -a 'cluster node' -d 'every start at this cluster, or those on this node (cluster)'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --plan' -l plan -d 'print what to do on every node, command by command, and touch nothing'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --name' -l name -x -d 'which member this node is'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --initial-cluster' -l initial-cluster -x -d 'the members to begin with and their peer URLs, instead of those of when the backup was made'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --initial-advertise-peer-urls' -l initial-advertise-peer-urls -x -d 'this member\'s peer URLs, instead of those that the cluster has for its name'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --initial-cluster-token' -l initial-cluster-token -x -d 'the same on all nodes and another one than ever before, instead of one made from the archive'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --bump-revision --no-bump-revision' -l bump-revision -x -d 'move the revision forward by so many, so that Kubernetes\' watchers see no step back (1000000000)'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --no-bump-revision --bump-revision' -l no-bump-revision -d 'go on from the revision of the archive'
complete -c etcd-defrag -n '__etcd_defrag_is "backup verify" "backup restore" "backup drill"; and not __etcd_defrag_has --force-no-hash' -l force-no-hash -d 'take a file that ends without etcd\'s SHA-256, such as a copy of a member\'s own'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore"; and not __etcd_defrag_has --runtime' -l runtime -x -a 'static-pod systemd' -d 'what starts etcd on the nodes, for --plan'
complete -c etcd-defrag -n '__etcd_defrag_is "backup restore" "backup drill"; and not __etcd_defrag_has --etcdutl' -l etcdutl -r -F -d 'etcdutl or etcdctl to restore with, instead of the one found on this node'
complete -c etcd-defrag -n '__etcd_defrag_is "backup drill"; and not __etcd_defrag_has --etcd' -l etcd -r -F -d 'etcd to start, instead of the one found on this node'
complete -c etcd-defrag -n '__etcd_defrag_is "backup drill"; and not __etcd_defrag_has --if-any' -l if-any -d 'where there is no backup and no earlier one, say so and end with 0'
complete -c etcd-defrag -n '__etcd_defrag_is "backup drill"; and not __etcd_defrag_has --drill-dir' -l drill-dir -x -a '(__fish_complete_directories (commandline -ct))' -d 'where the database is restored for the time of the drill'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup list" "backup verify" "backup show" "backup restore" "backup drill" holds-etcd daemon "daemon settings" pause resume; and not __etcd_defrag_has --help' -l help -s h -d 'show the options'
complete -c etcd-defrag -n '__etcd_defrag_is run plan status "backup create" "backup list" "backup verify" "backup show" "backup restore" "backup drill" holds-etcd daemon "daemon settings" pause resume; and not __etcd_defrag_has --version' -l version -d 'show the version'
