# Ends the station and takes away all that it needed. dir, home and name stand in the lines above.
cd "$dir" 2>/dev/null || exit 0
trap '' TERM HUP
for keys in "$home/.ssh/authorized_keys"; do
	grep -q " antdbctl-$name\$" "$keys" 2>/dev/null || continue
	keys=$(readlink -f "$keys")
	cp -p "$keys" "$keys.antdbctl" && {
		grep -v " antdbctl-$name\$" "$keys" >"$keys.antdbctl"
		if [ -s "$keys.antdbctl" ]; then mv "$keys.antdbctl" "$keys"; else rm -f "$keys" "$keys.antdbctl"; fi
	}
done
read -r hop 2>/dev/null <hop.pid && kill -s TERM -- "-$hop" 2>/dev/null
read -r group 2>/dev/null <pid
[ -z "$group" ] || kill -s TERM -- "-$group" 2>/dev/null
# what loads may have something to put back in order
tries=0
while read -r load 2>/dev/null <load.pid && [ -d "/proc/$load" ] && [ $tries -lt 50 ]; do
	sleep 0.1 2>/dev/null || sleep 1
	tries=$((tries + 1))
done
cd / && rm -rf "$dir"
[ -z "$group" ] || kill -s KILL -- "-$group" 2>/dev/null
exit 0
