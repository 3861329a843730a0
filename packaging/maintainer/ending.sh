# A run finishes the step that etcd would carry on with anyway; until then systemd waits.
tell_of_run() {
	for unit in $units $runs; do
		case $unit/$(systemctl show --property=ActiveState --value "$unit" 2>/dev/null) in
		*.service/activating | etcd-defrag-daemon.service/active)
			is_foreign "$unit" ||
				echo "etcd-defrag: $unit is at work; it is asked to end, and the step under way is waited for"
			;;
		esac
	done
}

# A run by hand, and one whose daemon was killed, is no unit's to stop. Before it began it has read all it needs of what
# goes now, and nobody knows what it is in the middle of.
tell_of_other_runs() {
	for lock in /run/etcd-defrag/*.lock; do
		if [ -f "$lock" ] && ! flock --nonblock "$lock" true; then
			echo "etcd-defrag: process $(cat "$lock") is in a run that was not started by a unit, or whose daemon was killed; it goes on to its end"
		fi
	done
}
