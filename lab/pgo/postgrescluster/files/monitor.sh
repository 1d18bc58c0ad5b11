monitor() {
# The lab's certificates and settings do not change while a pod lives: there is nothing to copy.
trap 'exit 0' TERM
while :; do sleep 3600 & wait $!; done
}
monitor
