# Tells what a machine is and has that matters to a diagnosis, a key and a value on each line. It changes nothing.
# usage: collect.sh FOLDER...
# What comes first is what the rest is read by; what may take long comes last.
echo "clock $(date +%s.%N)"
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/usr/bin:/bin:/opt/bin; export PATH
has() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s\n' "$*"; }
lack() { printf '%s\n' "gap $1: $2"; }
patience=
timeout 1 true 2>/dev/null && patience='timeout 10'
say host "$(uname -n 2>/dev/null || cat /proc/sys/kernel/hostname)"
user=$(id -u 2>/dev/null)
say uid "$user"

own=$(readlink /proc/self/ns/pid 2>/dev/null)
# nested DIR: a process in some container of this machine is another's; older kernels tell where one is to root alone
nested() {
	while read -r key first second; do
		[ "$key" != NSpid: ] || [ -z "$second" ] || return 0
	done 2>/dev/null <"$1/status"
	ns=$(readlink "$1/ns/pid" 2>/dev/null) && [ "$ns" != "$own" ]
}
words= seen= clockwork=
for comm in /proc/[0-9]*/comm; do
	{ read -r name <"$comm"; } 2>/dev/null || continue
	case $name in kubelet | containerd | dockerd | crio | chronyd | ntpd | systemd-timesyn) ;; *) continue ;; esac
	dir=${comm%/comm}
	nested "$dir" && continue
	case $name in chronyd | ntpd | systemd-timesyn) clockwork=$name ;; esac
	say process "$name"
	seen="$seen $name "
	[ "$name" = kubelet ] && words=$(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null)
done
[ -r /proc/1/comm ] || lack "its processes" "they are hidden from this user"

# what the kubelet was started with: "--name=value", or "--name value"
endpoint= config=/var/lib/kubelet/config.yaml kubelet_root=/var/lib/kubelet name=
set -f
for word in $words; do
	case $word in
	--*=*) name=${word%%=*} word=${word#*=} ;;
	--*) name=$word; continue ;;
	esac
	case $name in
	--container-runtime-endpoint) endpoint=$word ;;
	--config) config=$word ;;
	--root-dir) kubelet_root=${word%/} ;;
	--hostname-override) say override "$word" ;;
	esac
done
set +f
plain() { tr -d "\"' "; }
[ -n "$endpoint" ] || [ ! -r /var/lib/kubelet/kubeadm-flags.env ] ||
	endpoint=$(sed -n 's/.*--container-runtime-endpoint=\([^" ]*\).*/\1/p' /var/lib/kubelet/kubeadm-flags.env)
[ -n "$endpoint" ] || [ ! -r "$config" ] || endpoint=$(sed -n 's/^containerRuntimeEndpoint:[[:space:]]*//p' "$config" | plain)

while read -r k v unit; do
	case $k in MemTotal: | MemFree: | Buffers: | Cached: | MemAvailable: | HugePages_Total: | HugePages_Free:) say memory "$k $v" ;; esac
done </proc/meminfo
# not by the shell, which may read byte after byte: these files give but the first then
say sem "$(cat /proc/sys/kernel/sem 2>/dev/null)"
say shmmax "$(cat /proc/sys/kernel/shmmax 2>/dev/null)"

# mounts prints those that may matter; of the layers of a container's root only whether it can be written
mounts() {
	sed -e '/^[^ ]* \/\(run\|proc\|sys\|dev\|snap\|var\/lib\/docker\|var\/lib\/containerd\|var\/lib\/containers\)\//d' -e "\\|^[^ ]* $kubelet_root/p|d" \
		-e '/^[^ ]* [^ ]* \(proc\|sysfs\|cgroup2*\|devpts\|mqueue\|autofs\|nsfs\|squashfs\|devtmpfs\) /d' -e 's/^\([^ ]* [^ ]* overlay r[wo]\)[^ ]*/\1/' /proc/mounts
}
# on HOLDS PATH: that the file system of a path is to be measured
on() {
	[ -d "$2" ] || return
	say on "$1 $2"
	measured=$measured$newline$2
}
if has df && has sed; then
	newline=$(printf '\nx') measured=
	newline=${newline%x}
	on - /
	all=$(mounts)
	while read -r dev at type options rest; do
		say mount "$type $options $at"
		case $type in ext* | xfs | btrfs | zfs | f2fs | jfs | reiserfs) [ "$at" = / ] || on - "$at" ;; esac
	done <<END
$all
END
	root=
	[ ! -r /etc/docker/daemon.json ] || root=$(sed -n 's/.*"\(data-root\|graph\)"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\2/p' /etc/docker/daemon.json)
	on images "${root:-/var/lib/docker}"
	root=
	[ ! -r /etc/containerd/config.toml ] || root=$(sed -n 's/^root[[:space:]]*=[[:space:]]*//p' /etc/containerd/config.toml | plain)
	on images "${root:-/var/lib/containerd}"
	on images /var/lib/containers/storage
	on kubelet "$kubelet_root"
	on etcd /var/lib/etcd
	on log /var/log
	for folder; do on volumes "$folder"; done
	measure() {
		IFS=$newline
		set -f
		set -- $measured
		set +f
		unset IFS
		$patience df -Pk "$@" 2>/dev/null | sed 's/^/disk /'
		$patience df -Pi "$@" 2>/dev/null | sed 's/^/inodes /'
	}
	measure
else lack "its disks" "there is no df"; fi

# modes FOLDER...: one ls for all
modes() {
	for folder; do
		shift
		[ ! -d "$folder" ] || set -- "$@" "$folder/"
	done
	[ $# -eq 0 ] || ls -ldn "$@" 2>/dev/null | sed 's/^/mode /'
}
for folder; do
	say folder "$folder"
	if [ -d "$folder" ]; then
		say exists
		[ -r "$folder" ] || lack "the folder $folder" "permission denied"
		n=0
		for entry in "$folder"/* "$folder"/.[!.]*; do
			[ -e "$entry" ] || [ -h "$entry" ] || continue
			say entry "${entry##*/}"
			n=$((n + 1))
			[ $n -lt 16 ] || break
		done
	else
		d=$folder
		until [ -e "${d:-/}" ]; do d=${d%/*}; done
		[ -x "${d:-/}" ] || lack "the folder $folder" "permission denied in ${d:-/}"
		[ ! -e "$folder" ] || lack "the folder $folder" "it is no folder"
	fi
done
if has ls && has sed; then modes "$@"
elif [ $# -gt 0 ]; then lack "owners of its folders" "there is no ls"; fi

for i in /sys/class/net/*; do
	[ -r "$i/mtu" ] || continue
	mtu= state= flags= type= index= link= kind= part=-
	{ read -r mtu <"$i/mtu"; read -r state <"$i/operstate"; read -r flags <"$i/flags"; read -r type <"$i/type"; read -r index <"$i/ifindex"; read -r link <"$i/iflink"; } 2>/dev/null
	while read -r l; do case $l in DEVTYPE=*) kind=${l#DEVTYPE=} ;; esac; done 2>/dev/null <"$i/uevent"
	[ -e "$i/device" ] && part=device
	[ -d "$i/bridge" ] && part=bridge
	say interface "${i##*/} $mtu $state $flags $type $index $link $part ${kind:--}"
done
if has ip; then ip -o address show 2>/dev/null | sed 's/^/address /'
else lack "addresses of its interfaces" "there is no ip"; fi
if has sed; then
	sed 's/^/route /' /proc/net/route 2>/dev/null
	sed -n 's/^ *[0-9]*: \([0-9A-F]*:[0-9A-F]*\) [0-9A-F:]* 0A .*/port \1/p' /proc/net/tcp /proc/net/tcp6 2>/dev/null
else lack "its routes and listening ports" "there is no sed"; fi

# certificates alone leave the machine: keys stand in the same files
for f in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /etc/kubernetes/ssl/*.pem /etc/kubernetes/ssl/*.crt /etc/etcd/ssl/*.pem /etc/etcd/pki/*.crt \
	"$kubelet_root"/pki/kubelet-client-current.pem "$kubelet_root"/pki/kubelet-server-current.pem "$kubelet_root"/pki/kubelet.crt; do
	[ -f "$f" ] || continue
	case $f in *-key.pem) continue ;; esac
	[ -r "$f" ] || { lack "the certificate $f" "permission denied"; continue; }
	say pem "$f"
	inside=
	while read -r l; do
		case $l in *"BEGIN CERTIFICATE-"*) inside=yes ;; esac
		[ -z "$inside" ] || say - "$l"
		case $l in *"END CERTIFICATE-"*) inside= ;; esac
	done <"$f"
done
for f in /etc/kubernetes/*.conf /etc/kubernetes/*.kubeconfig; do
	[ -f "$f" ] || continue
	[ -r "$f" ] || { lack "the certificate in $f" "permission denied"; continue; }
	while read -r k v; do
		[ "$k" != client-certificate-data: ] || say kubeconfig "$f $v"
	done <"$f"
done
[ ! -d "$kubelet_root" ] || [ -x "$kubelet_root" ] || lack "the kubelet's certificates" "permission denied in $kubelet_root"
[ ! -d /etc/kubernetes ] || [ -x /etc/kubernetes ] || lack "the certificates of Kubernetes" "permission denied in /etc/kubernetes"

synced=
if has timedatectl; then
	synced=$($patience timedatectl show -p NTPSynchronized --value 2>/dev/null)
	[ -n "$synced" ] || synced=$($patience timedatectl status 2>/dev/null | sed -n 's/.*synchronized: *//p')
fi
if [ "$synced" != yes ] && has chronyc; then
	case $($patience chronyc -n tracking 2>/dev/null) in *"Leap status"*ot\ sync*) synced=no ;; *"Leap status"*) synced=yes ;; esac
fi
if [ "$synced" != yes ] && has ntpq; then
	case $($patience ntpq -c rv 2>/dev/null) in *sync_ntp*) synced=yes ;; *leap_alarm*) synced=no ;; esac
fi
if [ -n "$synced" ]; then say synced "$synced"
elif [ -n "$clockwork" ] || [ ! -r /proc/1/comm ]; then lack "its time service" "neither timedatectl nor chronyc nor ntpq tells whether the clock is right"; fi

kubelet=unknown
case $seen in
*" kubelet "*) kubelet=active ;;
*)
	if [ -d /run/systemd/system ] && has systemctl; then kubelet=$($patience systemctl is-active kubelet 2>/dev/null); fi
	case $kubelet in
	unknown | "" | inactive) if has kubelet; then kubelet=inactive; else kubelet=missing; fi ;;
	esac
	;;
esac
say kubelet "$kubelet"

if [ -z "$endpoint" ] && has kubelet; then
	# before 1.24 the kubelet spoke to Docker by itself; since, containerd's socket is the usual one
	minor=$(kubelet --version 2>/dev/null | sed -n 's/^Kubernetes v1\.\([0-9]*\).*/\1/p')
	if [ "${minor:-99}" -lt 24 ]; then endpoint=docker; else endpoint=containerd; fi
fi
case $endpoint in
*containerd*) engine=containerd ;;
*crio*) engine=crio ;;
*docker*) engine=docker ;;
*)
	engine=none
	for e in docker containerd crio; do if has "$e"; then engine=$e; break; fi; done
	;;
esac
socket=
case $endpoint in *.sock) socket=${endpoint#unix://} ;; esac
say runtime "$engine"
CONTAINERD_ADDRESS=/run/containerd/containerd.sock
[ $engine != containerd ] || [ -z "$socket" ] || CONTAINERD_ADDRESS=$socket
export CONTAINERD_ADDRESS

case $engine in
containerd)
	say version "$(containerd --version 2>/dev/null | head -n 1)"
	has ctr || has crictl || lack "whether containerd answers" "there is neither ctr nor crictl"
	;;
docker)
	if version=$($patience docker version --format '{{.Server.Version}}' 2>&1); then say version "$version"
	elif has docker; then printf '%s\n' "$version" | tail -n 1 | sed 's/^/complaint /'; fi
	;;
crio)
	say version "$(crio --version 2>/dev/null | head -n 1)"
	if has crictl; then
		words=$($patience crictl --runtime-endpoint "unix://${socket:-/var/run/crio/crio.sock}" version 2>&1) || printf '%s\n' "$words" | tail -n 1 | sed 's/^/complaint /'
	fi
	;;
esac

# images NAMESPACE: what is just imported has no line for its configuration yet, so its manifest is asked
images() {
	list=$($patience ctr -n "$1" images ls 2>&1) || { printf '%s\n' "$list" | tail -n 1 | sed 's/^/complaint /'; return; }
	printf '%s\n' "$list" | sed "s|^|ctr $1 |"
	told=" $(printf '%s\n' "$list" | sed -n 's/^sha256:[0-9a-f]* *[^ ]* *\(sha256:[0-9a-f]*\) .*/\1/p' | tr '\n' ' ')"
	asked=0
	printf '%s\n' "$list" | while read -r ref type digest rest; do
		case $ref in REF | sha256:* | *@* | "") continue ;; esac
		case $told in *" $digest "*) continue ;; esac
		[ $asked -lt 16 ] || break
		asked=$((asked + 1))
		told="$told$digest "
		say config "$digest $($patience ctr -n "$1" content get "$digest" 2>/dev/null | tr -d ' \n\t' | sed -n 's/.*"config":{[^}]*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p')"
	done
}
case $seen in
*" dockerd "*) if has docker; then $patience docker image ls --no-trunc --format 'image docker {{.Repository}}:{{.Tag}} {{.ID}}' 2>/dev/null; fi ;;
esac
case $engine in
containerd)
	if has ctr; then
		images k8s.io
		images default
	elif has crictl; then $patience crictl --runtime-endpoint "unix://$CONTAINERD_ADDRESS" images --no-trunc 2>/dev/null | sed 's/^/crictl containerd /'
	else lack "its images" "there is neither ctr nor crictl"; fi
	;;
crio)
	if has crictl; then $patience crictl --runtime-endpoint "unix://${socket:-/var/run/crio/crio.sock}" images --no-trunc 2>/dev/null | sed 's/^/crictl crio /'
	elif has podman; then $patience podman image ls --no-trunc --format 'image crio {{.Repository}}:{{.Tag}} {{.ID}}' 2>/dev/null
	else lack "its images" "there is neither crictl nor podman"; fi
	;;
none) lack "its images" "there is no container runtime" ;;
esac
echo over
