#!/bin/sh
# Keep the kernel's own work off the feed's processors, as far as that goes without a reboot; and say what needs one.
#
#   isolate.sh [--dry-run] CPUS      as isolate.sh 2-3: the feed's; the rest is for housekeeping
#   isolate.sh --revert              put the old masks back
#
# Written by tools/mksysctl.py from the table of `netfeed tune`: do not edit it here.
set -u
STATE=${STATE:-/run/netfeed/isolation.old}
# shellcheck source-path=SCRIPTDIR source=saved.sh
. "$(dirname "$0")/saved.sh"

case ${1:-} in
    --revert) put_back; finish ;;
    --dry-run) DRY_RUN=1; shift ;;
esac
if [ $# -ne 1 ] || ! is_list "$1"; then
    say "usage: $0 [--dry-run] CPUS | --revert" >&2
    exit 2
fi
if [ -z "$DRY_RUN" ] && [ "$(id -u)" -ne 0 ]; then
    say "needs root: sudo $0 $*" >&2
    exit 77
fi

# expand LIST: 0-2,5 to a line each
expand() {
    printf '%s' "$1" | tr ',' '\n' | while IFS=- read -r first last || [ -n "$first" ]; do
        seq "$first" "${last:-$first}"
    done
}

LIST=$1
FEED=$(expand "$LIST")
ONLINE=$(expand "$(cat /sys/devices/system/cpu/online)")
[ -n "$FEED" ] || { say "not a list of processors such as 2-3,6: $LIST" >&2; exit 2; }
for cpu in $FEED; do
    printf '%s\n' "$ONLINE" | grep -qx "$cpu" || { say "there is no processor $cpu" >&2; exit 2; }
done
OTHERS=$(printf '%s\n' "$ONLINE" | while read -r cpu; do
    printf '%s\n' "$FEED" | grep -qx "$cpu" || printf '%s\n' "$cpu"
done)
[ -n "$OTHERS" ] || { say "leave a processor for the rest of the host" >&2; exit 2; }

# the others as the kernel lists them, runs as ranges
LISTED=$(printf '%s\n' "$OTHERS" | awk '
    function run() { printf "%s%s", comma, first == last ? first : first "-" last; comma = "," }
    NR > 1 && $1 == last + 1 { last = $1; next }
    NR > 1 { run() }
    { first = last = $1 }
    END { run() }')

# mask of the others: words of 32 bits, the highest first
MASK=$(printf '%s\n' "$OTHERS" | awk '
    BEGIN { top = 0 }
    { bit[int($1 / 32), $1 % 32] = 1; if (int($1 / 32) > top) top = int($1 / 32) }
    END {
        for (word = top; word >= 0; word--) {
            value = 0
            for (place = 31; place >= 0; place--) value = value * 2 + ((word, place) in bit)
            printf word == top ? "%x" : ",%08x", value
        }
    }')

set_to "$LISTED" /proc/sys/kernel/watchdog_cpumask
set_to "$MASK" /sys/devices/virtual/workqueue/cpumask
set_to "$MASK" /sys/devices/virtual/workqueue/writeback/cpumask
set_to "$MASK" /proc/irq/default_smp_affinity

say "on the kernel command line (GRUB_CMDLINE_LINUX of /etc/default/grub, update-grub, reboot):"
say "  isolcpus=managed_irq,domain,$LIST nohz_full=$LIST rcu_nocbs=$LIST irqaffinity=$LISTED skew_tick=1"
finish
