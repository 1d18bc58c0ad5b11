#!/bin/bash
# Entry point of the repository pod: an sshd through which the database pods reach the repository.
set -euo pipefail
source /opt/cpm/bin/common.sh
name_uid
mkdir -p "$PGBACKREST_REPO1_PATH"
prepare_ssh
log "starting sshd on port 2022"
exec /usr/sbin/sshd -D -e -f /sshd/sshd_config
