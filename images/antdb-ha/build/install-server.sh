#!/bin/bash
# install-server.sh MAJOR TARBALL OUT: lay the database server out as OUT/usr/pgsql-MAJOR.
# Without a tarball the base's own PostgreSQL stands in for AntDB.
set -euo pipefail
major=$1 tarball=$2 out=$3
[[ -n $major ]] || { echo "build argument PG_MAJOR is not set" >&2; exit 1; }
root=$out/usr/pgsql-$major
mkdir -p "$out/usr"

if [[ -z $tarball ]]; then
    base=/usr/lib/postgresql/$major
    [[ -x $base/bin/postgres ]] || {
        echo "the base has no PostgreSQL $major, only: $(ls /usr/lib/postgresql)" >&2; exit 1; }
    ln -s "$base" "$root"
    exit 0
fi

[[ -f /pkg/$tarball ]] || { echo "pkg/$tarball is not in the build context" >&2; exit 1; }
mkdir /unpacked
# tar looks at the content: the file may be called .tar.gz and still be a plain tar
tar -xf "/pkg/$tarball" -C /unpacked
top=/unpacked
entries=("$top"/*)
if [[ ! -d $top/bin && ${#entries[@]} -eq 1 && -d ${entries[0]}/bin ]]; then
    top=${entries[0]}
fi
for program in postgres initdb pg_ctl psql pg_isready pg_basebackup pg_rewind pg_controldata; do
    [[ -f $top/bin/$program ]] || { echo "pkg/$tarball holds no bin/$program" >&2; exit 1; }
done
[[ -f $top/lib/pgaudit.so || -f $top/lib/postgresql/pgaudit.so ]] ||
    echo "WARNING: pkg/$tarball holds no pgaudit.so; the operator's settings preload it" >&2
mv "$top" "$root"
chmod -R u=rwX,go=rX "$root"
