# Ends the station and takes away all that it needed. The lines above say where, and know the door.
cd "$dir" 2>/dev/null || exit 0
trap '' TERM HUP
[ -n "$locked" ] || lock
shut_out
code=$?
[ -n "$locked" ] || unlock
read -r hop 2>/dev/null <hop.pid && kill -TERM "-$hop" 2>/dev/null
group=
read -r group 2>/dev/null <pid && [ "$(readlink "/proc/$group/cwd")" = "$dir" ] || group=
[ -z "$group" ] || kill -TERM "-$group" 2>/dev/null
# what loads may have something to put back in order
tries=0
while read -r load 2>/dev/null <load.pid && [ -d "/proc/$load" ] && [ $tries -lt 50 ]; do
	sleep 0.1 2>/dev/null || sleep 1
	tries=$((tries + 1))
done
read -r hop 2>/dev/null <hop.pid && kill -KILL "-$hop" 2>/dev/null
cd / || exit 1
# who still ends may put something there meanwhile
tries=0
until rm -rf "$dir" 2>/dev/null || [ $tries -ge 20 ]; do
	sleep 0.1 2>/dev/null || sleep 1
	tries=$((tries + 1))
done
[ ! -e "$dir" ] || { echo "$dir cannot be removed" >&2; code=1; }
[ -z "$group" ] || kill -KILL "-$group" 2>/dev/null
exit $code
