#!/usr/bin/env bash
# The main job, as a user would do it: roll AntDB out on the lab's site, then
# again to see that nothing is left to do.
set -euo pipefail
antdbctl=$1 site=$2
runbook=runbooks/antdb-rollout.hcl

# The demo's state goes with its lab (make demo-down); a state that was here
# before is somebody's own.
state=$(dirname "$runbook")/.antdbctl
[ -e "$state" ] || { mkdir -m 700 "$state" && touch "$state/made-by-demo"; }

# The user's password is made once per lab and never printed.
password=$(dirname "$site")/testuser.password
[ -s "$password" ] || (umask 077 && head -c 18 /dev/urandom | base64 >"$password")
ANTDB_TESTUSER_PASSWORD=$(cat "$password")
export ANTDB_TESTUSER_PASSWORD

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

say "== antdbctl apply $runbook: the whole story"
time "$antdbctl" apply "$runbook" --var-file "$site" --auto-approve

say "== once more: the world is as the runbook says"
second=$("$antdbctl" apply "$runbook" --var-file "$site" --auto-approve | tee >(cat >&2))
grep -q 'unchanged · proved' <<<"$second" || { echo "the second apply changed something" >&2; exit 1; }

say "== where to look next"
cat <<EOF
  $antdbctl plan $runbook --var-file $site      (needs ANTDB_TESTUSER_PASSWORD=\$(cat $password))
  $antdbctl show --dir runbooks                 the last run again
  $antdbctl state list --runbook $runbook
  $antdbctl graph $runbook --var-file $site --format mermaid
  kubectl --kubeconfig $(dirname "$site")/kubeconfig get pods -A
  bin/antdbctl-lab ssh node1                    a shell on a node
  make demo-down                                removes everything
EOF
