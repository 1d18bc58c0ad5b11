# Tells about a server's data directory and its volume, a key and a value on each line. It changes nothing.
# usage: collect_data.sh [DIRECTORY]
LC_ALL=C; export LC_ALL
say() { printf '%s\n' "$*"; }
d=${1:-${PATRONI_POSTGRESQL_DATA_DIR:-$PGDATA}}
if [ -z "$d" ]; then
	for f in /pgdata/*/PG_VERSION; do [ -f "$f" ] && d=${f%/PG_VERSION} && break; done
fi
[ -n "$d" ] || { echo "neither PATRONI_POSTGRESQL_DATA_DIR nor PGDATA is set" >&2; exit 1; }
d=${d%/}
say path "$d"
{ read -r major <"$d/PG_VERSION" && say major "$major"; } 2>/dev/null
[ ! -e "$d" ] || say mode "$(ls -ldn "$d/" 2>/dev/null)"
up=$d
until [ -e "${up:-/}" ]; do up=${up%/*}; done
say disk "$(df -Pk "${up:-/}" 2>/dev/null | tail -n 1)"
say shm "$(df -Pk /dev/shm 2>/dev/null | tail -n 1)"
for wal in "$d/pg_wal" "$d/pg_xlog"; do
	[ -d "$wal" ] && say wal "$(du -sk "$wal/" 2>/dev/null)"
done
for f in "$d"_[0-9]* "$d".failed* "$d".old; do [ -d "$f" ] && say copy "$f"; done
for f in "${d%/*}"/*.initializing; do [ -e "$f" ] && say guard "$f"; done
echo over
