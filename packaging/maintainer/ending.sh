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
