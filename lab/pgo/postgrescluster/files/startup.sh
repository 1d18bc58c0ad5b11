declare -r expected_major_version="$1" pgwal_directory="$2"
halt() { echo "$@"; exit 1; }
echo Initializing ...
echo "::postgres-operator: uid::$(id -u)"
echo "::postgres-operator: gid::$(id -G)"
path=$(command -v postgres) || halt 'no postgres in PATH'
echo "::postgres-operator: postgres path::$(readlink -f "$path")"
version=$(postgres --version)
echo "::postgres-operator: postgres version::$version"
[[ $version =~ \)\ ($expected_major_version)($|[^0-9]) ]] || halt "Expected PostgreSQL version $expected_major_version"
mkdir -p /pgdata/pgbackrest/log /pgdata/pgbackrest-spool
install -d -m 0700 /tmp/replication
install -m 0600 -t /tmp/replication /pgconf/tls/replication/*
[[ -d $PGDATA ]] && chmod 0700 "$PGDATA"
mkdir -p /tmp/postgres
