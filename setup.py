"""Build the compiled core: one extension for each .pyx of src/netfeed (all else stands in pyproject.toml).

NETFEED_BUILD=sanitized builds with AddressSanitizer, UndefinedBehaviorSanitizer and Cython's bounds checks, for
`make sanitize`; NETFEED_BUILD=unoptimised compiles as quickly as can be, for those who only ask whether it builds;
NETFEED_BUILD=none compiles nothing: `make` installs netfeed in place so, and compiles beside it.

What every module with memoryviews needs of Cython is compiled once, into SHARED, and not into each of them.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

KIND = os.environ.get("NETFEED_BUILD", "optimised")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
# -g0 takes back the interpreter's own -g, which costs a quarter of the compiler's time. -fno-wrapv takes back its
# -fwrapv, which would hide signed overflow from the sanitizer; lines are all that its reports need of -g.
OPTIMISE: list[str] = {
    "none": [],
    "optimised": ["-O3", "-g0"],
    "unoptimised": ["-O0", "-g0"],
    "sanitized": [*SANITIZERS, "-fno-wrapv", "-O1", "-g1", "-fno-omit-frame-pointer"],
}[KIND]
LINK = SANITIZERS if KIND == "sanitized" else []
SHARED = "netfeed._core.memoryviews"
SHARED_SOURCE = Path("src/netfeed/_core/memoryviews.c")  # Cython writes it
# Cython casts between its object structs, compares its own loop counters, emits utility code that nobody calls.
# Nobody waits for a floating point trap or reads errno after a square root: without these two a choice between two
# values is a branch, and no loop of option maths becomes vector code.
ALWAYS = ["-fno-strict-aliasing", "-Wno-unused-function", "-Wno-sign-compare", "-fno-trapping-math", "-fno-math-errno"]

# Paths stay relative: setuptools writes them into the sdist, and every build runs where this file lies.
EXTENSIONS = [
    Extension(
        ".".join(source.relative_to("src").with_suffix("").parts),
        [str(source)],
        extra_compile_args=[*OPTIMISE, *ALWAYS],
        extra_link_args=LINK,
    )
    for source in sorted([*Path("src/netfeed").rglob("*.pyx"), SHARED_SOURCE])
]

if __name__ == "__main__":
    setup(
        ext_modules=cythonize(  # type: ignore[no-untyped-call]
            EXTENSIONS if KIND != "none" else [],
            include_path=["src"],
            compiler_directives={"language_level": 3},
            nthreads=os.cpu_count() or 1,
            shared_utility_qualified_name=SHARED,
        ),
        options={"build_ext": {"parallel": os.cpu_count() or 1}},
    )
