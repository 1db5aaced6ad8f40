"""Records of capture files, written in C: pcap's with nanoseconds, and pcapng's enhanced packet blocks. Little-endian.

`wire.pcap.record` and `wire.pcapng.Writer.packet` define the bytes.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef extern from * nogil:
    """
    #include <endian.h>
    #include <stdint.h>
    #include <string.h>

    #define NF_PCAPNG 1         /* Form.PCAPNG; anything else is pcap */

    static inline void nf_put32(uint8_t *to, uint32_t value) {
        value = htole32(value);
        memcpy(to, &value, 4);
    }
    static inline size_t nf_record_bytes(int form, uint32_t captured) {
        return form == NF_PCAPNG ? 32 + (((size_t)captured + 3) & ~(size_t)3) : 16 + (size_t)captured;
    }
    /* Write all of a record of `nf_record_bytes` but the frame, and give where the frame's bytes belong. */
    static inline uint8_t *nf_record(uint8_t *to, int form, uint32_t interface, int64_t ts_ns, uint32_t captured,
                                     uint32_t length) {
        if (form != NF_PCAPNG) {
            nf_put32(to, (uint32_t)(ts_ns / 1000000000));
            nf_put32(to + 4, (uint32_t)(ts_ns % 1000000000));
            nf_put32(to + 8, captured);
            nf_put32(to + 12, length);
            return to + 16;
        }
        uint32_t size = (uint32_t)nf_record_bytes(form, captured);
        nf_put32(to, 6);
        nf_put32(to + 4, size);
        nf_put32(to + 8, interface);
        nf_put32(to + 12, (uint32_t)((uint64_t)ts_ns >> 32));
        nf_put32(to + 16, (uint32_t)ts_ns);
        nf_put32(to + 20, captured);
        nf_put32(to + 24, length);
        memset(to + 28 + captured, 0, size - 32 - captured);
        nf_put32(to + size - 4, size);
        return to + 28;
    }
    """
    size_t record_bytes "nf_record_bytes"(int form, uint32_t captured) noexcept
    uint8_t *record "nf_record"(
        uint8_t *to, int form, uint32_t interface, int64_t ts_ns, uint32_t captured, uint32_t length
    ) noexcept
