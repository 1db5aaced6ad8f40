/* The sender of `wire_to_book`: datagrams at absolute times, in a call that needs no interpreter. */

#define _GNU_SOURCE
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

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
