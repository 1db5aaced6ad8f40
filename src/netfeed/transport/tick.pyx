# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The processor's counter as a clock, and what clocks cost. `tick.pxd` says how; the twin is `transport.ticks`."""

from libc.stdint cimport int64_t, uint64_t

import numpy as np

cdef extern from * nogil:
    """
    static inline void nf_tick_nap(long ns) {
        struct timespec t = {0, ns};
        nanosleep(&t, NULL);
    }
    """
    void nap "nf_tick_nap"(long ns) noexcept

cdef enum:
    ANCHOR_NS = 1_000_000           # an anchor holds so long
    RATE_NS = 1_000_000_000         # the rate is measured over so long
    FIRST_NS = 20_000_000           # but first over this
    TRIES = 4
    STEP_NS = 50_000                # what nobody slews within an anchor
    SLEW = 1_000                    # of a million: twice what the kernel slews by
    CHUNK = 64
    TSC = -1                        # = latency.clock.Clock


cdef void meet(uint64_t *at, int64_t *ns) noexcept nogil:
    """Read both clocks at one moment: the narrowest of a few brackets."""
    cdef uint64_t before, after, best = <uint64_t>-1
    cdef int64_t found
    cdef int k
    for k in range(TRIES):
        before = tsc()
        found = clock_of(REALTIME)
        after = tsc()
        if after - before < best:
            best = after - before
            at[0] = before + best // 2
            ns[0] = found


cdef int open_tick(Tick *tick, bint use) except -1:
    tick.use = 0
    tick.steps = 0
    if not use:
        return 0
    if not HAS_TSC:
        raise ValueError("this processor has no counter that can be read as a clock: use the kernel's")
    meet(&tick.rated_at, &tick.rated_ns)
    with nogil:
        nap(FIRST_NS)
    meet(&tick.at, &tick.ns)
    if tick.at <= tick.rated_at or tick.ns <= tick.rated_ns:
        raise ValueError("the processor's counter or the clock went back while they were compared: use the kernel's")
    tick.rate = rate_of(tick.ns - tick.rated_ns, tick.at - tick.rated_at)
    tick.span = <uint64_t>(<double>ANCHOR_NS * 4294967296.0 / tick.rate)
    tick.use = 1
    return 0


cdef int64_t anchor(Tick *tick) noexcept nogil:
    """Hold the counter to real time anew; gives real time."""
    cdef uint64_t at = 0
    cdef int64_t ns = 0, passed, expected, wrong
    meet(&at, &ns)
    passed = scaled(at - tick.at, tick.rate) if at > tick.at else 0
    expected = tick.ns + passed
    wrong = ns - expected if ns > expected else expected - ns
    if wrong > STEP_NS + passed // SLEW or at <= tick.at:
        tick.steps += 1
        tick.rated_at = at
        tick.rated_ns = ns
    elif ns - tick.rated_ns > RATE_NS and at > tick.rated_at:
        tick.rate = rate_of(ns - tick.rated_ns, at - tick.rated_at)
        tick.rated_at = at
        tick.rated_ns = ns
    tick.at = at
    tick.ns = ns
    return ns


cdef inline int64_t read(int which) noexcept nogil:
    return <int64_t>tsc() if which == TSC else clock_of(which)


cdef int known(int which) except -1:
    if not HAS_TSC if which == TSC else (which < 0 or clock_of(which) < 0):
        raise ValueError(f"there is no clock {which} here")
    return 0


has_tsc = bool(HAS_TSC)


def bracketed(int reference, int other, int times):
    cdef int64_t[:, ::1] out
    cdef int k
    known(reference)
    known(other)
    found = np.empty((times, 3), np.int64)
    out = found
    with nogil:
        for k in range(times):
            out[k, 0] = read(reference)
            out[k, 1] = read(other)
            out[k, 2] = read(reference)
    return found


def costs(int which, int times):
    cdef double[::1] out
    cdef int64_t start, sum_ = 0
    cdef int k, j
    known(which)
    found = np.empty(times, np.float64)
    out = found
    with nogil:
        for k in range(times):
            start = clock_of(1)
            for j in range(CHUNK):
                sum_ += read(which) & 1
            out[k] = <double>(clock_of(1) - start) / CHUNK
    return found if sum_ >= 0 else None


cdef class Ticker:
    """Real time by the processor's counter, or without `use` by the kernel."""

    cdef Tick tick

    def __cinit__(self, bint use):
        open_tick(&self.tick, use)

    @property
    def steps(self):
        return self.tick.steps

    def now(self):
        return now(&self.tick)
