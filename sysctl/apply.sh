#!/bin/sh
# Settings that are no sysctls: power, large pages, and with IF the interfaces that the feed comes in on.
#
#   apply.sh [--dry-run] [IF...]     write what differs; old values go to $STATE (default /run/netfeed/settings.old)
#   apply.sh --revert                put the old values of files back
#
# Written by tools/mksysctl.py from the table of `netfeed tune`: do not edit it here. Why each is there, and its risk:
# `netfeed tune explain NAME`. What ethtool sets is not put back: what was there is printed before it.
set -u
# shellcheck source-path=SCRIPTDIR source=saved.sh
. "$(dirname "$0")/saved.sh"

case ${1:-} in
    --revert) put_back; finish ;;
    --dry-run) DRY_RUN=1; shift ;;
    -*) say "usage: $0 [--dry-run|--revert] [IF...]" >&2; exit 2 ;;
esac
if [ -z "$DRY_RUN" ] && [ "$(id -u)" -ne 0 ]; then
    say "needs root: sudo $0 $*" >&2
    exit 77
fi

# card OPTION IF NAME VALUE: ethtool, its old values first
card() {
    show=$(printf '%s' "$1" | tr 'CGKL' 'cgkl')
    if [ -n "$DRY_RUN" ]; then
        say "would run: ethtool $*"
    elif ethtool "$show" "$2" >/dev/null 2>&1; then
        ethtool "$show" "$2" | grep -i "^$3\|adaptive" || true
        ethtool "$@" || fail "refused: ethtool $*"
    else
        say "not here: ethtool $show $2"
    fi
}

set_to performance /sys/devices/system/cpu/cpu[0-9]*/cpufreq/energy_performance_preference
set_to performance /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor
set_to 0 /sys/devices/system/cpu/cpu[0-9]*/power/energy_perf_bias
set_to 100 /sys/devices/system/cpu/intel_pstate/min_perf_pct
set_to performance /sys/firmware/acpi/platform_profile
set_to 'never|madvise' /sys/kernel/mm/transparent_hugepage/enabled
set_to 'never|madvise|defer|defer+madvise' /sys/kernel/mm/transparent_hugepage/defrag
set_to 0 /sys/kernel/mm/ksm/run

for IF in "$@"; do
    if [ ! -e "/sys/class/net/$IF" ]; then
        fail "no interface $IF"
        continue
    fi
    set_to 0 /sys/class/net/"$IF"/queues/rx-*/rps_cpus
    set_to 0 /sys/class/net/"$IF"/queues/rx-*/rps_flow_cnt
    set_to 0 /sys/class/net/"$IF"/threaded
    card -K "$IF" rx-gro off
    card -K "$IF" rx-lro off
    card -C "$IF" adaptive-rx off
    card -C "$IF" rx-frames 1
    card -C "$IF" rx-usecs 0
    say "by hand: ethtool -g $IF shows the largest ring, ethtool -G $IF rx N sets it"
done
finish
