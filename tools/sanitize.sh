#!/bin/sh
# Run pytest on a compiled core built with AddressSanitizer, UndefinedBehaviorSanitizer and Cython's
# bounds checks, in a copy of src/ under build/sanitize: the core that is in use is not touched.
#
# Use: tools/sanitize.sh build PYTHON
#      tools/sanitize.sh run PYTHON [PYTEST-ARGUMENT...]
#
# What it leaves out: leaks (the interpreter itself leaves memory behind at exit), and reads inside one mapped file,
# which to the sanitizer is one valid block - the bounds checks on memoryviews are there for those.
set -eu
cd "$(dirname "$0")/.."
what=$1
case $2 in /*) python=$2 ;; *) python=$PWD/$2 ;; esac
shift 2
copy=$PWD/build/sanitize
source=$copy/src/netfeed

build() {
    # -- the copy: sources anew, generated files and objects kept, so that a second run builds only what changed -------
    mkdir -p "$copy/src"
    find "$copy/src" -type f ! -name '*.so' ! -name '*.c' -delete
    tar -cf - --exclude='*.so' --exclude='*.c' --exclude=__pycache__ --exclude='*.egg-info' \
        src setup.py pyproject.toml README.md LICENSE | tar -xf - -C "$copy"
    for module in $(find "$source" -name '*.so'); do
        test -e "${module%%.*}.pyx" || test "${module##*/_core/memoryviews.}" != "$module" || rm -f "$module"
    done
    # A directive in a file's first lines outranks one given by setup.py: rewrite it, and keep the file's time.
    find "$source" -name '*.pyx' | while read -r file; do
        sed -e '1,10 s/^\(# *cython:.*boundscheck *= *\)False/\1True/' \
            -e '1,10 s/^\(# *cython:.*initializedcheck *= *\)False/\1True/' "$file" > "$copy/rewritten"
        touch -r "$file" "$copy/rewritten"
        mv "$copy/rewritten" "$file"
    done

    (cd "$copy" && NETFEED_BUILD=sanitized "$python" setup.py --quiet build_ext --inplace)
}

test "$what" = run || { build; exit; }

# -- the run -------------------------------------------------------------------------------------------------------
# The runtimes must come first in the process; libstdc++ too, or the first C++ exception of a wheel finds no thrower.
# They must not reach other programs that a test starts (capinfos, tshark): some hang. So each interpreter takes the
# list out of its environment as it starts, and one that starts without it starts over with it.
library() { "${CC:-gcc}" -print-file-name="$1"; }
NETFEED_PRELOAD="$(library libasan.so) $(library libubsan.so) $(library libstdc++.so.6)"
export NETFEED_PRELOAD
mkdir -p "$copy/start"
cat >"$copy/start/sitecustomize.py" <<'PYTHON'
import os
import sys

if os.environ.pop("LD_PRELOAD", None) is None and "NETFEED_PRELOAD" in os.environ:
    sys.stdout.flush()
    os.execve(sys.executable, sys.orig_argv, os.environ | {"LD_PRELOAD": os.environ["NETFEED_PRELOAD"]})
PYTHON

# The interpreter's own allocator would hide small overruns inside its arenas. Where tests hand bytes to the core, every
# object comes from malloc; elsewhere, at two and a half times the speed, only what the core and numpy allocate does.
BYTES="tests/app/test_any_bytes.py tests/book tests/core tests/feed tests/latency tests/proto tests/transport tests/venues
    tests/wire"
export PYTHONPATH="$copy/start:$copy/src"
# Pytest would swallow the last words of a process that aborts: reports of ASan go to files, and pytest leaves file
# descriptor 2 alone (--capture=sys) for those of UBSan, which knows no other way.
reports=$copy/report
rm -f "$reports".*
export ASAN_OPTIONS="detect_leaks=0:halt_on_error=1:abort_on_error=1:log_path=$reports"
export UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1"
# Fewer examples of each property, more broken bytes for each decoder: that is where memory errors come from.
export HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-quick}"
export NETFEED_FUZZ_RUNS="${NETFEED_FUZZ_RUNS:-2000}"

"$python" - "$source" <<'PYTHON'
"""Refuse to run on a core that is not the sanitized one: such a run would prove nothing."""

import sys
from importlib import import_module
from pathlib import Path

source = Path(sys.argv[1])
assert "libasan" in Path("/proc/self/maps").read_text(), "the sanitizer's runtime is not in the process"
modules = {pyx.with_suffix("") for pyx in source.rglob("*.pyx")} | {source / "_core" / "memoryviews"}
for module in sorted(modules):
    name = ".".join(module.relative_to(source.parent).parts)
    built = import_module(name).__file__ or ""
    assert Path(built).is_relative_to(source), f"{name} was loaded from {built}, not from {source}"
    assert b"__asan_report" in Path(built).read_bytes(), f"{built} is not sanitized"
    print(f"sanitized: {name}")
PYTHON

status=0
others=
for one in $BYTES; do others="$others --ignore=$one"; done
# shellcheck disable=SC2086  # lists of words on purpose
PYTHONMALLOC=malloc "$python" -m pytest --capture=sys "$@" $BYTES || status=1
# shellcheck disable=SC2086
"$python" -m pytest --capture=sys "$@" $others || status=1
for report in "$reports".*; do
    test ! -e "$report" || { status=1; echo "sanitize: $report"; head -15 "$report"; }
done
exit $status
