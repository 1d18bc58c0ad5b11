# Starts a station, or finds the one that an earlier run left waiting.
# usage: start NAME CHUNKS PATIENCE OWNER LOGIN KEY STATION ENTER STOP POLL LOAD
# The answer is a line: "lacks PROGRAM...", "busy OWNER", or "ready FOLDER KEY CODECS".
name=$1 chunks=$2 patience=$3 owner=$4 login=$5 key=$6
station=$7 enter=$8 stop=$9
shift 9
poll=$1 load=$2
umask 022

lacks=
for program in mkfifo dd sha256sum setsid date; do
	command -v $program >/dev/null 2>&1 || lacks="$lacks $program"
done
[ -z "$lacks" ] || { echo "lacks$lacks"; exit; }
codecs=raw
for program in gzip zstd; do
	command -v $program >/dev/null 2>&1 && codecs="$codecs $program"
done

if [ "$(id -u)" = 0 ]; then base=/run/antdbctl; else base=${XDG_RUNTIME_DIR:-/tmp}/antdbctl-$(id -u); fi
mkdir -p -m 711 "$base" && [ -O "$base" ] || { echo "$base belongs to somebody else" >&2; exit 1; }
dir=$base/$name

# alive: a station runs in the folder, or is about to
alive() {
	[ -d "$dir" ] || return 1
	[ -e "$dir/pid" ] || sleep 2
	read -r pid 2>/dev/null <"$dir/pid" && [ -d "/proc/$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$dir" ]
}
if alive; then
	read -r heard <"$dir/lease"
	read -r who <"$dir/owner"
	if [ "$who" != "$owner" ] && [ $(($(date +%s) - heard)) -lt 15 ]; then
		echo "busy ${who#* }"
		exit
	fi
	date +%s >"$dir/lease"
	printf '%s\n' "$owner" >"$dir/owner"
else
	[ ! -d "$dir" ] || sh "$dir/stop" >/dev/null 2>&1
	rm -rf "$dir"
	mkdir -m 700 "$dir" || exit 1
	cd "$dir" || exit 1
	date +%s >lease
	printf '%s\n' "$owner" >owner
	printf '%s\n' "$station" >station
	printf '%s\n' "$enter" >enter
	printf '%s\n' "$poll" >poll
	printf '%s\n' "$load" >load
	printf 'dir=%s home=%s name=%s\n%s\n' "'$dir'" "'$(eval echo "~${login:-$(id -un)}")'" "'$name'" "$stop" >stop
	[ -z "$login" ] || chown "$login" .
	setsid sh ./station "$chunks" "$patience" </dev/null >/dev/null 2>station.log &
fi

# let_in lets the bearer of the key bring chunks, and do nothing else
let_in() {
	home=$(eval echo "~${login:-$(id -un)}")
	keys=$home/.ssh/authorized_keys
	[ -d "$home/.ssh" ] || mkdir -m 700 "$home/.ssh" || return 1
	[ -z "$(tail -c 1 "$keys" 2>/dev/null)" ] || echo >>"$keys"
	grep -q "$key antdbctl-$name\$" "$keys" 2>/dev/null ||
		printf 'command="sh %s/enter",no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty %s antdbctl-%s\n' "$dir" "$key" "$name" >>"$keys"
	[ -z "$login" ] || chown "$login" "$home/.ssh" "$keys"
}
door=shut
[ -n "$key" ] && (umask 077; let_in) 2>/dev/null && door=open
echo "ready $dir $door $codecs"
