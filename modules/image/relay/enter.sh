# Brings chunks from standard input into the station of its folder, when it is their turn.
# usage: enter [now]: now ends who brings chunks already
# Who brings them is not trusted. One process has the turn of a session, by the file turn.S; it is never given again.
cd "${0%/*}" || exit 1
set -f
header=$(dd bs=96 count=1 iflag=fullblock 2>/dev/null)
[ -n "$header" ] || exit 0
trap '' HUP
now=$1
set -- $header
seq=$2
case $seq in
'' | *[!0-9]* | ?????????*) echo "that is no chunk" >&2; exit 2 ;;
esac
while :; do
	session=0 next=0 whole=
	read -r session next _ _ whole 2>/dev/null <state || [ -e lease ] || { echo "there is no station any more" >&2; exit 4; }
	[ "$session.$next" = "$whole" ] || session=0 next=0 # not yet, or just being written
	[ "$seq" -ge "$next" ] || { echo "the station has chunk $seq already" >&2; exit 3; }
	pid=
	if read -r pid 2>/dev/null <"turn.$session"; then
		[ "$now" != now ] || [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
		# who died before the first byte left the station waiting for it
		[ -z "$pid" ] || [ -d "/proc/$pid" ] || [ ! -p "in.$session" ] || : <>"in.$session"
	elif [ "$seq" = "$next" ] && [ -p "in.$session" ] && (set -C && echo $$ >"turn.$session") 2>/dev/null; then
		break
	fi
	now=
	sleep 0.1 2>/dev/null || sleep 1
done
exec >"in.$session"
printf '%-95s\n' "$header"
exec cat
