"""Build the compiled core: one extension for each .pyx of src/netfeed (all else stands in pyproject.toml).

NETFEED_SANITIZE=1 builds with AddressSanitizer, UndefinedBehaviorSanitizer and Cython's bounds checks, for
`make sanitize`.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SANITIZE = os.environ.get("NETFEED_SANITIZE") == "1"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
# -fno-wrapv takes back the interpreter's own -fwrapv, which would hide signed overflow from the sanitizer.
OPTIMISE = [*SANITIZERS, "-fno-wrapv", "-O1", "-g", "-fno-omit-frame-pointer"] if SANITIZE else ["-O3"]
# Cython casts between its object structs, compares its own loop counters, emits utility code that nobody calls.
ALWAYS = ["-fno-strict-aliasing", "-Wno-unused-function", "-Wno-sign-compare"]

# Paths stay relative: setuptools writes them into the sdist, and every build runs where this file lies.
EXTENSIONS = [
    Extension(
        ".".join(source.relative_to("src").with_suffix("").parts),
        [str(source)],
        extra_compile_args=[*OPTIMISE, *ALWAYS],
        extra_link_args=SANITIZERS if SANITIZE else [],
    )
    for source in sorted(Path("src/netfeed").rglob("*.pyx"))
]

if __name__ == "__main__":
    setup(
        ext_modules=cythonize(  # type: ignore[no-untyped-call]
            EXTENSIONS, include_path=["src"], compiler_directives={"language_level": 3}, nthreads=os.cpu_count() or 1
        ),
        options={"build_ext": {"parallel": os.cpu_count() or 1}},
    )
