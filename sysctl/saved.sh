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

# is_list TEXT: whether it is a list of processors such as 2-3,6
is_list() { printf '%s\n' "$1" | grep -Eqx '[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*'; }

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
            if ! keep "$file" "$old"; then
                fail "not written, since $STATE cannot keep its old value: $file"
            elif printf '%s\n' "$want" 2>/dev/null >"$file"; then
                say "wrote: $file $old -> $(now "$file")"
            else
                fail "refused: $file $old -> $want"
            fi
        fi
    done
}

# keep FILE OLD: whole or not at all, also on a full disk and when the power goes
keep() {
    [ -f "$STATE" ] && grep -qF "$1 " "$STATE" && return
    mkdir -p "$(dirname "$STATE")" 2>/dev/null || return
    if { [ ! -f "$STATE" ] || cat "$STATE"; } 2>/dev/null >"$STATE.new" &&
        printf '%s %s\n' "$1" "$2" 2>/dev/null >>"$STATE.new" && sync "$STATE.new"; then
        mv "$STATE.new" "$STATE"
    else
        rm -f "$STATE.new"
        return 1
    fi
}

# put_back: restore every old value, the last first; what is refused stays in STATE for the next time
put_back() {
    [ -f "$STATE" ] || { say "nothing to revert: no $STATE"; return; }
    { left=$(tac "$STATE" | while read -r file old; do
        if [ ! -e "$file" ]; then
            say "gone: $file" >&3
        elif printf '%s\n' "$old" 2>/dev/null >"$file"; then
            say "restored: $file $old" >&3
        else
            say "$file $old"
        fi
    done); } 3>&1
    if [ -z "$left" ]; then
        rm -f "$STATE"
    else
        say "$left" | while read -r file old; do fail "refused: $file $old"; done
        FAILED=1
        say "$left" | tac >"$STATE.new" && mv "$STATE.new" "$STATE"
    fi
}
