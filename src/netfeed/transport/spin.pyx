# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What the host does to a thread, measured without the interpreter's lock: gaps, late timers, late wake-ups.

The plain twin `netfeed.transport.spinning` defines it.
"""

from libc.stdint cimport int64_t, uint64_t
from posix.unistd cimport close

import os

import numpy as np

from netfeed._core.histogram cimport Histogram, record

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <stdint.h>
    #include <time.h>
    #include <unistd.h>

    static inline int64_t nf_now(void) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline void nf_sleep_until(int64_t due) {
        struct timespec t = {due / 1000000000, due % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
    }
    /* what one thread writes and another one reads */
    static inline int nf_is(int *flag) { return __atomic_load_n(flag, __ATOMIC_ACQUIRE); }
    static inline void nf_set(int *flag, int to) { __atomic_store_n(flag, to, __ATOMIC_RELEASE); }
    static inline void nf_ring(int fd) {
        uint64_t one = 1;
        while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
    }
    /* Sleep until somebody rings; 0 when the descriptor is none. */
    static inline int nf_hear(int fd) {
        uint64_t count;
        ssize_t got;
        do { got = read(fd, &count, sizeof count); } while (got < 0 && errno == EINTR);
        return got == (ssize_t)sizeof count;
    }
    """
    int64_t now_ns "nf_now"() noexcept
    void sleep_until "nf_sleep_until"(int64_t due) noexcept
    bint is_set "nf_is"(int *flag) noexcept
    void put "nf_set"(int *flag, int to) noexcept
    void ring_fd "nf_ring"(int fd) noexcept
    bint hear_fd "nf_hear"(int fd) noexcept

cdef Py_ssize_t MAX_KEPT = 2**24
cdef int64_t MIN_INTERVAL = 1_000
cdef int64_t MAX_INTERVAL = 10_000_000_000


cdef class Gaps:
    """Interruptions of a spinning thread."""

    cdef readonly int64_t threshold_ns
    cdef readonly uint64_t turns
    cdef readonly int64_t spun_ns, stolen_ns
    cdef readonly Histogram histogram
    cdef object at_array, length_array
    cdef int64_t[::1] at, length
    cdef Py_ssize_t kept
    cdef int64_t least
    cdef int stopped

    def __cinit__(self, int64_t threshold_ns=1_000, Py_ssize_t keep=2**18):
        if threshold_ns < 1 or not 0 <= keep <= MAX_KEPT:
            raise ValueError("a threshold is 1 ns or more, and at most 2**24 gaps are kept")
        self.threshold_ns = threshold_ns
        self.histogram = Histogram()
        self.at_array, self.length_array = np.zeros(keep, np.int64), np.zeros(keep, np.int64)
        self.at, self.length = self.at_array, self.length_array

    @property
    def least_ns(self):
        return self.least if self.turns else None

    @property
    def at_ns(self):
        return self.at_array[: self.kept]

    @property
    def length_ns(self):
        return self.length_array[: self.kept]

    @property
    def forgotten(self):
        return self.histogram.counts.count - self.kept

    def spin(self, int64_t until_ns):
        cdef int64_t last, now
        with nogil:
            last = now_ns()
            while True:
                now = now_ns()
                self.take(last, now)
                last = now
                if last >= until_ns or is_set(&self.stopped):
                    break

    def feed(self, const int64_t[::1] readings_ns):
        cdef Py_ssize_t k
        with nogil:
            for k in range(1, readings_ns.shape[0]):
                self.take(readings_ns[k - 1], readings_ns[k])

    def stop(self):
        put(&self.stopped, 1)

    cdef inline void take(self, int64_t last, int64_t now) noexcept nogil:
        cdef int64_t step = now - last
        if step < self.least or self.turns == 0:
            self.least = step
        self.turns += 1
        self.spun_ns += step
        if step < self.threshold_ns:
            return
        self.stolen_ns += step
        record(self.histogram.counts, step, 1)
        if self.kept < self.at.shape[0]:
            self.at[self.kept] = last
            self.length[self.kept] = step
            self.kept += 1


cdef class Alarm:
    """By how much a thread wakes late that sleeps until absolute moments."""

    cdef readonly int64_t interval_ns
    cdef readonly uint64_t overruns
    cdef readonly Histogram histogram
    cdef int stopped

    def __cinit__(self, int64_t interval_ns):
        check(interval_ns)
        self.interval_ns = interval_ns
        self.histogram = Histogram()

    def run(self, int64_t until_ns):
        cdef int64_t due
        with nogil:
            due = now_ns() + self.interval_ns
            while True:
                sleep_until(due)
                due = self.woken(due, now_ns())
                if due >= until_ns or is_set(&self.stopped):
                    break

    def take(self, int64_t due_ns, int64_t now_ns):
        return self.woken(due_ns, now_ns)

    def stop(self):
        put(&self.stopped, 1)

    cdef inline int64_t woken(self, int64_t due, int64_t now) noexcept nogil:
        cdef int64_t passed = 0
        record(self.histogram.counts, now - due, 1)
        due += self.interval_ns
        if now >= due:
            passed = (now - due) // self.interval_ns + 1
        self.overruns += <uint64_t>passed
        return due + passed * self.interval_ns


cdef class Bell:
    """How long a ring takes from one thread to another, which sleeps until it hears it."""

    cdef readonly int64_t interval_ns
    cdef readonly uint64_t rings, busy
    cdef readonly Histogram histogram
    cdef int64_t rung
    cdef int fd, pending, stopped

    def __cinit__(self, int64_t interval_ns):
        self.fd = -1
        check(interval_ns)
        self.interval_ns = interval_ns
        self.histogram = Histogram()
        self.fd = os.eventfd(0, os.EFD_CLOEXEC)

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    def ring(self, int64_t until_ns):
        cdef int64_t due, now
        with nogil:
            due = now_ns() + self.interval_ns
            while True:
                sleep_until(due)
                if is_set(&self.pending):
                    self.busy += 1
                else:
                    self.rings += 1
                    self.rung = now_ns()
                    put(&self.pending, 1)
                    ring_fd(self.fd)
                now = now_ns()
                due += self.interval_ns * (1 + max(<int64_t>0, now - due) // self.interval_ns)
                if due >= until_ns or is_set(&self.stopped):
                    break
        self.stop()

    def listen(self):
        cdef int64_t now
        with nogil:
            while hear_fd(self.fd):
                now = now_ns()
                if is_set(&self.pending):
                    record(self.histogram.counts, now - self.rung, 1)
                    put(&self.pending, 0)
                if is_set(&self.stopped):
                    break

    def stop(self):
        put(&self.stopped, 1)
        ring_fd(self.fd)

    def close(self):
        if self.fd >= 0:
            close(self.fd)
            self.fd = -1


cdef int check(int64_t interval_ns) except -1:
    if not MIN_INTERVAL <= interval_ns <= MAX_INTERVAL:
        raise ValueError("an interval is 1 us to 10 s")
    return 0
