# Removes what this program is known to have written in these folders, and then the folders. Whatever else is in them
# is somebody's, a backup for one, and stays.
remove_state() {
	for file in pause.json daemon.json; do
		rm -f "/var/lib/etcd-defrag/$file" "/var/lib/etcd-defrag/$file.partial"
	done
	rm -f /var/lib/etcd-defrag/.removed
	rm -f /run/etcd-defrag/*.lock
	for folder in "$@"; do
		if [ -d "$folder" ] && ! rmdir "$folder" 2>/dev/null; then
			# shellcheck disable=SC2012 # it is for people to read
			echo "etcd-defrag: $folder stays, with what is not known to be of this package: $(ls -A "$folder" | tr '\n' ' ')"
		fi
	done
}
