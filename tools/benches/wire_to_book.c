/* The sender of `wire_to_book`, datagrams at absolute times, and the floor, both in calls that need no interpreter. */

#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define BATCH 32
#define SIZE 2048
#define CONTROL 256

static int64_t now(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Send `count` datagrams that lie one behind the other in `data`, one every `gap_ns`; give how many were sent. */
uint64_t send_paced(int fd, const uint8_t *data, const uint32_t *sizes, uint64_t count, uint64_t gap_ns) {
    struct timespec at;
    uint64_t sent = 0;
    clock_gettime(CLOCK_MONOTONIC, &at);
    for (uint64_t k = 0; k < count; k++) {
        at.tv_nsec += gap_ns;
        at.tv_sec += at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, 0);
        sent += send(fd, data, sizes[k], 0) == (ssize_t)sizes[k];
        data += sizes[k];
    }
    return sent;
}

/* The floor: receive `count` datagrams and write down how long after the kernel's stamp each batch came back, spinning
 * or sleeping in the kernel; give how many came before `patience_ns` were over. */
uint64_t receive_stamped(int fd, int spin, int64_t *out, uint64_t count, int64_t patience_ns) {
    static uint8_t data[BATCH][SIZE], control[BATCH][CONTROL];
    struct iovec vectors[BATCH];
    struct mmsghdr heads[BATCH];
    uint64_t found = 0;
    int64_t end = now(CLOCK_MONOTONIC) + patience_ns;
    struct timeval limit = {0, 100000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    memset(heads, 0, sizeof heads);
    for (int k = 0; k < BATCH; k++) {
        vectors[k] = (struct iovec){data[k], SIZE};
        heads[k].msg_hdr.msg_iov = &vectors[k];
        heads[k].msg_hdr.msg_iovlen = 1;
        heads[k].msg_hdr.msg_control = control[k];
    }
    while (found < count && now(CLOCK_MONOTONIC) < end) {
        for (int k = 0; k < BATCH; k++) heads[k].msg_hdr.msg_controllen = CONTROL;
        int got = recvmmsg(fd, heads, BATCH, spin ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);
        int64_t at = now(CLOCK_REALTIME);
        for (int k = 0; k < got && found < count; k++) {
            struct cmsghdr *one = CMSG_FIRSTHDR(&heads[k].msg_hdr);
            if (!one || one->cmsg_type != SO_TIMESTAMPNS) continue;
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(one), sizeof stamp);
            out[found++] = at - (int64_t)stamp.tv_sec * 1000000000 - stamp.tv_nsec;
        }
    }
    return found;
}
