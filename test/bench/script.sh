#!/usr/bin/env bash
# The steps that operators have long put into a script of their own, in their order and with their waits: followers one
# after the other, leadership to one of them, the former leader, snapshot, xz, fstrim. Written anew to be measured; it
# checks as little as such scripts do. ETCDCTL_CACERT and its like come from the environment; prints `PHASE SECONDS` as
# each phase begins.
set -uo pipefail
export LC_ALL=C
etcdctl=$1 endpoint=$2 archive=$3 disk=$4
say() { echo "$1 $EPOCHREALTIME"; }

say followers
members=$("$etcdctl" --endpoints="$endpoint" endpoint status --cluster)
mapfile -t followers < <(awk -F', ' '$5 == "false" { print $1 " " $2 }' <<<"$members")
leader=$(awk -F', ' '$5 == "true" { print $1 }' <<<"$members")
for follower in "${followers[@]}"; do
  "$etcdctl" --endpoints="${follower% *}" defrag
done

say move
"$etcdctl" --endpoints="$leader" move-leader "${followers[0]#* }"
sleep 2

say leader
"$etcdctl" --endpoints="$leader" defrag
sleep 3

say snapshot
"$etcdctl" --endpoints="$leader" snapshot save "${archive%.xz}"
say compress
xz -f "${archive%.xz}"
say trim
if [ -n "$disk" ]; then fstrim -v "$disk"; fi
say end
