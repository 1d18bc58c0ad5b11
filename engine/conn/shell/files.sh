# Functions that keep files with nothing but a POSIX sh and utilities.

# why PATH: end with 43 when PATH is missing, 44 when a folder on the way to it
# may not be searched; return when it is there.
why() {
	_p=$1
	while [ ! -e "$_p" ] && [ ! -L "$_p" ]; do
		[ "$_p" = / ] && exit 43
		_p=${_p%/*}
		_p=${_p:-/}
	done
	[ "$_p" = "$1" ] && return 0
	[ -d "$_p" ] && [ ! -x "$_p" ] && exit 44
	exit 43
}

folder() {
	_d=${1%/*}
	echo "${_d:-/}"
}

file_stat() {
	why "$1"
	stat -c '%s %f %Y %u %g %U %G' -- "$1" 2>/dev/null || LC_ALL=C ls -ld -- "$1"
}

file_open() {
	why "$1"
	[ -r "$1" ] || exit 44
	exec cat -- "$1"
}

file_remove() {
	why "$1"
	if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir -- "$1"; else rm -f -- "$1"; fi && exit 0
	[ -w "$(folder "$1")" ] || exit 44
	exit 1
}

# file_receive PATH TEMP: content from stdin into TEMP, which must be new.
file_receive() {
	why "$(folder "$1")"
	if [ -d "$1" ]; then
		echo "is a directory" >&2
		exit 1
	fi
	[ -w "$(folder "$1")" ] || exit 44
	(umask 077 && set -C && cat >"$2")
}

# owner_of PATH: number of user and group.
owner_of() {
	ls -ldn -- "$1" | { read -r _m _l _u _g _rest && echo "$_u:$_g"; }
}

# mode_of PATH: in a form that chmod takes.
mode_of() {
	stat -c %a -- "$1" 2>/dev/null && return
	ls -ldn -- "$1" | {
		read -r _m _rest
		for _w in u:2-4 g:5-7 o:8-10; do
			_b=$(echo "$_m" | cut -c"${_w#*:}" | tr -d '-' | tr 'ST' 'st')
			case $_b in *[st]*) case $(echo "$_m" | cut -c"${_w#*:}") in *[st]*) _b=${_b}x ;; esac ;; esac
			printf '%s=%s,' "${_w%%:*}" "$_b"
		done
	} | sed 's/,$//'
}

# file_place PATH TEMP SIZE MODE OWNER GROUP: TEMP becomes PATH.
file_place() {
	if [ $(wc -c <"$2") -ne "$3" ]; then
		echo "the content did not arrive whole" >&2
		return 1
	fi
	_mode=$4
	if [ -f "$1" ] && [ ! -L "$1" ]; then
		_owner=$(owner_of "$1")
		[ "$_owner" = "$(owner_of "$2")" ] || chown "$_owner" "$2" || return 1
		[ -n "$_mode" ] || _mode=$(mode_of "$1") || return 1
	fi
	[ -z "$5" ] || chown "$5" "$2" || return 1
	[ -z "$6" ] || chgrp "$6" "$2" || return 1
	# Without a "who", chmod keeps to the umask: the mode of any new file.
	chmod "${_mode:-=rw}" "$2" || return 1
	sync -- "$2" 2>/dev/null || sync 2>/dev/null
	mv -f -- "$2" "$1"
}

file_write() {
	file_receive "$1" "$2" && file_place "$@" && exit 0
	rm -f -- "$2"
	exit 1
}
