#!/bin/bash
# Waits in the background until this member is leader or replica, finishes a leader, and sets the flag that the
# readiness probe looks for. The flag's volume lives as long as the pod.
api=http://127.0.0.1:$PGHA_PATRONI_PORT
until curl -sf -o /dev/null "$api/master" || curl -sf -o /dev/null "$api/replica"; do
    sleep 1
done
if [[ $PGHA_CRUNCHYADM == true ]] && curl -sf -o /dev/null "$api/master"; then
    psql -X -q -h /tmp -p "$PGHA_PG_PORT" -U postgres -d postgres <<'SQL'
SELECT 'CREATE ROLE crunchyadm LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crunchyadm') \gexec
SQL
fi
touch "$PGHA_FLAGS/pgha_initialized"
