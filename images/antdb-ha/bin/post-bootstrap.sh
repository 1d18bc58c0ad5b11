#!/bin/bash
# Patroni runs this once, on the primary of a new cluster. A statement that fails is printed and passed over: a missing
# extension must not keep the database from starting.
setup=/opt/cpm/conf/setup.sql
[[ -f /pgconf/setup.sql ]] && setup=/pgconf/setup.sql
psql -X -q -h /tmp -p "$PGHA_PG_PORT" -U postgres -d postgres -v database="$PGHA_DATABASE" -f "$setup"
[[ -f /pgconf/audit.sql ]] && psql -X -q -h /tmp -p "$PGHA_PG_PORT" -U postgres -d postgres -f /pgconf/audit.sql
exit 0
