# Refuses, before any file is there, a machine that this package cannot run on. dpkg and rpm refuse most of them by
# themselves; this is for --force-architecture, --nodeps and a libc that they know nothing of.
refuse() {
	echo "etcd-defrag: $1; nothing was installed" >&2
	exit 1
}

check_platform() {
	machine=$(uname -m)
	[ "$machine" = "@UNAME@" ] ||
		refuse "this package is for @UNAME@, and this machine is $machine: take the package made for it"
	libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1) || libc=''
	case $libc in
	glibc\ 2.*)
		minor=${libc#glibc 2.}
		[ "${minor%%[!0-9]*}" -ge "@GLIBC_MINOR@" ] ||
			refuse "glibc 2.@GLIBC_MINOR@ or later is needed, and this machine has 2.$minor: a newer release of the distribution has it"
		;;
	*musl*) refuse "glibc 2.@GLIBC_MINOR@ or later is needed, and this machine has musl, which the bundled Node does not run on" ;;
	esac # neither is told where there is no getconf, and the dependencies have been looked at
}
