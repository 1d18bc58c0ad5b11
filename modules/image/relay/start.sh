# Starts a station, or finds the one that an earlier run left waiting.
# usage: start NAME CHUNKS SIZE PATIENCE FREE OWNER LOGIN KEY LOAD, where door, station, enter, stop, hop and poll are the other scripts
# The answer is a line: "lacks PROGRAM...", "busy OWNER", or "ready FOLDER KEY PROGRAMS".
name=$1 chunks=$2 size=$3 patience=$4 free=$5 owner=$6 login=$7 key=$8 load=$9
umask 022

lacks=
for program in mkfifo dd sha256sum setsid readlink sed; do
	command -v $program >/dev/null 2>&1 || lacks="$lacks $program"
done
[ -n "$lacks" ] || [ "$(printf ab | dd bs=2 count=1 iflag=fullblock 2>/dev/null)" = ab ] || lacks=" a dd with iflag=fullblock"
[ -z "$lacks" ] || { echo "lacks$lacks"; exit; }
programs=
for program in gzip zstd ssh; do
	command -v $program >/dev/null 2>&1 && programs="$programs $program"
done

# not XDG_RUNTIME_DIR, which goes away with the last login
if [ "$(id -u)" = 0 ]; then base=/run/antdbctl; else base=/tmp/antdbctl-$(id -u); fi
mkdir -p -m 711 "$base" 2>/dev/null
[ -d "$base" ] && [ ! -L "$base" ] && [ -O "$base" ] || { echo "$base cannot be made, or belongs to somebody else" >&2; exit 1; }
base=$(cd "$base" && pwd -P)
dir=$base/$name
case $login in
'' | *[!A-Za-z0-9._-]*) home= ;;
*) home=$(eval echo "~$login") ;;
esac
eval "$door"
trap 'exit 1' HUP INT TERM
lock
trap unlock EXIT

# alive: a station runs in the folder
alive() { read -r pid 2>/dev/null <"$dir/pid" && [ -d "/proc/$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$dir" ]; }
read -r now _ </proc/uptime
now=${now%.*}
if alive; then
	heard=0 who=
	read -r heard 2>/dev/null <"$dir/lease"
	read -r who 2>/dev/null <"$dir/owner"
	if [ -n "$who" ] && [ "$who" != "$owner" ] && [ $((now - heard)) -lt "$free" ]; then
		echo "busy ${who#* }"
		exit
	fi
	printf '%-15s\n' "$now" 1<>"$dir/lease"
	printf '%s\n' "$owner" >"$dir/owner"
else
	[ ! -e "$dir/stop" ] || locked=yes sh "$dir/stop" >/dev/null 2>&1
	rm -rf "$dir"
	mkdir -m 700 "$dir" && cd "$dir" || exit 1
	printf '%-15s\n' "$now" >lease
	printf '%s\n' "$owner" >owner
	printf '%s\n' "$station" >station
	printf '%s\n' "$enter" >enter
	printf '%s\n' "$hop" >hop
	printf '%s\n' "$poll" >poll
	printf '%s\n' "$load" >load
	printf "base='%s' dir='%s' home='%s' name='%s' login='%s'\n%s\n%s\n" "$base" "$dir" "$home" "$name" "$login" "$door" "$stop" >stop || exit 1
	[ -z "$login" ] || own .
	setsid sh ./station "$chunks" "$size" "$patience" </dev/null >/dev/null 2>station.log &
	tries=0
	until [ -e pid ]; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { cat station.log >&2; echo "the station does not start in $dir" >&2; exit 1; }
		sleep 0.1 2>/dev/null || sleep 1
	done
fi
state=shut
[ -z "$key" ] || ! let_in "$key" 2>/dev/null || state=open
echo "ready $dir $state $programs"
