# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Datagrams in batches, with the kernel's receive stamps: one `recvmmsg` a batch, no Python object a datagram.

The plain twin `netfeed.transport.batch.Batch` defines it.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

import os

import numpy as np

from netfeed._core.capture cimport TRUNCATED, UDP, Packet
from netfeed.wire.capture import PACKET as _PACKET

cdef extern from *:
    int64_t NO_TIME "INT64_MIN"

cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <linux/errqueue.h>
    #include <netinet/in.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <time.h>

    /* struct in_pktinfo and in6_pktinfo hide behind feature macros in some headers: read by offset */
    #define NF_NAME 32          /* a sockaddr_in6 has 28 bytes */
    #define NF_CONTROL 192      /* stamps 64, drops 24, addresses 40 */
    #ifndef SO_RXQ_OVFL
    #define SO_RXQ_OVFL 40
    #endif

    static inline int64_t nf_timespec(const uint8_t *p) {
        struct timespec t;
        memcpy(&t, p, sizeof t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline void nf_map_ipv4(uint8_t *to, const void *from) {
        memset(to, 0, 10);
        to[10] = to[11] = 0xFF;
        memcpy(to + 12, from, 4);
    }
    /* Give the port; 0 where the name is of no family that we know. */
    static inline uint16_t nf_address(const void *name, uint8_t *to, uint8_t *version) {
        const struct sockaddr *any = (const struct sockaddr *)name;
        if (any->sa_family == AF_INET) {
            const struct sockaddr_in *four = (const struct sockaddr_in *)name;
            nf_map_ipv4(to, &four->sin_addr);
            *version = 4;
            return ntohs(four->sin_port);
        }
        memset(to, 0, 16);
        *version = 0;
        if (any->sa_family != AF_INET6) return 0;
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)name;
        memcpy(to, &six->sin6_addr, 16);
        *version = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? 4 : 6;
        return ntohs(six->sin6_port);
    }
    static inline void nf_control(struct msghdr *head, int hardware, int64_t *ts_ns, int64_t *kernel_ns,
                                  int64_t *drops, uint8_t *destination, uint32_t *interface) {
        for (struct cmsghdr *one = CMSG_FIRSTHDR(head); one; one = CMSG_NXTHDR(head, one)) {
            const uint8_t *p = CMSG_DATA(one);
            size_t size = one->cmsg_len - CMSG_LEN(0);
            if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_TIMESTAMPNS && size >= 16) {
                if (*kernel_ns == INT64_MIN) *kernel_ns = nf_timespec(p);
                if (*ts_ns == INT64_MIN) *ts_ns = *kernel_ns;
            } else if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_TIMESTAMPING && size >= 48) {
                int64_t soft = nf_timespec(p), hard = nf_timespec(p + 32);   /* zero: not taken */
                if (soft) *kernel_ns = soft;
                if (hardware && hard) *ts_ns = hard;
                else if (soft) *ts_ns = soft;
            } else if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SO_RXQ_OVFL && size >= 4) {
                uint32_t v;
                memcpy(&v, p, 4);
                *drops = v;
            } else if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO && size >= 12) {
                memcpy(interface, p, 4);
                nf_map_ipv4(destination, p + 8);
            } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO && size >= 20) {
                memcpy(destination, p, 16);
                memcpy(interface, p + 16, 4);
            }
        }
    }
    """
    enum:
        NF_NAME
        NF_CONTROL
        MSG_DONTWAIT
        MSG_TRUNC
    uint16_t address_of "nf_address"(const void *name, uint8_t *to, uint8_t *version) noexcept
    void read_control "nf_control"(
        msghdr *head, int hardware, int64_t *ts_ns, int64_t *kernel_ns, int64_t *drops, uint8_t *destination,
        uint32_t *interface
    ) noexcept
    cdef struct timespec:
        pass
    int recvmmsg(int fd, mmsghdr *heads, unsigned int count, int flags, timespec *timeout)
    cdef struct sockaddr:
        pass
    int getsockname(int fd, sockaddr *name, unsigned int *size)


cdef int local_of(int fd, Local *local) noexcept nogil:
    """Ask where a socket is bound to; minus the errno when it is none."""
    cdef uint8_t name[128]
    cdef unsigned int size = sizeof(name)
    memset(name, 0, sizeof(name))
    if getsockname(fd, <sockaddr *>name, &size) != 0:
        return -errno
    local.port = address_of(name, local.address, &local.ip_version)
    return 0


cdef class Batch:
    """Room for a batch of datagrams: rows that describe them and one buffer that holds them."""

    def __cinit__(self, int packets=64, int size=2048, *, bint hardware=False):
        cdef int k
        cdef uint8_t[::1] rows, data
        cdef int64_t[::1] stamps
        cdef int stride
        if not 1 <= packets <= 1024 or not 1 <= size <= 65536:
            raise ValueError("a batch has 1 to 1024 packets of 1 to 65536 bytes")
        self.capacity = packets
        self.size = size
        # an odd number of cache lines: slots a power of two apart would share a few sets of the first cache
        stride = ((size + 63) // 64 | 1) * 64
        self.hardware = hardware
        self.packets_array = np.zeros(packets, _PACKET)
        self.data_array = np.zeros(packets * stride, np.uint8)
        self.stamps_array = np.full(packets, NO_TIME, np.int64)
        stamps = self.stamps_array
        self.kernel = &stamps[0]
        rows = self.packets_array.view(np.uint8)
        data = self.data_array
        self.rows = <Packet *>&rows[0]
        self.bytes = &data[0]
        self.heads = <mmsghdr *>calloc(packets, sizeof(mmsghdr))
        self.vectors = <iovec *>calloc(packets, sizeof(iovec))
        self.names = <uint8_t *>calloc(packets, NF_NAME)
        self.controls = <uint8_t *>calloc(packets, NF_CONTROL)
        if self.heads == NULL or self.vectors == NULL or self.names == NULL or self.controls == NULL:
            raise MemoryError("no memory for a batch of datagrams")
        for k in range(packets):
            self.vectors[k].iov_base = self.bytes + <size_t>k * stride
            self.vectors[k].iov_len = size
            self.heads[k].msg_hdr.msg_iov = &self.vectors[k]
            self.heads[k].msg_hdr.msg_iovlen = 1
            self.heads[k].msg_hdr.msg_control = self.controls + <size_t>k * NF_CONTROL
            self.heads[k].msg_hdr.msg_controllen = NF_CONTROL
            self.rows[k].payload_offset = <int64_t>k * stride
            self.rows[k].vlan = 0xFFFF

    def __dealloc__(self):
        free(self.heads)
        free(self.vectors)
        free(self.names)
        free(self.controls)

    @property
    def packets(self):
        return self.packets_array

    @property
    def kernel_ns(self):
        return self.stamps_array

    @property
    def data(self):
        return memoryview(self.data_array)

    def receive(self, int fd):
        cdef Local local
        cdef int count
        with nogil:
            count = local_of(fd, &local)
            if count == 0:
                count = self.fill(fd, &local, True)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return count

    cdef void name(self, bint named) noexcept nogil:
        """Have the kernel say who sent a datagram, or not: it costs as much as all else that is done here."""
        cdef int k
        for k in range(self.capacity):
            self.heads[k].msg_hdr.msg_name = self.names + <size_t>k * NF_NAME if named else NULL
            self.heads[k].msg_hdr.msg_namelen = NF_NAME if named else 0
            memset(self.rows[k].source, 0, 16)
            self.rows[k].source_port = 0
        self.named = named

    cdef int fill(self, int fd, const Local *local, bint named) noexcept nogil:
        cdef int count, k
        if named != self.named:
            self.name(named)
        while True:
            count = recvmmsg(fd, self.heads, self.capacity, MSG_DONTWAIT | MSG_TRUNC, NULL)
            if count >= 0:
                break
            if errno == EAGAIN:
                return 0
            if errno != EINTR:
                return -errno
        if count:
            self.drops = 0
        for k in range(count):
            self.describe(k, local)
        return count

    cdef void describe(self, int k, const Local *local) noexcept nogil:
        """Fill a row from what the kernel said of its datagram, and make the slot ready for the next one."""
        cdef msghdr *head = &self.heads[k].msg_hdr
        cdef Packet *row = &self.rows[k]
        cdef uint32_t length = self.heads[k].msg_len
        row.ts_ns = self.kernel[k] = NO_TIME
        row.interface = 0
        row.original_length = length
        row.kind = UDP
        if length > <uint32_t>self.size:
            row.kind = TRUNCATED
            length = self.size
        row.payload_length = row.captured_length = length
        row.destination_port = local.port
        memcpy(row.destination, local.address, 16)
        row.ip_version = local.ip_version
        if self.named:
            row.source_port = address_of(head.msg_name, row.source, &row.ip_version)
            head.msg_namelen = NF_NAME
        read_control(
            head, self.hardware, &row.ts_ns, &self.kernel[k], &self.drops, row.destination, &row.interface
        )
        head.msg_controllen = NF_CONTROL
        head.msg_flags = 0
