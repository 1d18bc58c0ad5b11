#!/bin/bash
# Entry point of the database container: takes its settings from the environment and from /pgconf, composes Patroni's
# configuration and becomes Patroni.
set -euo pipefail
source /opt/cpm/bin/common.sh
[[ ${MODE:-} != pgbackrest-repo ]] || exec /opt/cpm/bin/backrest-repo.sh
name_uid
log "postgres-ha pre-bootstrap starting..."

# pg_hba has no IPv6 line, so the address has to be an IPv4 one
address=$(hostname -i | tr ' ' '\n' | grep -m1 -v :) || fail "$(hostname) has no IPv4 address"
export PGHA_PG_PORT=${PGHA_PG_PORT:-5432} PGHA_PATRONI_PORT=${PGHA_PATRONI_PORT:-8009}
export PGHA_DATABASE=${PGHA_DATABASE:-userdb} PGHA_CRUNCHYADM=${PGHA_CRUNCHYADM:-false}
# where the member's flag goes: PGO 4.2 has a volume for it, PGO 4.7 a root file system that cannot be written
export PGHA_FLAGS=/crunchyadm
[[ -w $PGHA_FLAGS ]] || PGHA_FLAGS=/tmp
export PATRONI_NAME=${PATRONI_NAME:-$(hostname)}
export PATRONI_RESTAPI_LISTEN=${PATRONI_RESTAPI_LISTEN:-0.0.0.0:$PGHA_PATRONI_PORT}
export PATRONI_RESTAPI_CONNECT_ADDRESS=${PATRONI_RESTAPI_CONNECT_ADDRESS:-$address:$PGHA_PATRONI_PORT}
export PATRONI_POSTGRESQL_LISTEN=${PATRONI_POSTGRESQL_LISTEN:-0.0.0.0:$PGHA_PG_PORT}
export PATRONI_POSTGRESQL_CONNECT_ADDRESS=${PATRONI_POSTGRESQL_CONNECT_ADDRESS:-$address:$PGHA_PG_PORT}
export PATRONI_POSTGRESQL_DATA_DIR=${PATRONI_POSTGRESQL_DATA_DIR:-/pgdata/$(hostname)}
[[ $PATRONI_POSTGRESQL_DATA_DIR == /pgdata/* ]] || fail "PATRONI_POSTGRESQL_DATA_DIR must lie below /pgdata"
mkdir -p "$PATRONI_POSTGRESQL_DATA_DIR"
chmod 700 "$PATRONI_POSTGRESQL_DATA_DIR"

# archive_command sources this file: the server's own environment is Patroni's, which is filtered
declare -px | grep ' PGBACKREST_' > /tmp/pgbackrest_env.sh || true

if [[ ${ENABLE_SSHD:-false} == true ]]; then
    prepare_ssh
    log "starting sshd on port 2022"
    /usr/sbin/sshd -e -f /sshd/sshd_config
fi

# The pod that replaces this one starts on the same volume while this one still stops, and neither sees the other's
# processes: the lock, which Patroni keeps until it ends, lets one server at a time touch the data.
exec 9> "$PATRONI_POSTGRESQL_DATA_DIR.lock"
flock 9
/opt/cpm/bin/compose-patroni.py /tmp/postgres-ha-bootstrap.yaml
log "finished building postgres-ha configuration file '/tmp/postgres-ha-bootstrap.yaml'"
/opt/cpm/bin/initialized-monitor.sh 9>&- &
log "postgres-ha pre-bootstrap complete"
exec "$@" /tmp/postgres-ha-bootstrap.yaml
