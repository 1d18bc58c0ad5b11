# Tells about a backup repository, a key and a value on each line, and last what pgBackRest says of it. It changes nothing.
# usage: collect.sh STANZA
LC_ALL=C; export LC_ALL
echo "clock $(date +%s)"
# who holds a lock is seen in the kernel's list, by the file's number: to try the lock would be to take it
for f in "${PGBACKREST_LOCK_PATH:-/tmp/pgbackrest}"/*.lock; do
	[ -f "$f" ] || continue
	n=$(ls -i "$f" 2>/dev/null); n=${n%% /*}
	if grep -q ":${n##* } " /proc/locks 2>/dev/null; then echo "held ${f##*/}"; else echo "lock ${f##*/}"; fi
done
answer=$(pgbackrest --stanza="$1" --log-level-console=off --log-level-stderr=error --output=json info) || exit
echo "info $(printf '%s' "$answer" | tr '\n' ' ')"
