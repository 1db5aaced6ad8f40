/* The sender of `tick_to_order`, and its floor: a packet in, bytes of the size of a mass quote out, nothing between. */

#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define SIZE 2048
#define CONTROL 256

static int64_t now(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Send `count` datagrams that lie one behind the other in `data`, each `gap_ns` after somebody has asked for it by the
 * eventfd `asked`; give how many were sent. */
uint64_t send_asked(int fd, int asked, const uint8_t *data, const uint32_t *sizes, uint64_t count, uint64_t gap_ns) {
    uint64_t sent = 0, turn;
    struct timespec gap = {gap_ns / 1000000000, gap_ns % 1000000000};
    for (uint64_t k = 0; k < count && read(asked, &turn, 8) == 8 && turn == 1; k++) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &gap, NULL);
        sent += send(fd, data, sizes[k], 0) == (ssize_t)sizes[k];
        data += sizes[k];
    }
    return sent;
}

/* For each of `count` datagrams that come in on `udp`, spinning, send `size` bytes to `tcp`; write down three times for
 * each: the kernel's stamp, the return of recvmmsg, the return of send; then ask for the next by the eventfd `ask`. Give
 * how many were answered in `patience_ns`. */
uint64_t echo(int udp, int tcp, int ask, const uint8_t *answer, uint64_t size, int64_t *out, uint64_t count,
              int64_t patience_ns) {
    static uint8_t data[BATCH][SIZE], control[BATCH][CONTROL];
    struct iovec vectors[BATCH];
    struct mmsghdr heads[BATCH];
    uint64_t found = 0, one_more = 1;
    int64_t end = now(CLOCK_MONOTONIC) + patience_ns;
    memset(heads, 0, sizeof heads);
    for (int k = 0; k < BATCH; k++) {
        vectors[k] = (struct iovec){data[k], SIZE};
        heads[k].msg_hdr.msg_iov = &vectors[k];
        heads[k].msg_hdr.msg_iovlen = 1;
        heads[k].msg_hdr.msg_control = control[k];
    }
    if (write(ask, &one_more, 8) != 8) return 0;
    while (found < count && now(CLOCK_MONOTONIC) < end) {
        for (int k = 0; k < BATCH; k++) heads[k].msg_hdr.msg_controllen = CONTROL;
        int got = recvmmsg(udp, heads, BATCH, MSG_DONTWAIT, NULL);
        int64_t at = now(CLOCK_REALTIME);
        for (int k = 0; k < got && found < count; k++) {
            struct cmsghdr *one = CMSG_FIRSTHDR(&heads[k].msg_hdr);
            struct timespec stamp;
            if (!one || one->cmsg_type != SO_TIMESTAMPNS) continue;
            if (send(tcp, answer, size, MSG_NOSIGNAL) != (ssize_t)size) return found;
            memcpy(&stamp, CMSG_DATA(one), sizeof stamp);
            out[3 * found] = (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec;
            out[3 * found + 1] = at;
            out[3 * found++ + 2] = now(CLOCK_REALTIME);
            if (write(ask, &one_more, 8) != 8) return found;
        }
    }
    return found;
}
