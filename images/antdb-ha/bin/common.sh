# Sourced by the start scripts.
log() { echo "$(date) INFO: $*"; }
fail() { echo "$(date) ERROR: $*" >&2; exit 1; }

# An arbitrary uid has no name; PostgreSQL, ssh and sshd all want one.
name_uid() {
    if [[ -n ${NSS_WRAPPER_PASSWD:-} ]]; then # PGO 4.7: names are looked up there
        mkdir -p "$(dirname "$NSS_WRAPPER_PASSWD")"
        cp /etc/passwd "$NSS_WRAPPER_PASSWD"
        cp /etc/group "$NSS_WRAPPER_GROUP"
    fi
    whoami >/dev/null 2>&1 && return
    sed -i '/^postgres:/d' /etc/passwd 2>/dev/null || true
    echo "postgres:x:$(id -u):0:database:/var/lib/postgresql:/bin/bash" >> /etc/passwd
}

# The pods of a cluster share one key pair and one host key. ssh refuses a private key that others may read, as those
# of a mounted Secret are, so it works on a copy.
# PGO 4.7 has keys of another name, its own /etc/ssh, and lets nothing but /tmp be written.
prepare_ssh() {
    umask 077
    if [[ -f /sshd/id_ed25519 ]]; then
        cp /sshd/id_ed25519 /tmp/id_ed25519
        cp /sshd/ssh_host_ed25519_key /tmp/ssh_host_key
        chmod 600 /tmp/id_ed25519 /tmp/ssh_host_key
        printf 'antdb-pods %s\n' "$(ssh-keygen -y -f /tmp/ssh_host_key)" > /tmp/known_hosts
        umask 022
        return
    fi
    cp /sshd/config /.ssh/config
    cp /sshd/id_rsa /.ssh/id_rsa
    cp /sshd/ssh_host_rsa_key /.ssh/host_key
    chmod 600 /.ssh/config /.ssh/id_rsa /.ssh/host_key
    printf 'antdb-pods %s\n' "$(ssh-keygen -y -f /.ssh/host_key)" > /.ssh/known_hosts
    umask 022
}
