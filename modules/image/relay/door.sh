# The door of a station: a line in authorized_keys by which the bearer of a key may bring chunks, and do nothing else.
# It is read into a shell where base, dir, name, home and login are set.

# lock waits until nobody else changes what the stations of a node share. Who died in the middle does not count.
lock() {
	tries=0
	until (set -C && echo $$ >"$base/lock") 2>/dev/null; do
		tries=$((tries + 1))
		[ $((tries % 10)) != 0 ] || { read -r holder <"$base/lock" && [ -d "/proc/$holder" ]; } 2>/dev/null || rm -rf "$base/lock"
		sleep 0.1 2>/dev/null || sleep 1
	done
}
unlock() { rm -f "$base/lock"; }

own() { [ "$login" = "$(id -un)" ] || chown "$login" "$1"; }

find_keys() {
	keys=$home/.ssh/authorized_keys
	[ ! -L "$keys" ] || keys=$(readlink -f "$keys")
	[ -n "$keys" ]
}

# let_in puts the line for a key before all others. Its last word says what shut_out takes away when nothing else is left.
let_in() {
	made=kept
	[ -n "$home" ] || return 1
	[ -d "$home/.ssh" ] || { mkdir -m 700 "$home/.ssh" && own "$home/.ssh" && made=folder; } || return 1
	find_keys || return 1
	if [ -e "$keys" ]; then
		cp -p "$keys" "$keys.antdbctl" || return 1
		for word in file folder; do
			grep -q " antdbctl-[^ ]* $word\$" "$keys" && made=$word
		done
	else
		[ "$made" = folder ] || made=file
		(umask 077 && : >"$keys.antdbctl") && own "$keys.antdbctl" || return 1
	fi
	{
		printf 'command="sh %s/enter",no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-pty,no-user-rc %s antdbctl-%s %s\n' "$dir" "$1" "$name" "$made" &&
			{ [ ! -e "$keys" ] || sed "/ antdbctl-$name [a-z]*\$/d" "$keys"; }
	} >"$keys.antdbctl" && mv "$keys.antdbctl" "$keys" && return
	rm -f "$keys.antdbctl"
	return 1
}

shut_out() {
	[ -n "$home" ] && find_keys && grep -q " antdbctl-$name [a-z]*\$" "$keys" 2>/dev/null || return 0
	made=$(sed -n "s/.* antdbctl-$name \\([a-z]*\\)\$/\\1/p" "$keys")
	cp -p "$keys" "$keys.antdbctl" && sed "/ antdbctl-$name [a-z]*\$/d" "$keys" >"$keys.antdbctl" || { rm -f "$keys.antdbctl"; return 1; }
	if [ -s "$keys.antdbctl" ] || [ "$made" = kept ]; then
		mv "$keys.antdbctl" "$keys"
		return
	fi
	rm -f "$keys" "$keys.antdbctl"
	[ "$made" != folder ] || rmdir "$home/.ssh" 2>/dev/null || :
}
