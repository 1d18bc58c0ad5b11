#!/usr/bin/python3
"""compose-patroni.py OUT: write Patroni's configuration.

The image's conf/postgres-ha.yaml is the ground; /pgconf/postgres-ha.yaml, which the operator mounts, goes over it: maps
are merged, everything else (lists too) is replaced. PGO 4.7 mounts two other files instead: what is for all members,
/pgconf/SCOPE-dcs-config, and what is for this one, /pgconf/INSTANCE-local-config. User names and passwords come from the
Secrets below /pgconf.
"""
import os
import sys

import yaml


def load(path):
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        return yaml.safe_load(f) or {}


def merge(ground, over):
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(ground.get(key), dict):
            merge(ground[key], value)
        else:
            ground[key] = value
    return ground


def credentials(secret):
    def read(key):
        with open(os.path.join("/pgconf", secret, key)) as f:
            return f.read().strip()
    return {"username": read("username"), "password": read("password")}


def main():
    config = merge(load("/opt/cpm/conf/postgres-ha.yaml"), load("/pgconf/postgres-ha.yaml"))
    instance = os.path.basename(os.environ["PATRONI_POSTGRESQL_DATA_DIR"])
    merge(config["bootstrap"]["dcs"], load("/pgconf/%s-dcs-config" % os.environ.get("PATRONI_SCOPE")))
    merge(config, load("/pgconf/%s-local-config" % instance))
    postgresql = config.setdefault("postgresql", {})
    postgresql["bin_dir"] = os.path.join(os.environ["PGROOT"], "bin")
    postgresql["authentication"] = {
        "superuser": credentials("pgsuper"),
        "replication": credentials("pgreplicator"),
    }
    replicator = postgresql["authentication"]["replication"]["username"]
    postgresql["pg_hba"] = [line.replace("REPLICATOR", replicator) for line in postgresql["pg_hba"]]
    with open(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        yaml.safe_dump(config, out, default_flow_style=False)


main()
