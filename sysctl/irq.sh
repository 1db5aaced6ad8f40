#!/bin/sh
# Move the interrupts of an interface to processors next to the feed's, never on them.
#
#   irq.sh [--dry-run] IF CPUS       as irq.sh eth1 1: processor 1 takes them, and 2-3 spin
#   irq.sh --revert                  put the old affinities back
#
# Written by tools/mksysctl.py from the table of `netfeed tune`: do not edit it here. Stop irqbalance first, it moves them
# back. Drivers with managed interrupts refuse (EIO).
set -u
STATE=${STATE:-/run/netfeed/interrupts.old}
# shellcheck source-path=SCRIPTDIR source=saved.sh
. "$(dirname "$0")/saved.sh"

case ${1:-} in
    --revert) put_back; finish ;;
    --dry-run) DRY_RUN=1; shift ;;
esac
if [ $# -ne 2 ] || ! is_list "$2"; then
    say "usage: $0 [--dry-run] IF CPUS | --revert" >&2
    exit 2
fi
if [ -z "$DRY_RUN" ] && [ "$(id -u)" -ne 0 ]; then
    say "needs root: sudo $0 $*" >&2
    exit 77
fi

if [ ! -e "/sys/class/net/$1" ]; then
    say "no interface $1" >&2
    exit 2
fi
found=
for folder in "/sys/class/net/$1/device/msi_irqs" "/sys/class/net/$1/device/../msi_irqs"; do
    [ -d "$folder" ] || continue
    for irq in "$folder"/*; do
        found=1
        set_to "$2" "/proc/irq/$(basename "$irq")/smp_affinity_list"
    done
    break
done
[ -n "$found" ] || say "$1 has no interrupts of its own: a virtual interface?"
finish
