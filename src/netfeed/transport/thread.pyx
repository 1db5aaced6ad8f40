# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The hot path, live, in a thread that never needs the interpreter's lock. `netfeed.transport.receiver` defines it.

What plain Python wants of the thread it writes down (a channel's state, changes to publish), counts up `requests`, and
where it cannot wait for the next packet rings `bell`. The thread looks between two batches and answers.
"""

from libc.errno cimport EBADF, EINTR, ENOTSOCK, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

import os
from threading import Thread as _Thread

import numpy as np

from netfeed._core.capture cimport UDP, Packet
from netfeed._core.histogram cimport Histogram, record
from netfeed._core.itch cimport ItchBooks
from netfeed._core.path cimport NOT_EXPECTED, NO_ROOM, TAKEN, Lane, Path
from netfeed._core.starbase cimport StarbaseBooks
from netfeed.transport.mmsg cimport Batch, Local, local_of
from netfeed.transport.queue cimport (
    Entry, Queue, begin, commit, drop, first, get64, get_acquire, get_ordered, get_time, set64, set_ordered, set_release, swap_if,
)
from netfeed.transport.shared cimport Writer
from netfeed.transport.trace cimport Tracer

from netfeed.errors import MisuseError as _MisuseError
from netfeed.transport import receiver_account as _account
from netfeed.transport.started import Started as _Started

cdef extern from *:
    int64_t NO_TIME "INT64_MIN"

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sched.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <time.h>
    #include <unistd.h>

    static inline int64_t nf_clock(int which) {
        struct timespec t;
        clock_gettime(which, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline void nf_nap(long ns) {
        struct timespec t = {0, ns};
        nanosleep(&t, NULL);
    }
    static inline int nf_watch(int epoll, int fd, uint32_t number) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = number}};
        return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    static inline int nf_unwatch(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }
    static inline int nf_wait(int epoll, uint32_t *numbers, int room, int timeout_ms) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, room < 64 ? room : 64, timeout_ms);
        for (int k = 0; k < count; k++) numbers[k] = events[k].data.u32;
        return count;
    }
    static inline void nf_signal(int fd) { uint64_t one = 1; ssize_t done = write(fd, &one, 8); (void)done; }
    static inline void nf_unsignal(int fd) { uint64_t any; ssize_t done = read(fd, &any, 8); (void)done; }

    static inline void nf_put16(uint8_t *p, uint32_t v) { p[0] = v >> 8; p[1] = v; }
    static inline uint32_t nf_sum(uint32_t sum, const uint8_t *p, size_t size) {
        uint64_t wide = sum;
        size_t k = 0;
        for (; k + 1 < size; k += 2) wide += (uint32_t)p[k] << 8 | p[k + 1];
        if (k < size) wide += (uint32_t)p[k] << 8;
        while (wide >> 16) wide = (wide & 0xFFFF) + (wide >> 16);
        return (uint32_t)wide;
    }
    """
    enum:
        CLOCK_MONOTONIC
        CLOCK_REALTIME
    int64_t clock_ns "nf_clock"(int which) noexcept
    void nap "nf_nap"(long ns) noexcept
    int watch "nf_watch"(int epoll, int fd, uint32_t number)
    int unwatch "nf_unwatch"(int epoll, int fd)
    int wait_for "nf_wait"(int epoll, uint32_t *numbers, int room, int timeout_ms)
    void signal "nf_signal"(int fd) noexcept
    void unsignal "nf_unsignal"(int fd) noexcept
    void put16 "nf_put16"(uint8_t *p, uint32_t v) noexcept
    uint32_t add_up "nf_sum"(uint32_t sum, const uint8_t *p, size_t size) noexcept
    int sched_yield()
    int epoll_create1(int flags)
    int eventfd(unsigned int value, int flags)

cdef enum:
    SOCKETS = 256
    SOURCES = 8
    CHANNELS = 1024
    ROUNDS = 8
    BELL = 0xFFFFFFFF           # the number that epoll gives for the bell
    CLOEXEC = 0o2000000
    NONBLOCK = 0o4000
    ROWS = 512                  # changes from plain Python in one entry
    RECORD = 64
    PATIENCE_NS = 5_000_000_000     # a thread that does not answer so long is stuck, which is a bug
    # Owner
    IN_PLAIN = 0
    OFFERED = 1
    ARMED = 2
    RECALLED = 3

cdef struct Hold:
    int state                   # an Owner; plain Python and the thread each make certain steps only
    bint mine                   # ARMED, as the thread knows it
    uint64_t diverted           # counted by the thread
    uint64_t consumed           # counted by plain Python
    Lane *lane

cdef struct Socket:
    int fd
    int live
    int32_t line
    int32_t channel
    Hold *hold                  # NULL: all packets are for plain Python
    Local local
    int source_count
    uint8_t sources[SOURCES][16]
    uint32_t last_drops
    uint64_t packets, bytes, taken, diverted, overflow, foreign, truncated, drops, errors
    int error
    int64_t last_ts


cdef uint64_t rounded(uint64_t size):
    """Give the next power of two."""
    cdef uint64_t power = 1
    while power < size:
        power *= 2
    return power


cdef int open_queue(Queue *q, uint64_t size) except -1:
    memset(q, 0, sizeof(Queue))
    q.size = rounded(size)
    q.memory = <uint8_t *>calloc(1, q.size)
    if q.memory == NULL:
        raise MemoryError("no memory for a queue")
    return 0


cdef void warm_queue(Queue *q) noexcept:
    """Touch all of a queue that was never used: else each page costs its first use, and a soak looks like a leak."""
    if q.memory != NULL and q.tail == 0:
        memset(q.memory, 0, q.size)


cdef list checked(sources):
    cdef list allowed = sorted({bytes(source) for source in sources})
    if len(allowed) > SOURCES or any(len(source) != 16 for source in allowed):
        raise ValueError(f"a socket allows at most {SOURCES} sources of 16 bytes")
    return allowed


cdef void put_sources(Socket *one, list allowed):
    cdef int k
    cdef bytes name
    for k in range(<int>len(allowed)):
        name = allowed[k]
        memcpy(one.sources[k], <const char *>name, 16)
    one.source_count = <int>len(allowed)


cdef uint64_t block(uint8_t *out, uint32_t interface, const Packet *row, const uint8_t *payload) noexcept nogil:
    """Write an enhanced packet block, as netfeed.transport.journal.block; returns its length, at most 92 and the payload."""
    cdef uint32_t kept = row.payload_length, whole = 8 + row.original_length
    cdef uint32_t header = 40 if row.ip_version == 6 else 20
    cdef uint32_t size = header + 8 + kept
    cdef uint32_t padded = (size + 3) & ~<uint32_t>3
    cdef uint32_t length = padded + 32
    cdef uint64_t ticks = 0 if row.ts_ns == NO_TIME else <uint64_t>row.ts_ns
    cdef uint32_t words[7]
    cdef uint8_t *ip = out + 28
    cdef uint8_t *udp = ip + header
    cdef uint32_t sum_ = 0
    words[0] = 6
    words[1] = length
    words[2] = interface
    words[3] = <uint32_t>(ticks >> 32)
    words[4] = <uint32_t>ticks
    words[5] = size
    words[6] = header + whole
    memcpy(out, words, 28)
    memset(ip, 0, header)
    put16(udp, row.source_port)
    put16(udp + 2, row.destination_port)
    put16(udp + 4, min(whole, <uint32_t>0xFFFF))
    put16(udp + 6, 0)
    memcpy(udp + 8, payload, kept)
    if row.ip_version == 6:
        ip[0] = 0x60
        put16(ip + 4, min(whole, <uint32_t>0xFFFF))
        ip[6] = 17
        ip[7] = 1
        memcpy(ip + 8, row.source, 16)
        memcpy(ip + 24, row.destination, 16)
        sum_ = add_up(17 + (whole >> 16) + (whole & 0xFFFF), ip + 8, 32)
        sum_ = 0xFFFF - add_up(sum_, udp, 8 + kept)
        put16(udp + 6, sum_ if sum_ else 0xFFFF)
    else:
        ip[0] = 0x45
        put16(ip + 2, min(20 + whole, <uint32_t>0xFFFF))
        ip[6] = 0x40
        ip[8] = 1
        ip[9] = 17
        memcpy(ip + 12, row.source + 12, 4)
        memcpy(ip + 16, row.destination + 12, 4)
        put16(ip + 10, 0xFFFF - add_up(0, ip, 20))
    memset(ip + size, 0, padded - size)
    memcpy(out + 28 + padded, &length, 4)
    return length


cdef class Receiver:
    """Receives for all sockets of one path."""

    cdef readonly Path path
    cdef readonly Histogram latency
    cdef public bint spin
    cdef Batch batch
    cdef Writer ring
    cdef Tracer trace
    cdef bint has_ring, has_journal, has_trace
    cdef object cpu, priority, thread, held, books
    cdef Socket *sockets
    cdef uint64_t socket_count
    cdef Hold *holds
    cdef uint64_t hold_count        # all below it may be looked at
    cdef Queue diverted             # thread -> plain Python
    cdef Queue kept                 # thread -> journal
    cdef Queue given                # plain Python -> thread: changes
    cdef int announced              # `event` was signalled and nobody has taken since
    cdef int event, bell, epoll
    cdef uint64_t requests, answered
    cdef int stopping, over
    cdef int failed
    cdef uint64_t turns, published
    cdef int64_t longest

    def __cinit__(
        self, Path path not None, ring=None, *, int packets=32, int size=2048, uint64_t queue=1 << 24, uint64_t journal=0,
        bint spin=False, cpu=None, priority=None, bint hardware=False, Tracer trace=None,
    ):
        self.event = self.bell = self.epoll = -1
        if not 1 << 12 <= queue <= <uint64_t>1 << 32 or journal > <uint64_t>1 << 34:
            raise ValueError("a queue has 4 KiB to 4 GiB, a journal at most 16 GiB")
        self.path, self.spin, self.cpu, self.priority = path, spin, cpu, priority
        self.latency = Histogram()
        self.ring = getattr(ring, "writer", ring)
        self.has_ring = ring is not None
        if self.has_ring and self.ring.record != RECORD:
            raise ValueError(f"a change has {RECORD} bytes, and the ring's records {self.ring.record}")
        self.trace = trace
        self.has_trace = trace is not None
        self.has_journal = journal != 0
        self.batch = Batch(packets, size, hardware=hardware)
        self.held, self.books, self.over = {}, {}, 1
        self.sockets = <Socket *>calloc(SOCKETS, sizeof(Socket))
        self.holds = <Hold *>calloc(CHANNELS, sizeof(Hold))
        if self.sockets == NULL or self.holds == NULL:
            raise MemoryError("no memory for sockets")
        open_queue(&self.diverted, queue)
        open_queue(&self.given, 1 << 20)
        if journal:
            open_queue(&self.kept, max(journal, <uint64_t>1 << 18))
        self.event = eventfd(0, CLOEXEC | NONBLOCK)
        self.bell = eventfd(0, CLOEXEC | NONBLOCK)
        self.epoll = epoll_create1(CLOEXEC)
        if self.event < 0 or self.bell < 0 or self.epoll < 0 or watch(self.epoll, self.bell, BELL) != 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        self.let_go()
        free(self.sockets)
        free(self.holds)
        free(self.diverted.memory)
        free(self.given.memory)
        free(self.kept.memory)

    # --- what it knows

    def add(self, sock, *, int channel=-1, int line=0, books=None, sources=()):
        cdef Socket *one
        cdef Lane *lane = NULL
        cdef int fd = sock if isinstance(sock, int) else sock.fileno()
        cdef uint64_t number = self.socket_count
        cdef int said
        cdef list allowed = checked(sources)
        if number == SOCKETS:
            raise ValueError(f"more than {SOCKETS} sockets")
        one = &self.sockets[number]
        memset(one, 0, sizeof(Socket))
        if channel != -1:
            lane = self.path.lane_of(channel)
            if not 0 <= line < 16 or books is None:
                raise ValueError("a channel's socket has a line below 16, and books")
            if <void *>books != lane.books:
                raise ValueError("these are not the books that the path has for the channel")
            for other, known in self.books.items():
                if known is books and other != channel:
                    raise ValueError("another channel feeds the same books: they can have one owner only")
            one.hold = &self.holds[channel]
        said = local_of(fd, &one.local)
        if said < 0:
            raise OSError(-said, os.strerror(-said))
        one.fd = fd
        one.line = line
        one.channel = channel
        one.last_ts = NO_TIME
        put_sources(one, allowed)
        if watch(self.epoll, fd, <uint32_t>number) != 0:
            raise OSError(errno, os.strerror(errno))
        if channel != -1 and channel not in self.books:
            # room for the changes of the longest packet; where it does not suffice plain Python takes that packet
            books.books.warm()
            books.books.reserve((self.batch.size // 2 + 256) * 8)
            self.books[channel] = books
            one.hold.lane = lane
            lane.armed = 1          # for who is asked: the hold decides
            self.hold_count = max(self.hold_count, <uint64_t>channel + 1)
        self.held[number] = sock
        set_ordered(&one.live, 1)
        set_release(&self.socket_count, number + 1)
        return number

    def allow(self, int number, sources):
        cdef Socket *one = self.socket(number)
        cdef list allowed = checked(sources)
        cdef bint live = one.live
        if live:
            set_ordered(&one.live, 0)
            self.ask(True)              # the thread does not look at it any more; what comes waits in the kernel
        put_sources(one, allowed)
        if live:
            set_ordered(&one.live, 1)

    def remove(self, int number):
        cdef Socket *one = self.socket(number)
        if one.live:
            set_ordered(&one.live, 0)
            unwatch(self.epoll, one.fd)
            self.ask(True)
            self.held[number] = None

    def fileno(self):
        return self.event

    # --- the thread

    def start(self):
        if self.thread is not None:
            raise _MisuseError("the receiver runs")
        if self.epoll < 0:
            raise _MisuseError("the receiver is closed")
        self.stopping = self.over = self.failed = 0
        warm_queue(&self.diverted)
        warm_queue(&self.given)
        warm_queue(&self.kept)
        started = _Started()
        self.thread = _Thread(target=self._run, args=(started,), name="netfeed-receiver", daemon=True)
        self.thread.start()
        try:
            started.wait()
        except BaseException:
            self.thread.join()
            self.thread = None
            raise

    def _run(self, started):
        try:
            started.run(self.cpu, self.priority)
            if started.failed:
                return
            with nogil:
                while not get_ordered(&self.stopping) and self.failed == 0:
                    self.once(-1)
        finally:
            self.give_up()
            set_ordered(&self.over, 1)

    def stop(self):
        if self.thread is not None:
            set_ordered(&self.stopping, 1)
            signal(self.bell)
            self.thread.join()
            self.thread = None
        self.give_up()

    @property
    def running(self):
        return self.thread is not None and self.thread.is_alive()

    def close(self):
        self.stop()
        self.let_go()

    def turn(self, int64_t timeout_ns=0):
        cdef int timeout_ms = <int>min(max((timeout_ns + 999_999) // 1_000_000, <int64_t>0), <int64_t>1 << 30)
        if self.thread is not None:
            raise _MisuseError("the receiver's thread does this")
        with nogil:
            self.once(timeout_ms)

    # --- who owns a channel

    def owner(self, int channel):
        return get_ordered(&self.hold(channel).state)

    def offer(self, int channel, bytes session, uint64_t next_sequence):
        cdef Hold *hold = self.hold(channel)
        if len(session) > 10:
            raise ValueError("a session has at most 10 bytes")
        if get_ordered(&hold.state) != IN_PLAIN:
            raise _MisuseError(f"channel {channel} is not plain Python's to offer")
        if get64(&hold.diverted) != hold.consumed:
            return False
        memset(hold.lane.session, 0, 10)
        memcpy(hold.lane.session, <const char *>session, len(session))
        set64(&hold.lane.next, next_sequence)
        hold.lane.last_send = NO_TIME
        set_ordered(&hold.state, OFFERED)
        self.ask(False)
        return True

    def recall(self, int channel):
        cdef Hold *hold = self.hold(channel)
        if get_ordered(&hold.state) == IN_PLAIN or swap_if(&hold.state, OFFERED, IN_PLAIN):
            return
        if swap_if(&hold.state, ARMED, RECALLED):
            self.ask(True)

    def progress(self, int channel):
        cdef Lane *lane = self.hold(channel).lane
        return get64(&lane.next), get_time(&lane.last_ts), lane.m.book_count

    # --- what comes out

    def take(self, int limit=1024):
        cdef Entry *entry
        cdef const Packet *row
        cdef const uint8_t *payload
        cdef Socket *one
        found = []
        if self.event >= 0:
            unsignal(self.event)
        set_ordered(&self.announced, 0)
        while len(found) < limit:
            entry = first(&self.diverted)
            if entry == NULL:
                return found
            row = <const Packet *>(<uint8_t *>entry + sizeof(Entry))
            payload = <const uint8_t *>row + sizeof(Packet)
            one = &self.sockets[entry.tag]
            found.append(_account.Diverted(
                entry.tag, row.ts_ns, payload[: row.payload_length], row.source[:16], row.source_port, row.kind == UDP,
                row.record_offset, row.payload_offset,
            ))
            if one.hold != NULL:
                one.hold.consumed += 1
            drop(&self.diverted, entry)
        if first(&self.diverted) != NULL:
            set_ordered(&self.announced, 1)
            signal(self.event)
        return found

    def publish(self, rows):
        cdef const uint8_t[::1] raw = np.ascontiguousarray(rows).view(np.uint8)
        cdef uint64_t at = 0, size = <uint64_t>raw.shape[0], part
        cdef uint8_t *room
        cdef int64_t end
        if size % RECORD:
            raise ValueError("a record has 64 bytes")
        if get_ordered(&self.over):
            self.hand_on()
            if size:
                self.put(&raw[0], size // RECORD)
            return
        while at < size:
            part = min(size - at, <uint64_t>ROWS * RECORD)
            room = begin(&self.given, 0, <uint32_t>part)
            if room == NULL:
                self.ask(True)
                if get_ordered(&self.over):
                    self.hand_on()
                continue
            memcpy(room, &raw[at], part)
            commit(&self.given)
            at += part
        if size:
            self.ask(False)
            signal(self.bell)

    def journal(self, uint64_t limit=1 << 20):
        cdef bytearray out
        cdef uint8_t *to
        cdef uint64_t size = 0
        cdef Entry *entry
        cdef const Packet *row
        if not self.has_journal:
            return b""
        limit = max(limit, <uint64_t>1 << 17)
        out = bytearray(limit)
        to = <uint8_t *><char *>out
        with nogil:
            while True:
                entry = first(&self.kept)
                if entry == NULL or size + entry.size + 100 > limit:
                    break
                row = <const Packet *>(<uint8_t *>entry + sizeof(Entry))
                size += block(to + size, entry.tag, row, <const uint8_t *>row + sizeof(Packet))
                drop(&self.kept, entry)
        return bytes(memoryview(out)[:size])

    def latencies(self):
        copy = Histogram()
        copy.merge(self.latency)
        return copy

    def statistics(self):
        cdef Socket *one
        cdef uint64_t k
        found = []
        for k in range(self.socket_count):
            one = &self.sockets[k]
            found.append(_account.SocketStatistics(
                k, one.packets, one.bytes, one.taken, one.diverted, one.overflow, one.foreign, one.truncated, one.drops,
                one.errors, os.strerror(one.error) if one.error else None, None if one.last_ts == NO_TIME else one.last_ts,
            ))
        return _account.ReceiverStatistics(
            self.running, self.turns, self.longest, self.published, get64(&self.diverted.tail) - self.diverted.head,
            self.diverted.most, get64(&self.kept.tail) - get64(&self.kept.head), self.kept.overflow,
            os.strerror(self.failed) if self.failed else None, tuple(found),
        )

    # --- plain Python's side

    cdef Socket *socket(self, int number) except NULL:
        if not 0 <= number < <int>self.socket_count:
            raise ValueError(f"there is no socket {number}")
        return &self.sockets[number]

    cdef Hold *hold(self, int channel) except NULL:
        if not 0 <= channel < <int>self.hold_count or self.holds[channel].lane == NULL:
            raise ValueError(f"the receiver has no channel {channel}")
        return &self.holds[channel]

    cdef int ask(self, bint wait) except -1:
        """Let the thread look at what plain Python wrote down; with `wait`, until it has."""
        cdef uint64_t number = self.requests + 1
        cdef int64_t end
        cdef int tries = 0
        cdef bint late = False
        set_release(&self.requests, number)
        if not wait:
            return 0
        if get_ordered(&self.over):
            self.attend()
            return 0
        with nogil:
            signal(self.bell)
            end = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS
            while get_acquire(&self.answered) < number and not get_ordered(&self.over):
                tries += 1
                if tries < 100:
                    sched_yield()
                else:
                    nap(20_000)
                if clock_ns(CLOCK_MONOTONIC) > end:
                    late = True
                    break
        if late:
            raise TimeoutError("the receiver's thread does not answer")
        if get_ordered(&self.over):
            self.attend()
        return 0

    cdef void let_go(self):
        for fd in (self.event, self.bell, self.epoll):
            if fd >= 0:
                os.close(fd)
        self.event = self.bell = self.epoll = -1

    # --- the thread's side: nothing below needs the interpreter

    cdef void once(self, int timeout_ms) noexcept nogil:
        """Wait, and receive what has come."""
        cdef uint32_t numbers[64]
        cdef uint64_t before = 0, k
        cdef int64_t start
        cdef int count, at
        cdef bint any = False
        self.attend()
        if self.spin:
            start = clock_ns(CLOCK_MONOTONIC)
            for k in range(get_acquire(&self.socket_count)):
                any |= self.drain(<uint32_t>k)
        else:
            count = wait_for(self.epoll, numbers, 64, timeout_ms)
            if count < 0:
                if errno != EINTR:
                    self.failed = errno
                return
            start = clock_ns(CLOCK_MONOTONIC)
            for at in range(count):
                if numbers[at] == BELL:
                    unsignal(self.bell)
            self.attend()           # an offer rings no bell: it is looked at before the next packet
            for at in range(count):
                if numbers[at] != BELL:
                    any |= self.drain(numbers[at])
        if any:
            self.turns += 1
            start = clock_ns(CLOCK_MONOTONIC) - start
            if start > self.longest:
                self.longest = start

    cdef void attend(self) noexcept nogil:
        """Do what plain Python asked for. No message waits in a channel here."""
        cdef uint64_t asked = get_acquire(&self.requests), k
        cdef Hold *hold
        if asked == self.answered:
            return
        self.hand_on()
        for k in range(self.hold_count):
            hold = &self.holds[k]
            if get_ordered(&hold.state) == OFFERED:
                self.consider(hold)
            elif get_ordered(&hold.state) == RECALLED:
                hold.mine = False
                set_ordered(&hold.state, IN_PLAIN)
        set_release(&self.answered, asked)

    cdef void consider(self, Hold *hold) noexcept nogil:
        """Take a channel that is offered, unless packets of it wait for plain Python."""
        if hold.diverted != hold.consumed:
            swap_if(&hold.state, OFFERED, IN_PLAIN)
            return
        if swap_if(&hold.state, OFFERED, ARMED):
            hold.mine = True

    cdef void give_up(self) noexcept nogil:
        """Give every channel back to plain Python."""
        cdef uint64_t k
        self.hand_on()
        for k in range(self.hold_count):
            self.holds[k].mine = False
            set_ordered(&self.holds[k].state, IN_PLAIN)
        set_release(&self.answered, get_acquire(&self.requests))

    cdef void hand_on(self) noexcept nogil:
        """Publish what plain Python gave."""
        cdef Entry *entry = first(&self.given)
        while entry != NULL:
            self.put(<uint8_t *>entry + sizeof(Entry), entry.size // RECORD)
            drop(&self.given, entry)
            entry = first(&self.given)

    cdef void put(self, const uint8_t *records, uint64_t count) noexcept nogil:
        self.published += count
        if self.has_ring:
            self.ring.put(records, count)

    cdef bint drain(self, uint32_t number) noexcept nogil:
        """Receive what waits in a socket, and say whether anything did."""
        cdef Socket *one = &self.sockets[number]
        cdef int count, round
        cdef uint32_t drops
        cdef bint named
        for round in range(ROUNDS):
            if not get_ordered(&one.live):
                return round != 0
            named = one.source_count != 0 or self.has_journal or one.hold == NULL or not one.hold.mine
            count = self.batch.fill(one.fd, &one.local, named)
            if count < 0:
                one.errors += 1
                one.error = -count
                if count == -EBADF or count == -ENOTSOCK:
                    set_ordered(&one.live, 0)   # or a loop would spin on it
                return round != 0
            if count == 0:
                return round != 0
            if self.has_trace:
                self.trace.received(count)
            drops = <uint32_t>self.batch.drops
            if drops != 0:
                one.drops += <uint32_t>(drops - one.last_drops)
                one.last_drops = drops
            self.handle(number, one, count)
            if get_acquire(&self.requests) != self.answered:
                self.attend()
            if count < self.batch.capacity:
                return True
        return True

    cdef void handle(self, uint32_t number, Socket *one, int count) noexcept nogil:
        """Deal with a batch of a socket."""
        cdef Packet *row
        cdef Hold *hold = one.hold
        cdef Lane *lane = hold.lane if hold != NULL else NULL
        cdef const uint8_t *payload
        cdef uint8_t took[1024]
        cdef uint64_t size = 0, taken = 0, following = 0
        cdef int64_t now
        cdef int k, said
        for k in range(count):
            row = &self.batch.rows[k]
            payload = self.batch.bytes + row.payload_offset
            size += row.payload_length
            took[k] = 0
            if row.kind != UDP:
                one.truncated += 1
            if self.has_journal:
                self.keep(&self.kept, number, row, payload)
            if one.source_count and not self.allows(one, row.source):
                one.foreign += 1
                continue
            if hold != NULL and hold.mine and row.kind == UDP:
                following = lane.next
                said = self.path.admit(lane, one.line, row, payload)
                if said == NO_ROOM:
                    self.tell(lane)
                    said = self.path.admit(lane, one.line, row, payload)
                if said == TAKEN:
                    took[k] = 1
                    taken += 1
                    if self.has_trace and lane.next != following:   # a copy changes no book
                        self.trace.decoded(
                            <uint16_t>lane.number, one.line, row.ts_ns, self.batch.kernel[k], following,
                            lane.next - following,
                        )
                    continue
                if said == NOT_EXPECTED and self.path.idle(lane, one.line, row, payload):
                    one.taken += 1
                    continue
            self.divert(number, one, row, self.batch.kernel[k], payload)
        one.packets += count
        one.bytes += size
        one.last_ts = self.batch.rows[count - 1].ts_ns
        if taken == 0:
            return
        one.taken += taken
        self.tell(lane)
        now = clock_ns(CLOCK_REALTIME)
        for k in range(count):
            if took[k]:
                record(self.latency.counts, now - self.batch.rows[k].ts_ns, 1)

    cdef void tell(self, Lane *lane) noexcept nogil:
        """Apply the messages that wait and publish what they changed."""
        self.path.flush(lane)
        if lane.m.change_count:
            self.put(<const uint8_t *>lane.m.changes, lane.m.change_count)
            lane.m.change_count = 0
        if self.has_trace:
            self.trace.told()

    cdef bint allows(self, const Socket *one, const uint8_t *source) noexcept nogil:
        cdef int k
        for k in range(one.source_count):
            if memcmp(one.sources[k], source, 16) == 0:
                return True
        return False

    cdef bint keep(self, Queue *queue, uint32_t number, const Packet *row, const uint8_t *payload) noexcept nogil:
        """Copy a packet into a queue; says whether there was room."""
        cdef uint8_t *room = begin(queue, number, <uint32_t>sizeof(Packet) + row.payload_length)
        if room == NULL:
            return False
        memcpy(room, row, sizeof(Packet))
        memcpy(room + sizeof(Packet), payload, row.payload_length)
        commit(queue)
        return True

    cdef void divert(
        self, uint32_t number, Socket *one, const Packet *row, int64_t kernel_ns, const uint8_t *payload
    ) noexcept nogil:
        """Leave a packet to plain Python. In a queue neither offset means anything: there stand stamps for its trace."""
        cdef Packet copy = row[0]
        copy.record_offset = self.trace.user_ns if self.has_trace else NO_TIME
        copy.payload_offset = kernel_ns
        if not self.keep(&self.diverted, number, &copy, payload):
            one.overflow += 1
            return
        one.diverted += 1
        if one.hold != NULL:
            set64(&one.hold.diverted, one.hold.diverted + 1)
        if not get_ordered(&self.announced):
            set_ordered(&self.announced, 1)
            signal(self.event)
