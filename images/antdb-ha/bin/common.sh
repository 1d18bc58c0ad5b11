# Sourced by the start scripts.
log() { echo "$(date) INFO: $*"; }
fail() { echo "$(date) ERROR: $*" >&2; exit 1; }

# An arbitrary uid has no name; PostgreSQL, ssh and sshd all want one.
name_uid() {
    whoami >/dev/null 2>&1 && return
    sed -i '/^postgres:/d' /etc/passwd 2>/dev/null || true
    echo "postgres:x:$(id -u):0:database:/var/lib/postgresql:/bin/bash" >> /etc/passwd
}

# The pods of a cluster share one key pair and one host key. ssh refuses a private key that others may read, as those
# of a mounted Secret are, so it works on a copy.
prepare_ssh() {
    umask 077
    cp /sshd/config /.ssh/config
    cp /sshd/id_rsa /.ssh/id_rsa
    cp /sshd/ssh_host_rsa_key /.ssh/host_key
    chmod 600 /.ssh/config /.ssh/id_rsa /.ssh/host_key
    printf 'antdb-pods %s\n' "$(ssh-keygen -y -f /.ssh/host_key)" > /.ssh/known_hosts
    umask 022
}
