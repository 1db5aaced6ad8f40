#!/bin/sh
# Make the virtual environment .venv with netfeed installed in place (`pip install -e '.[dev]'`) from nothing but a
# Python interpreter. What Debian leaves out of its stock python3 (venv, headers, a C compiler) is installed with
# apt-get when this runs as root, and named in one command to run when it does not.
#
# Use: tools/bootstrap.sh PYTHON VENV       Called by the Makefile; safe to run again.
set -eu
python=$1
venv=$2
cd "$(dirname "$0")/.."

fail() {
    printf 'bootstrap: %s\n' "$*" >&2
    exit 1
}

# -- the interpreter ---------------------------------------------------------------------------------------------
command -v "$python" >/dev/null ||
    fail "no interpreter '$python'. Install Python 3.11 or later (Debian: apt-get install python3 python3-venv" \
         "python3-dev), or name one: make PYTHON=/path/to/python3.11"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$python' is $("$python" --version 2>&1), netfeed needs 3.11 or later." \
         "Name another interpreter: make PYTHON=python3.11"

# -- what it lacks -----------------------------------------------------------------------------------------------
has_venv() { "$python" -c 'import venv, ensurepip' 2>/dev/null; }
compiler() { command -v "${CC:-gcc}" >/dev/null && echo 'int main(void) { return 0; }' | "${CC:-gcc}" -x c - -o /dev/null 2>/dev/null; }
has_headers() { test -e "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"; }

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
missing=""   # Debian packages
has_venv || missing="$missing python$version-venv"
has_headers || missing="$missing python$version-dev"
compiler || missing="$missing gcc libc6-dev"

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null ||
        fail "missing on this machine (Debian's names):$missing. Install them with your system's package manager."
    if [ "$(id -u)" -ne 0 ]; then
        fail "missing on this machine:$missing. Run:  sudo apt-get update && sudo apt-get install -y$missing"
    fi
    echo "bootstrap: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words on purpose
    apt-get install -y -qq --no-install-recommends $missing
    # An interpreter that is not Debian's own does not get its venv or headers from Debian's packages.
    has_venv || fail "'$python' still has no venv module. Name a complete interpreter: make PYTHON=/usr/bin/python3"
    has_headers || fail "'$python' still has no Python.h. Name a complete interpreter: make PYTHON=/usr/bin/python3"
    compiler || fail "the C compiler '${CC:-gcc}' still cannot build a program"
fi

# -- the environment ---------------------------------------------------------------------------------------------
# Kept when it works and was made from this interpreter; made anew otherwise.
identity='import sys; print(sys.base_prefix, *sys.version_info[:2])'
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null ||
    [ "$("$venv/bin/python" -c "$identity")" != "$("$python" -c "$identity")" ]; then
    echo "bootstrap: making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
# Built inside this environment, not in a throw-away one: later builds then compile only what has changed. One
# processor compiles while the other waits for what is downloaded.
echo "bootstrap: compiling the core, installing netfeed in place with its development tools"
pip="$venv/bin/python -m pip install --quiet --disable-pip-version-check"
requires='import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
"$venv/bin/python" -c "$requires" >"$venv/.build-requires"
$pip -r "$venv/.build-requires"
"$venv/bin/python" setup.py --quiet build_ext --inplace &
compiling=$!
NETFEED_BUILD=none $pip --no-build-isolation -e '.[dev]'
wait "$compiling" || fail "the core did not compile: see above"
