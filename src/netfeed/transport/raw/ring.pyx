# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A ring of TPACKET_V3 blocks, read without an object for each frame.

The plain twin `netfeed.transport.raw.blocks.BlockReader` defines it.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from netfeed.transport.raw.record cimport record, record_bytes

from netfeed.machine import NEVER as _NEVER
from netfeed.transport.raw.blocks import ALIGNED as _ALIGNED
from netfeed.transport.raw.blocks import MAX_SNAP as _MAX_SNAP
from netfeed.transport.raw.source import ALL as _ALL
from netfeed.transport.raw.source import Frame as _Frame
from netfeed.transport.raw.source import FrameKind as _FrameKind
from netfeed.transport.raw.source import Why as _Why
from netfeed.transport.raw.source import Written as _Written

_KINDS = tuple(_FrameKind)

cdef extern from * nogil:
    """
    #include <arpa/inet.h>
    #include <linux/if_packet.h>
    #include <stdint.h>
    #include <string.h>

    #define NF_BLOCK_HEAD 48
    #define NF_MAX_LENGTH (1 << 24)
    #define NF_FRAME_HEAD 68    /* tpacket3_hdr and sockaddr_ll */
    _Static_assert(sizeof(struct tpacket_block_desc) == NF_BLOCK_HEAD, "a block's head");
    _Static_assert(sizeof(struct tpacket3_hdr) + sizeof(struct sockaddr_ll) == NF_FRAME_HEAD, "a frame's head");

    static inline uint32_t nf_block_status(uint8_t *block) {
        return __atomic_load_n(&((struct tpacket_block_desc *)block)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
    }
    static inline void nf_block_release(uint8_t *block) {
        __atomic_store_n(&((struct tpacket_block_desc *)block)->hdr.bh1.block_status, TP_STATUS_KERNEL,
                         __ATOMIC_RELEASE);
    }
    static inline uint32_t nf_get32(const uint8_t *from) {
        uint32_t value;
        memcpy(&value, from, 4);
        return value;
    }
    static inline void nf_put16(uint8_t *to, uint16_t value) {
        value = htons(value);
        memcpy(to, &value, 2);
    }
    /* What stands before the frame's own bytes: a cooked header, with its tag if there is one. Gives its length. */
    static inline uint32_t nf_cooked(uint8_t *to, const struct sockaddr_ll *from, int kind, int tagged, uint16_t tpid,
                                     uint16_t tci) {
        uint32_t index = htonl((uint32_t)from->sll_ifindex);
        if (tagged) nf_put16(to, tpid);
        else memcpy(to, &from->sll_protocol, 2);
        memset(to + 2, 0, 2);
        memcpy(to + 4, &index, 4);
        nf_put16(to + 8, from->sll_hatype);
        to[10] = (uint8_t)kind;
        to[11] = from->sll_halen;
        memcpy(to + 12, from->sll_addr, 8);
        if (!tagged) return 20;
        nf_put16(to + 20, tci);
        memcpy(to + 22, &from->sll_protocol, 2);
        return 24;
    }
    """
    enum:
        NF_BLOCK_HEAD
        NF_FRAME_HEAD
        NF_MAX_LENGTH
        TP_STATUS_USER
        TP_STATUS_VLAN_VALID
        TP_STATUS_VLAN_TPID_VALID
        TP_STATUS_TS_RAW_HARDWARE
        PACKET_OUTGOING
    struct tpacket_hdr_variant1:
        uint32_t tp_vlan_tci
        uint16_t tp_vlan_tpid
    struct tpacket3_hdr:
        uint32_t tp_sec
        uint32_t tp_nsec
        uint32_t tp_snaplen
        uint32_t tp_len
        uint32_t tp_status
        uint16_t tp_mac
        tpacket_hdr_variant1 hv1
    struct sockaddr_ll:
        int32_t sll_ifindex
        uint8_t sll_pkttype
    uint32_t block_status "nf_block_status"(uint8_t *block) noexcept
    void block_release "nf_block_release"(uint8_t *block) noexcept
    uint32_t get32 "nf_get32"(const uint8_t *at) noexcept
    void put16 "nf_put16"(uint8_t *to, uint16_t value) noexcept
    uint32_t cooked_head "nf_cooked"(
        uint8_t *to, const sockaddr_ll *address, int kind, bint tagged, uint16_t tpid, uint16_t tci
    ) noexcept

cdef struct Seen:               # the frame at the cursor: what was put in front, and the rest of the kernel's bytes
    int64_t ts_ns
    uint8_t head[24]
    uint32_t head_bytes
    const uint8_t *body
    uint32_t body_bytes
    uint32_t length
    uint8_t kind
    bint hardware

cdef enum:                      # Why
    EMPTY = 0
    ROOM = 1
    COUNT = 2
    TIME = 3


cdef void copy(uint8_t *to, const Seen *seen, uint32_t kept) noexcept nogil:
    cdef uint32_t head = min(seen.head_bytes, kept)
    memcpy(to, seen.head, head)
    memcpy(to + head, seen.body, kept - head)


cdef class BlockReader:
    """Reads the frames of a ring, in order; one thread at a time."""

    cdef object view            # a memoryview of the ring; None once it is closed
    cdef uint8_t *ring          # valid while somebody holds a view
    cdef uint32_t block_bytes, blocks, block, left, at, snap
    cdef int32_t loopback
    cdef bint cooked, inside
    cdef readonly int64_t frames, bytes, invalid, hardware

    def __cinit__(self, ring, int64_t block_bytes, *, int64_t snap=_MAX_SNAP, bint cooked=False, int32_t loopback=0):
        cdef uint8_t[::1] view
        plain = memoryview(ring).cast("B")
        whole = NF_BLOCK_HEAD <= block_bytes < 1 << 31 and not block_bytes % _ALIGNED and not len(plain) % block_bytes
        if not whole or not len(plain) or plain.readonly:
            raise ValueError(f"a ring is a writable buffer of whole blocks, of a multiple of {_ALIGNED} bytes each")
        if not 1 <= snap <= _MAX_SNAP:
            raise ValueError(f"a snap length is 1 to {_MAX_SNAP} bytes")
        view = plain
        self.ring = &view[0]
        if <size_t>self.ring % 4:       # a status is read in one piece
            raise ValueError("a ring begins at a multiple of 4")
        self.view = plain
        self.block_bytes = <uint32_t>block_bytes
        self.blocks = <uint32_t>(len(plain) // block_bytes)
        self.snap = <uint32_t>snap
        self.cooked = cooked
        self.loopback = loopback

    def write_into(
        self, bytearray out not None, int form, uint32_t interface=0, int64_t frames=_ALL, int64_t until_ns=_NEVER
    ):
        cdef uint8_t[::1] held = self.held()    # nobody unmaps the ring meanwhile
        cdef uint8_t[::1] view
        cdef uint8_t *to = NULL
        cdef int64_t used, before = self.frames, first_ns = 0, last_ns = 0
        cdef int why = COUNT
        cdef size_t room = len(out)
        if room:
            view = out                          # nor resizes the buffer
            to = &view[0]
        with nogil:
            used = self.fill(to, room, form, interface, frames, until_ns, &first_ns, &last_ns, &why)
        frames = self.frames - before
        del held
        return _Written(used, frames, first_ns if frames else None, last_ns if frames else None, _Why(why))

    def take(self, int64_t limit=1024):
        cdef uint8_t[::1] held = self.held()
        cdef Seen seen
        cdef uint32_t kept
        cdef bytes data
        found = []
        while len(found) < limit and self.look(&seen):
            kept = min(seen.head_bytes + seen.body_bytes, self.snap)
            data = (<const char *>seen.head)[:min(seen.head_bytes, kept)]
            data += (<const char *>seen.body)[:kept - min(seen.head_bytes, kept)]
            found.append(_Frame(seen.ts_ns, data, seen.length, _KINDS[seen.kind]))
            self.step_over(&seen, kept)
        del held
        return found

    def close(self):
        if self.view is not None:
            self.view.release()
            self.view = None

    cdef object held(self):
        if self.view is None:
            raise ValueError("the ring is closed")
        return self.view

    cdef int64_t fill(
        self, uint8_t *to, size_t room, int form, uint32_t interface, int64_t frames, int64_t until_ns,
        int64_t *first_ns, int64_t *last_ns, int *why,
    ) noexcept nogil:
        """Write records, and give their bytes."""
        cdef Seen seen
        cdef size_t used = 0, size
        cdef uint32_t kept
        cdef int64_t count = 0
        while count < frames:
            if not self.look(&seen):
                why[0] = EMPTY
                break
            kept = min(seen.head_bytes + seen.body_bytes, self.snap)
            size = record_bytes(form, kept)
            if seen.ts_ns >= until_ns or size > room - used:
                why[0] = TIME if seen.ts_ns >= until_ns else ROOM
                break
            copy(record(to + used, form, interface, seen.ts_ns, kept, seen.length), &seen, kept)
            used += size
            if count == 0:
                first_ns[0] = seen.ts_ns
            last_ns[0] = seen.ts_ns
            count += 1
            self.step_over(&seen, kept)
        return <int64_t>used

    cdef bint look(self, Seen *seen) noexcept nogil:
        """Find the next frame that can be read, and leave the cursor on it; no when no block is ours."""
        cdef int invalid
        while self.inside or self.enter():
            while self.left:
                invalid = self.frame(seen)
                if invalid < 0:
                    return True
                self.invalid += invalid
                self.next()
            self.give_back()
        return False

    cdef bint enter(self) noexcept nogil:
        """Begin the next block; no while it is the kernel's."""
        cdef uint8_t *start = self.ring + <size_t>self.block * self.block_bytes
        if not block_status(start) & TP_STATUS_USER:
            return False
        self.inside = True
        self.left = get32(start + 12)
        self.at = get32(start + 16)
        if self.left and (self.at < NF_BLOCK_HEAD or not self.fits(self.at)):
            self.lose()
        return True

    cdef bint fits(self, uint64_t at) noexcept nogil:
        """Say whether the head of a frame that begins there is inside the block."""
        return at + NF_FRAME_HEAD <= self.block_bytes

    cdef int frame(self, Seen *seen) noexcept nogil:
        """Read the frame at the cursor, -1; or give what it adds to `invalid`."""
        cdef const uint8_t *start = self.ring + <size_t>self.block * self.block_bytes + self.at
        cdef tpacket3_hdr head
        cdef sockaddr_ll address
        cdef uint16_t tpid
        cdef bint tagged
        memcpy(&head, start, sizeof(head))
        memcpy(&address, start + sizeof(head), sizeof(address))
        if head.tp_snaplen > head.tp_len or head.tp_len > NF_MAX_LENGTH or head.tp_nsec >= 1000000000:
            return 1
        if <uint64_t>head.tp_mac + head.tp_snaplen > self.block_bytes - self.at:
            return 1
        seen.kind = address.sll_pkttype if address.sll_pkttype <= PACKET_OUTGOING else 0
        if seen.kind == PACKET_OUTGOING and self.loopback and address.sll_ifindex == self.loopback:
            return 0
        tagged = head.hv1.tp_vlan_tci != 0 or (head.tp_status & TP_STATUS_VLAN_VALID) != 0
        tpid = head.hv1.tp_vlan_tpid
        if not tpid and not head.tp_status & TP_STATUS_VLAN_TPID_VALID:
            tpid = 0x8100
        seen.ts_ns = <int64_t>head.tp_sec * 1000000000 + head.tp_nsec
        seen.body = start + head.tp_mac
        seen.body_bytes = head.tp_snaplen
        seen.length = head.tp_len
        seen.hardware = (head.tp_status & <uint32_t>TP_STATUS_TS_RAW_HARDWARE) != 0
        seen.head_bytes = 0
        if self.cooked:
            seen.head_bytes = cooked_head(
                seen.head, &address, seen.kind, tagged, tpid, <uint16_t>head.hv1.tp_vlan_tci
            )
            seen.length += seen.head_bytes
        elif tagged and seen.body_bytes >= 12:
            memcpy(seen.head, seen.body, 12)
            put16(seen.head + 12, tpid)
            put16(seen.head + 14, <uint16_t>head.hv1.tp_vlan_tci)
            seen.head_bytes = 16
            seen.body += 12
            seen.body_bytes -= 12
            seen.length += 4
        return -1

    cdef void step_over(self, const Seen *seen, uint32_t kept) noexcept nogil:
        """Step over a frame that was read; a block without any more is the kernel's again."""
        self.frames += 1
        self.bytes += kept
        self.hardware += seen.hardware
        self.next()
        if not self.left:
            self.give_back()

    cdef void next(self) noexcept nogil:
        """Move the cursor to the next frame of the block; if that lies outside, the rest of the block is lost."""
        cdef uint32_t step
        self.left -= 1
        if self.left:
            step = get32(self.ring + <size_t>self.block * self.block_bytes + self.at)
            if step < NF_FRAME_HEAD or not self.fits(<uint64_t>self.at + step):
                self.lose()
            else:
                self.at += step

    cdef void lose(self) noexcept nogil:
        self.invalid += self.left
        self.left = 0

    cdef void give_back(self) noexcept nogil:
        block_release(self.ring + <size_t>self.block * self.block_bytes)
        self.inside = False
        self.block = (self.block + 1) % self.blocks
