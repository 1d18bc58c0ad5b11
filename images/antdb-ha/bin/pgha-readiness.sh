#!/bin/bash
# Ready once the member was set up and while Patroni reports the database as running.
[[ -f /crunchyadm/pgha_initialized || -f /tmp/pgha_initialized ]] || exit 1
curl -sf -o /dev/null --max-time 1 "http://127.0.0.1:${PGHA_PATRONI_PORT:-8009}/health"
