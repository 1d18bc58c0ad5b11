# Brings chunks from standard input into the station of its folder, when it is their turn.
# usage: enter [now]: now ends who brings chunks already
cd "${0%/*}" || exit 1
IFS= read -r header || exit 0
trap '' HUP
[ "$1" = now ] && turn=now || turn=
set -- $header
seq=$2
[ -z "$turn" ] || { read -r pid <turn/pid && kill -s KILL "$pid"; } 2>/dev/null
tries=0
while :; do
	session=0 next=0
	read -r session next _ 2>/dev/null <state
	[ "$seq" -ge "$next" ] || { echo "the station has chunk $seq already" >&2; exit 3; }
	if [ "$seq" = "$next" ] && [ -p "in.$session" ] && [ ! -e "used.$session" ]; then
		# one at a time; who died in the middle does not count
		if mkdir turn 2>/dev/null; then
			echo $$ >turn/pid
			break
		fi
		read -r pid 2>/dev/null <turn/pid && [ ! -d "/proc/$pid" ] && rm -rf turn
	fi
	tries=$((tries + 1))
	[ $tries -lt 600 ] && [ -e lease ] || { echo "chunk $seq never had its turn" >&2; exit 4; }
	sleep 0.1 2>/dev/null || sleep 1
done
: >"used.$session"
rm -f "used.$((session - 1))"
exec >"in.$session"
printf '%s\n' "$header"
exec cat
