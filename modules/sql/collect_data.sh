# Tells about a server's data directory and its volume, a key and a value on each line. It changes nothing.
LC_ALL=C; export LC_ALL
say() { printf '%s\n' "$*"; }
d=${PATRONI_POSTGRESQL_DATA_DIR:-$PGDATA}
if [ -z "$d" ]; then
	for f in /pgdata/*/PG_VERSION; do [ -f "$f" ] && d=${f%/PG_VERSION} && break; done
fi
# a volume in which there is none yet, or none any more
volume=
[ -n "$d" ] || [ ! -d /pgdata ] || volume=/pgdata d=/pgdata
[ -n "$d" ] || { echo "neither PATRONI_POSTGRESQL_DATA_DIR nor PGDATA is set" >&2; exit 1; }
d=${d%/}
say path "$d"
{ read -r major <"$d/PG_VERSION" && say major "$major"; } 2>/dev/null
[ -n "$volume" ] || [ ! -e "$d" ] || say mode "$(ls -ldn "$d/" 2>/dev/null)"
up=$d
until [ -e "${up:-/}" ]; do up=${up%/*}; done
say disk "$(df -Pk "${up:-/}" 2>/dev/null | tail -n 1)"
say shm "$(df -Pk /dev/shm 2>/dev/null | tail -n 1)"
for wal in "$d/pg_wal" "$d/pg_xlog"; do
	[ -d "$wal" ] && say wal "$(du -sk "$wal/" 2>/dev/null)"
done
if [ -n "$volume" ]; then set -- "$volume"/*_20[0-9][0-9]-* "$volume"/*.failed*
else set -- "$d"_[0-9]* "$d".failed* "$d".old; fi
for f; do [ -d "$f" ] && say copy "$f"; done
for f in "${volume:-${d%/*}}"/*.initializing; do [ -e "$f" ] && say guard "$f"; done
echo over
