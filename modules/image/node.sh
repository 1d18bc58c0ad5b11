# Tells which container engine a node's kubelet uses and what it has of an image. It changes nothing.
# usage: node.sh ENGINE NAMESPACE ID NAME...
# Sections of the answer begin with "== ".
engine=$1 ns=$2 want=$3
shift 3
address=

say() { printf '== %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
plain() { tr -d "\"' "; }

# ask_kubelet sets endpoint (of the CRI socket) and version, from the running process or else from its files.
ask_kubelet() {
	endpoint= version= kubelet= config=
	for comm in /proc/[0-9]*/comm; do
		{ read -r name <"$comm"; } 2>/dev/null || continue
		[ "$name" = kubelet ] || continue
		dir=${comm%/comm}
		# a kubelet in some container of this machine is another node's; only root can see where one is
		mnt=$(readlink "$dir/ns/mnt" 2>/dev/null)
		[ -z "$mnt" ] || [ "$mnt" = "$(readlink /proc/self/ns/mnt)" ] || continue
		kubelet=$dir/exe
		words=$(tr '\0' '\n' <"$dir/cmdline" | sed 's/^\(--[a-z-]*\)=/\1\n/')
		endpoint=$(printf '%s\n' "$words" | sed -n '/^--container-runtime-endpoint$/{n;p;}')
		config=$(printf '%s\n' "$words" | sed -n '/^--config$/{n;p;}')
		break
	done
	: "${config:=/var/lib/kubelet/config.yaml}"
	if [ -z "$endpoint" ] && [ -r /var/lib/kubelet/kubeadm-flags.env ]; then
		endpoint=$(sed -n 's/.*--container-runtime-endpoint=\([^" ]*\).*/\1/p' /var/lib/kubelet/kubeadm-flags.env)
	fi
	if [ -z "$endpoint" ] && [ -r "$config" ]; then
		endpoint=$(sed -n 's/^containerRuntimeEndpoint:[[:space:]]*//p' "$config" | plain)
	fi
	if [ -z "$endpoint" ] && [ -n "$kubelet" ]; then
		# before 1.24 the kubelet spoke to Docker by itself; since, containerd's socket is the usual one
		[ -x "$kubelet" ] || kubelet=kubelet
		minor=$("$kubelet" --version 2>/dev/null | sed -n 's/^Kubernetes v1\.\([0-9]*\).*/\1/p')
		if [ "${minor:-99}" -lt 24 ]; then endpoint=dockershim; else endpoint=containerd; fi
	fi
}

if [ "$engine" = auto ]; then
	ask_kubelet
	case $endpoint in
	*containerd*) engine=containerd ;;
	*crio*) engine=podman ;;
	*docker*) engine=docker ;;
	esac
	case $endpoint in
	unix:///*.sock) [ $engine = containerd ] && address=${endpoint#unix://} ;;
	esac
	if [ "$engine" != auto ]; then say "kubelet $endpoint"
	elif has docker; then engine=docker
	elif has ctr; then engine=containerd
	elif has podman; then engine=podman
	else say "engine none"; exit 0
	fi
fi
say "engine $engine"
say "address $address"

space() { say "root $1"; df -Pk "$1" 2>/dev/null | tail -n 1; }

# by_docker CLI: docker and podman talk alike
by_docker() {
	same=yes
	for ref; do
		if out=$($engine image inspect --format '{{.Id}}' "$ref" 2>&1); then
			id=$(printf '%s\n' "$out" | tail -n 1)
			say "image $ref"
			echo "$id"
			[ "${id#sha256:}" = "${want#sha256:}" ] || same=no
		else
			case $out in
			*"o such image"* | *"not known"*) same=no ;;
			*) printf '%s\n' "$out" >&2; exit 1 ;;
			esac
		fi
	done
	[ $same = no ] || exit 0
	if [ $engine = podman ]; then
		space "$(podman info --format '{{.Store.GraphRoot}}')"
		exit 0
	fi
	store=$(docker info --format '{{.DockerRootDir}} {{.DriverStatus}}') || exit 1
	space "${store%% *}"
	case $store in
	*io.containerd.snapshotter*) exit 0 ;; # loads whole images only
	esac
	say chains
	images=$(docker image ls --all --quiet --no-trunc | sort -u)
	[ -z "$images" ] || docker image inspect --format '{{range .RootFS.Layers}}{{.}} {{end}}' $images
}

by_containerd() {
	if [ -n "$address" ]; then
		[ -S "$address" ] || { echo "ctr: failed to dial \"$address\": there is no such socket" >&2; exit 1; }
		export CONTAINERD_ADDRESS="$address"
	fi
	for ref; do
		line=$(ctr -n "$ns" images check "name==$ref") || exit 1
		line=$(printf '%s\n' "$line" | sed -n 2p)
		[ -n "$line" ] || continue
		digest=$(printf '%s\n' "$line" | tr -s ' \t' '\n\n' | sed -n '/^sha256:/{p;q;}')
		say "image $ref"
		echo "$line"
		manifest=$(ctr -n "$ns" content get "$digest" 2>/dev/null) || continue
		say "manifest"
		printf '%s\n' "$manifest"
		case $manifest in
		*'"manifests"'*)
			for digest in $(printf '%s' "$manifest" | tr '", ' '\n\n\n' | grep '^sha256:'); do
				manifest=$(ctr -n "$ns" content get "$digest" 2>/dev/null) || continue
				say "manifest"
				printf '%s\n' "$manifest"
			done
			;;
		esac
	done
	say blobs
	ctr -n "$ns" content ls -q || exit 1
	root=$(sed -n 's/^root[[:space:]]*=[[:space:]]*//p' /etc/containerd/config.toml 2>/dev/null | plain)
	space "${root:-/var/lib/containerd}"
}

case $engine in
containerd) by_containerd "$@" ;;
*) by_docker "$@" ;;
esac
