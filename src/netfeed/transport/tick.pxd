# cython: language_level=3
"""Real time for half the price: the processor's counter, held to CLOCK_REALTIME every millisecond.

An anchor is a moment that both clocks were read at. Between two anchors time is the anchor's plus the counter's advance
at the rate that was measured last; an anchor costs some 100 ns, a look at the counter 10, a look at the kernel's clock
27. What an anchor finds beyond what slewing can explain is a step: the clock was set, and `steps` counts it.

Without `use` it is the kernel's clock. The plain twin is `time.time_ns`. Leaves out: whether the counter can be
believed (`transport.clock`).
"""

from libc.stdint cimport int64_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    #if defined(__x86_64__)
    #include <x86intrin.h>
    #define NF_HAS_TSC 1
    static inline uint64_t nf_tsc(void) { return __rdtsc(); }
    #else
    #define NF_HAS_TSC 0
    static inline uint64_t nf_tsc(void) { return 0; }
    #endif
    static inline int64_t nf_clock_of(int which) {
        struct timespec t;
        if (clock_gettime(which, &t) != 0) return INT64_MIN;
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline int64_t nf_scale(uint64_t cycles, uint64_t rate) {
        return (int64_t)((unsigned __int128)cycles * rate >> 32);
    }
    static inline uint64_t nf_rate(int64_t ns, uint64_t cycles) {
        return (uint64_t)(((unsigned __int128)ns << 32) / cycles);
    }
    """
    enum:
        HAS_TSC "NF_HAS_TSC"
    uint64_t tsc "nf_tsc"() noexcept
    int64_t clock_of "nf_clock_of"(int which) noexcept
    int64_t scaled "nf_scale"(uint64_t cycles, uint64_t rate) noexcept
    uint64_t rate_of "nf_rate"(int64_t ns, uint64_t cycles) noexcept

cdef enum:
    REALTIME = 0

cdef struct Tick:
    int use                     # the counter, not the kernel's clock
    uint64_t at                 # the anchor: the counter, and real time
    int64_t ns
    uint64_t rate               # ns in 2**32 cycles
    uint64_t span               # cycles that an anchor holds for
    uint64_t rated_at           # where the measure of the rate begins
    int64_t rated_ns
    uint64_t steps


cdef int open_tick(Tick *tick, bint use) except -1
cdef int64_t anchor(Tick *tick) noexcept nogil


cdef inline int64_t now(Tick *tick) noexcept nogil:
    """Give real time. Units: ns since 1970."""
    cdef uint64_t passed
    if not tick.use:
        return clock_of(REALTIME)
    passed = tsc() - tick.at            # a counter that goes back is far ahead here, and gets a new anchor
    if passed < tick.span:
        return tick.ns + <int64_t>(passed * tick.rate >> 32)
    return anchor(tick)
