# Prints the end of a log file of pgBackRest; without a name, the names of the newest that there are. It changes nothing.
# usage: collect_log.sh [FILE BYTES]
LC_ALL=C; export LC_ALL
if [ -n "$1" ]; then tail -c "$2" "$1"; exit; fi
for logs in "$PGBACKREST_LOG_PATH" /var/log/pgbackrest /pgbackrest/repo1/log /tmp; do
	[ -n "$logs" ] && [ -d "$logs" ] || continue
	found=
	for f in $(ls -t "$logs" | head -n 64); do
		case $f in *-backup.log | *-stanza-create.log | *-archive-push*.log | *-archive-get*.log | *-expire.log | *-restore.log | *-check.log) ;; *) continue ;; esac
		printf '%s\n' "$logs/$f"
		found="x$found"
		[ "$found" != xxxx ] || break
	done
	[ -z "$found" ] || exit 0
done
