# What stands in /etc/systemd/system goes before the unit of the same name that this package brings (systemd.unit(5)). That
# is an admin's edit of it (systemctl edit --full), which runs this program and counts as ours, or it is of an earlier
# installation and not touched from here. A mask, which is a link to /dev/null or an empty file, is neither.
is_in_etc() {
	[ -s "/etc/systemd/system/$1" ]
}

# Whether the unit is in /etc and is, or starts, a service that runs something else than this package's program.
is_foreign() {
	is_in_etc "$1" || return 1
	service="${1%.*}.service"
	started=$(sed -n 's/^[[:space:]]*Unit[[:space:]]*=[[:space:]]*//p' "/etc/systemd/system/$1")
	[ "${started:-$service}" = "$service" ] || return 0
	program='^[[:space:]]*ExecStart[[:space:]]*=(.*[^[:alnum:]._/])?/usr/bin/etcd-defrag([^[:alnum:]._-]|$)'
	is_in_etc "$service" && ! grep -Eq "$program" "/etc/systemd/system/$service"
}

# Whether enabling the unit would set an earlier installation to work. The units that go with npm's copy name the program as
# ours do; that copy itself tells of them.
is_earlier() {
	is_foreign "$1" || is_foreign "${1%.*}.service" || {
		[ -d /usr/lib/node_modules/etcd-defrag ] && { is_in_etc "$1" || is_in_etc "${1%.*}.service"; }
	}
}

# Says what is left of an installation by hand, or with npm, and how to retire it. It is never touched from here.
tell_of_earlier() {
	found=''
	for unit in $units $runs; do
		if is_in_etc "$unit" && is_earlier "$unit"; then
			found="$found /etc/systemd/system/$unit"
		fi
	done
	if [ -n "$found" ]; then
		echo 'etcd-defrag: units of an earlier installation go before those of this package, which do nothing meanwhile:'
		echo "etcd-defrag:  $found"
		echo 'etcd-defrag: to retire them and have this package do the nightly job:'
		for unit in $units; do
			case $found in
			*"/$unit"*) echo "    systemctl disable --now $unit" ;;
			esac
		done
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
