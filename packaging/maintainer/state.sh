# Removes what this program is known to have written in these folders, and then the folders. Whatever else is in them
# is somebody's, a backup for one, and stays.
remove_state() {
	for file in pause.json daemon.json; do
		rm -f "/var/lib/etcd-defrag/$file" "/var/lib/etcd-defrag/$file.partial"
	done
	rm -f /var/lib/etcd-defrag/.removed
	for lock in /run/etcd-defrag/*.lock; do
		# Without its file, the lock of a run that is under way would keep no other run away.
		[ ! -f "$lock" ] || flock --nonblock "$lock" rm -f "$lock" || true
	done
	for folder in "$@"; do
		if [ -d "$folder" ] && ! rmdir "$folder" 2>/dev/null; then
			# shellcheck disable=SC2012 # it is for people to read
			echo "etcd-defrag: $folder stays, with what is in use or not known to be of this package: $(ls -A "$folder" | tr '\n' ' ')"
		fi
	done
}
