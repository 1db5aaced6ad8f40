#!/bin/sh
# Run the default pytest suite, and a short blind fuzz of every decoder, on a compiled core built with AddressSanitizer,
# UndefinedBehaviorSanitizer and Cython's bounds checks, in a copy of src/ under build/sanitize: the core in use is not
# touched.
#
# Use: tools/sanitize.sh PYTHON [PYTEST-ARGUMENT...]
#
# What it leaves out: leaks (the interpreter itself leaves memory behind at exit), and reads inside one mapped file,
# which to the sanitizer is one valid block - the bounds checks on memoryviews are there for those.
set -eu
cd "$(dirname "$0")/.."
case $1 in /*) python=$1 ;; *) python=$PWD/$1 ;; esac
shift
copy=$PWD/build/sanitize
source=$copy/src/netfeed

# -- the copy: sources anew, generated files and objects kept, so that a second run builds only what changed -------
mkdir -p "$copy/src"
find "$copy/src" -type f ! -name '*.so' ! -name '*.c' -delete
tar -cf - --exclude='*.so' --exclude='*.c' --exclude=__pycache__ --exclude='*.egg-info' \
    src setup.py pyproject.toml README.md LICENSE | tar -xf - -C "$copy"
for module in $(find "$source" -name '*.so'); do
    test -e "${module%%.*}.pyx" || rm -f "$module"
done
# A directive in a file's first lines outranks one given by setup.py: rewrite it, and keep the file's time.
find "$source" -name '*.pyx' | while read -r file; do
    sed -e '1,10 s/^\(# *cython:.*boundscheck *= *\)False/\1True/' \
        -e '1,10 s/^\(# *cython:.*initializedcheck *= *\)False/\1True/' "$file" > "$copy/rewritten"
    touch -r "$file" "$copy/rewritten"
    mv "$copy/rewritten" "$file"
done

(cd "$copy" && NETFEED_SANITIZE=1 "$python" setup.py --quiet build_ext --inplace)

# -- the run -------------------------------------------------------------------------------------------------------
# The runtimes must come first in the process; libstdc++ too, or the first C++ exception of a wheel finds no thrower.
library() { "${CC:-gcc}" -print-file-name="$1"; }
preload="$(library libasan.so) $(library libubsan.so) $(library libstdc++.so.6)"
# The interpreter's own allocator would hide small overruns inside its arenas: every object comes from malloc.
export PYTHONMALLOC=malloc
export PYTHONPATH="$copy/src"
# Pytest would swallow the last words of a process that aborts: reports of ASan go to files, and pytest leaves file
# descriptor 2 alone (--capture=sys) for those of UBSan, which knows no other way.
reports=$copy/report
rm -f "$reports".*
export ASAN_OPTIONS="detect_leaks=0:halt_on_error=1:abort_on_error=1:log_path=$reports"
export UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1:log_path=$reports"
export HYPOTHESIS_PROFILE="${HYPOTHESIS_PROFILE:-quick}"

LD_PRELOAD=$preload "$python" - "$source" <<'PYTHON'
"""Refuse to run on a core that is not the sanitized one: such a run would prove nothing."""

import sys
from importlib import import_module
from pathlib import Path

source = Path(sys.argv[1])
for pyx in sorted(source.rglob("*.pyx")):
    name = ".".join(pyx.relative_to(source.parent).with_suffix("").parts)
    built = import_module(name).__file__ or ""
    assert Path(built).is_relative_to(source), f"{name} was loaded from {built}, not from {source}"
    assert b"__asan_report" in Path(built).read_bytes(), f"{built} is not sanitized"
    print(f"sanitized: {name}")
PYTHON

status=0
LD_PRELOAD=$preload "$python" -m pytest --capture=sys "$@" || status=1
LD_PRELOAD=$preload "$python" tests/fuzz/run.py --engine mutator --seconds "${FUZZ_S:-15}" || status=1
for report in "$reports".*; do
    test ! -e "$report" || { status=1; echo "sanitize: $report"; head -15 "$report"; }
done
exit $status
