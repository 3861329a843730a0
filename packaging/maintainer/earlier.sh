# What stands in /etc/systemd/system goes before the unit of the same name that this package brings (systemd.unit(5)).
# A mask, which is a link to /dev/null or an empty file, is an admin's decision and no unit.
is_shadowed() {
	[ -f "/etc/systemd/system/$1" ] && [ -s "/etc/systemd/system/$1" ]
}

# Says what is left of an installation by hand, or with npm, and how to retire it. It is never touched from here.
tell_of_earlier() {
	found=''
	for unit in etcd-defrag.service etcd-defrag.timer etcd-defrag-drill.service etcd-defrag-drill.timer; do
		if is_shadowed "$unit"; then
			found="$found /etc/systemd/system/$unit"
		fi
	done
	if [ -n "$found" ]; then
		echo 'etcd-defrag: units of an earlier installation go before those of this package, which do nothing meanwhile:'
		echo "etcd-defrag:  $found"
		echo 'etcd-defrag: to retire them and have this package do the nightly job:'
		echo '    systemctl disable --now etcd-defrag.timer'
		echo "    rm$found"
		echo '    systemctl daemon-reload'
		echo '    systemctl enable --now etcd-defrag.timer'
	fi
	for file in /etc/crontab /etc/cron.*/* /var/spool/cron/root /var/spool/cron/crontabs/root; do
		if [ -f "$file" ] && grep -q '^[^#]*etcd-defrag\.sh' "$file"; then
			echo "etcd-defrag: $file still runs etcd-defrag.sh: remove that line"
		fi
	done
	if [ -e /root/etcd-defrag.sh ]; then
		echo 'etcd-defrag: the script that this package replaces is still there; once nothing runs it any more:'
		echo '    rm /root/etcd-defrag.sh'
	fi
	if [ -d /usr/lib/node_modules/etcd-defrag ]; then
		echo 'etcd-defrag: the copy that npm installed is still there; nothing runs it any more once its units are retired:'
		echo '    rm -r /usr/lib/node_modules/etcd-defrag'
	fi
}
