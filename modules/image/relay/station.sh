# A station receives a cargo chunk by chunk, feeds it to what loads it here, and passes it on to the next station.
# It outlives the connection that started it, so that a cargo goes on where it was cut.
# usage: station CHUNKS SIZE PATIENCE, in its folder and in a process group of its own
#
#   in.S    named pipe into which chunks come; S counts how often one was begun
#   turn.S  who brings them (see enter.sh)
#   out     named pipe towards the next station, when there is one (see hop.sh)
#   state   what the controller reads
#   lease   when the controller was last heard of, in seconds of uptime
chunks=$1 size=$2 patience=$3
umask 022
set -f
echo $$ >pid

mkfifo feed || exit 1
{
	sh ./load <feed >load.log 2>&1 &
	echo $! >load.pid
	wait $!
	echo $? >load.tmp
	mv load.tmp load.code
} &
loader=$!
exec 4>feed

deserted() {
	read -r heard <lease || return 0
	read -r now _ </proc/uptime
	[ $((${now%.*} - heard)) -ge "$patience" ]
}

# without a sign of the controller for long, nobody comes any more
(
	trap '' TERM
	while sleep 5; do
		deserted && { sh ./stop; kill -KILL "-$$"; }
	done
) >/dev/null 2>&1 4>&- &

trap '' HUP PIPE
if command -v openssl >/dev/null 2>&1; then hash='openssl dgst -sha256 -r'; else hash=sha256sum; fi # faster; slower
session=0 next=0 from=- took=0 passing=

# publish writes in place, without a process, and never less than was there: nobody finds it empty. By its last word
# a reader knows that the line is of one piece.
publish() { printf '%-79s\n' "$session $next $from $took $session.$next" 1<>state; }

# uptime sets now, in hundredths of a second
uptime() {
	read -r now _ </proc/uptime
	now=${now%.*}${now#*.}
}

# look_for_hop begins to pass on with the chunk at hand, once a connection to the next station stands.
look_for_hop() {
	[ -e hop.ready ] || return 0
	rm -f hop.ready
	pass_end
	[ -p out ] || return 0
	exec 7<>out 6>out 7>&- # which does not wait for a reader
	rm -f out
	: >hop.taken
	from=$next
}

# accept reads what the next chunk is. Who brings it is not trusted: nothing else than a chunk of the right size goes on.
accept() {
	set -- $(dd bs=96 count=1 iflag=fullblock <&5 2>/dev/null)
	[ $# = 5 ] && [ "$1 $2" = "chunk $next" ] || return 1
	wire=$3 codec=$4 digest=$5
	case $wire in
	0* | *[!0-9]* | ????????*) return 1 ;;
	esac
	case $codec in
	raw | gzip | zstd) ;;
	*) return 1 ;;
	esac
	[ "$wire" -le "$size" ]
}

# receive takes the body of a chunk, all of it.
receive() {
	chunk=chunk.$((next % 2))
	blocks=$((wire / 65536)) rest=$((wire % 65536))
	uptime
	begun=$now
	dd bs=65536 count=$blocks iflag=fullblock <&5 >$chunk 2>dd.log
	read -r got _ <dd.log
	[ "$got" = "$blocks+0" ] || return 1
	if [ $rest != 0 ]; then
		dd bs=$rest count=1 iflag=fullblock <&5 >>$chunk 2>dd.log
		read -r got _ <dd.log
		[ "$got" = 1+0 ] || return 1
	fi
	uptime
	took=$((now - begun))
}

# verify refuses a chunk whose bytes are not those that were sent. Those after this station do the same.
verify() {
	sum=$($hash <$chunk)
	[ "${sum%% *}" = "$digest" ]
}

consume() {
	case $codec in
	raw) cat $chunk ;;
	*) $codec -dc <$chunk | head -c "$size" ;;
	esac >&4 2>/dev/null 6>&-
}

# pass_on sends the chunk to the next station, while it is verified here and the one after it is received. A hop that
# broke is given up.
pass_on() {
	pass_wait
	[ "$from" != - ] || return 0
	{
		printf '%-95s\n' "chunk $next $wire $codec $digest" && exec cat $chunk
	} >&6 2>/dev/null 4>&- 5<&- &
	passing=$!
}

pass_wait() {
	[ -z "$passing" ] || wait "$passing" || pass_end
	passing=
}

pass_end() {
	[ "$from" = - ] || exec 6>&-
	from=-
}

while [ "$next" -lt "$chunks" ]; do
	session=$((session + 1))
	mkfifo in.$session
	chmod 666 in.$session # the folder lets in only who may
	publish
	exec 5<in.$session
	while [ "$next" -lt "$chunks" ] && accept; do
		look_for_hop
		receive || break
		pass_on
		verify || break
		consume
		next=$((next + 1))
		publish
	done
	exec 5<&-
	rm -f in.$session
done
pass_wait
pass_end
publish
exec 4>&-
wait $loader
# the controller reads how it ended, and stops the station
while sleep 5; do :; done
