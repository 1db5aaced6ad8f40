/* The sender and the bare receiver of `live_rate`; each is one call that needs no interpreter. */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MOST 64
#define SIZE 2048
#define CONTROL 256

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/*
 * Send `count` packets of `size` bytes, those of the ring `data` of `packets` from packet `first` on, `burst` at a time
 * at absolute times, and write into each its sequence number: ten messages each, the first packet bears `sequence`.
 * With `segment` a burst is one call that the kernel cuts. Gives the ns that it took; *sent is what the kernel took.
 */
int64_t blast(int fd, uint8_t *data, uint32_t size, uint64_t packets, uint64_t first, uint64_t sequence, uint64_t count,
              uint32_t burst, double gap_ns, int segment, uint64_t *sent) {
    struct iovec vectors[MOST];
    struct mmsghdr heads[MOST];
    union { char room[CMSG_SPACE(2)]; struct cmsghdr align; } control;
    struct msghdr whole = {.msg_iov = vectors};
    memset(heads, 0, sizeof heads);
    memset(&control, 0, sizeof control);
    control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(2), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};
    *(uint16_t *)CMSG_DATA(&control.align) = size;
    whole.msg_control = control.room;
    whole.msg_controllen = CMSG_SPACE(2);
    int64_t start = now_ns();
    *sent = 0;
    for (uint64_t at = 0; at < count; at += burst) {
        uint64_t some = count - at < burst ? count - at : burst;
        for (uint64_t k = 0; k < some; k++) {
            uint8_t *packet = data + (first + at + k) % packets * size;
            uint64_t number = __builtin_bswap64(sequence + 10 * (at + k));
            memcpy(packet + 10, &number, 8);
            vectors[k] = (struct iovec){packet, size};
            heads[k].msg_hdr.msg_iov = &vectors[k];
            heads[k].msg_hdr.msg_iovlen = 1;
        }
        while (now_ns() < start + (int64_t)(gap_ns * at)) {}
        if (segment) {
            whole.msg_iovlen = some;
            if (sendmsg(fd, &whole, 0) == (ssize_t)(some * size)) *sent += some;
            continue;
        }
        for (uint64_t done = 0; done < some;) {
            int more = sendmmsg(fd, heads + done, some - done, 0);
            if (more <= 0) return -errno;
            done += more;
            *sent += more;
        }
    }
    return now_ns() - start;
}

/* Receive until *stop, with room for the kernel's stamps; sleep in poll when nothing waits, unless `spin`. */
uint64_t receive(int fd, int batch, int spin, volatile int *stop, volatile uint64_t *packets) {
    static uint8_t data[MOST][SIZE], control[MOST][CONTROL];
    static struct iovec vectors[MOST];
    static struct mmsghdr heads[MOST];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    uint64_t bytes = 0;
    memset(heads, 0, sizeof heads);
    for (int k = 0; k < batch; k++) {
        vectors[k] = (struct iovec){data[k], SIZE};
        heads[k].msg_hdr.msg_iov = &vectors[k];
        heads[k].msg_hdr.msg_iovlen = 1;
    }
    while (!*stop) {
        if (!spin && poll(&waiting, 1, 10) <= 0) continue;
        for (;;) {
            for (int k = 0; k < batch; k++) {
                heads[k].msg_hdr.msg_control = control[k];
                heads[k].msg_hdr.msg_controllen = CONTROL;
            }
            int count = recvmmsg(fd, heads, batch, MSG_DONTWAIT, NULL);
            if (count <= 0) break;
            for (int k = 0; k < count; k++) bytes += heads[k].msg_len;
            *packets += count;
            if (count < batch) break;
        }
    }
    return bytes;
}
