# shellcheck shell=sh
# Set a setting, keep what it was, put it back. Sourced by apply.sh, irq.sh and isolate.sh.
#
# STATE names the file of old values: a line each, `path value`. The first value of a path is the one that is restored.
# Written by tools/mksysctl.py: do not edit it here. `netfeed tune` does the same with a journal that outlives a crash.

STATE=${STATE:-/run/netfeed/settings.old}
DRY_RUN=${DRY_RUN:-}

FAILED=0

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; FAILED=1; }

finish() { exit "$FAILED"; }

# now FILE: its value; of a selection such as `always [madvise] never`, the word in brackets
now() {
    value=$(cat "$1" 2>/dev/null) || return 1
    case $value in
        *\[*\]*) value=${value#*\[}; value=${value%%\]*} ;;
    esac
    printf '%s' "$value"
}

# set_to VALUE FILE...: write what differs; of `never|madvise` the first is written, and the others will do, too.
# Files that are not there are said.
set_to() {
    will_do="|$1|"
    want=${1%%|*}
    shift
    for file in "$@"; do
        if ! old=$(now "$file"); then
            say "not here: $file"
            continue
        fi
        case $will_do in *"|$old|"*) say "ok: $file $old"; continue ;; esac
        if [ -n "$DRY_RUN" ]; then
            say "would write: $file $old -> $want"
        else
            keep "$file" "$old"
            if printf '%s\n' "$want" 2>/dev/null >"$file"; then
                say "wrote: $file $old -> $(now "$file")"
            else
                fail "refused: $file $old -> $want"
            fi
        fi
    done
}

keep() {
    mkdir -p "$(dirname "$STATE")"
    [ -f "$STATE" ] && grep -qF "$1 " "$STATE" && return
    printf '%s %s\n' "$1" "$2" >>"$STATE"
    sync "$STATE"
}

# put_back: restore every old value, the last first
put_back() {
    [ -f "$STATE" ] || { say "nothing to revert: no $STATE"; return; }
    tac "$STATE" | while read -r file old; do
        if printf '%s\n' "$old" 2>/dev/null >"$file"; then say "restored: $file $old"; else say "refused: $file $old"; fi
    done
    rm -f "$STATE"
}
