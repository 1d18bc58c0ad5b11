# Prints the end of the newest file that the server's own logger writes, where there is one. It changes nothing.
# usage: collect_log.sh DIRECTORY LOGS BYTES
for logs in "$2" log pg_log; do
	[ -n "$logs" ] || continue
	case $logs in /*) ;; *) logs=$1/$logs ;; esac
	[ -d "$logs" ] || continue
	f=$(ls -t "$logs" | head -n 1)
	[ -n "$f" ] || exit 0
	tail -c "$3" "$logs/$f"
	exit
done
