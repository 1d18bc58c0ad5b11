# Tells how a station is, and that the controller is there.
# It is read into a shell in the station's folder; the answer is sections that begin with "== ".
read -r now _ </proc/uptime && echo "${now%.*}" >lease.tmp && mv lease.tmp lease
read -r line 2>/dev/null <state && echo "== state $line"
read -r pid 2>/dev/null <pid && [ ! -d "/proc/$pid" ] && { echo "== dead"; tail -c 4096 station.log; }
[ -e hop.ready ] && echo "== unmet"
read -r code 2>/dev/null <hop.code && { echo "== hop $code"; tail -n 3 hop.log; }
read -r code 2>/dev/null <load.code && { echo "== load $code"; tail -c 4096 load.log; }
:
