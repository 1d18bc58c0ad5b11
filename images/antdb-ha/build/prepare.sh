#!/bin/bash
# prepare.sh BACKREST_VER PATRONI_VER: check that the base holds what the labels say, and make users and folders.
set -euo pipefail
want() { # NAME WANTED FOUND
    [[ -n $2 ]] || { echo "build argument $1 is not set" >&2; exit 1; }
    [[ $3 == "$2" || $3 == "$2".* ]] || { echo "$1 is $2, but the base holds $3" >&2; exit 1; }
}
want BACKREST_VER "$1" "$(pgbackrest version | cut -d' ' -f2)"
want PATRONI_VER "$2" "$(patroni --version | cut -d' ' -f2)"
"$PGROOT/bin/postgres" --version
[[ $(readlink -f /bin/sh) == */bash ]] || { echo "/bin/sh must be bash: archive_command uses source" >&2; exit 1; }

useradd crunchyadm -g 0 -u 17 -M -d /
mkdir -p /opt/cpm/bin /opt/cpm/conf /pgdata /pgwal /pgconf /backrestrepo /crunchyadm /recover /sshd /.ssh
chown -R 26:26 /opt/cpm /pgdata /pgwal /pgconf /backrestrepo /crunchyadm /recover
chmod -R g=u /opt/cpm /pgdata /pgwal /pgconf /backrestrepo /crunchyadm /recover
# another uid of group 0 may run the image: it enters itself into passwd
chmod g=u /etc/passwd /etc/group
chown 26:0 /.ssh && chmod 770 /.ssh
echo 'Include /.ssh/config' > /etc/ssh/ssh_config.d/pods.conf
# settings of this pod come from its environment alone
rm -f /etc/pgbackrest.conf
# PGO 5 and 6 preload this from where Red Hat's systems have it
library=$(compgen -G '/usr/lib/*/libnss_wrapper.so' | head -1 || true)
[[ -z $library || -e /usr/lib64/libnss_wrapper.so ]] || ln -s "$library" /usr/lib64/libnss_wrapper.so
# PGO 4.7 looks for the scripts elsewhere
mkdir -p /opt/crunchy/bin/postgres-ha/pgbackrest
ln -s /opt/cpm/bin /opt/crunchy/bin/postgres-ha/health
echo 'source /tmp/pgbackrest_env.sh' > /opt/crunchy/bin/postgres-ha/pgbackrest/pgbackrest-set-env.sh
[[ -e /usr/local/bin/patroni ]] || ln -s "$(command -v patroni)" /usr/local/bin/patroni
