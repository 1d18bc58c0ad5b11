# Tells how a station is, and that the controller is there.
# It is read into a shell in the station's folder; the answer is sections that begin with "== ".
read -r now _ </proc/uptime && printf '%-15s\n' "${now%.*}" 1<>lease
for try in 1 2 3; do
	read -r session next from took whole 2>/dev/null <state && [ "$session.$next" = "$whole" ] && echo "== state $session $next $from $took" && break
done
read -r pid 2>/dev/null <pid && [ ! -d "/proc/$pid" ] && { echo "== dead"; tail -c 4096 station.log; }
[ -e hop.ready ] && echo "== unmet"
read -r code 2>/dev/null <hop.code && { echo "== hop $code"; tail -n 3 hop.log; }
read -r code 2>/dev/null <load.code && { echo "== load $code"; tail -c 4096 load.log; }
:
