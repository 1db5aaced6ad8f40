/* The bare loops that `ws_receive` and `ws_rtt` compare with, and the echo that answers all rows of the latter. */

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (1 << 18)

static uint8_t room[2 * ROOM];

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The size of the frame at p, 0 when its head or its payload is not there to the end. */
static size_t frame(const uint8_t *p, size_t size, size_t *head) {
    uint64_t length;
    if (size < 2) return 0;
    length = p[1] & 0x7F;
    *head = 2 + (p[1] & 0x80 ? 4 : 0);
    if (length == 126) {
        *head += 2;
        if (size < 4) return 0;
        length = (uint64_t)p[2] << 8 | p[3];
    } else if (length == 127) {
        *head += 8;
        if (size < 10) return 0;
        length = 0;
        for (int k = 2; k < 10; k++) length = length << 8 | p[k];
    }
    return size - *head < length || size < *head ? 0 : *head + length;
}

/* Receive until `messages` frames came; their lengths are added up, so that each head is looked at. */
uint64_t drain(int fd, uint64_t messages, uint64_t *bytes) {
    uint64_t found = 0;
    size_t held = 0, head, size;
    while (found < messages) {
        size_t at = 0;
        ssize_t count = recv(fd, room + held, ROOM, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return found;
        held += (size_t)count;
        while ((size = frame(room + at, held - at, &head))) {
            *bytes += size - head;
            at += size;
            found++;
        }
        memmove(room, room + at, held -= at);
    }
    return found;
}

/* Say every frame of a client back, without its mask, until it closes. */
void echo(int fd) {
    size_t held = 0, head, size;
    for (;;) {
        ssize_t count = recv(fd, room + held, ROOM, 0);
        if (count <= 0) return;
        held += (size_t)count;
        while ((size = frame(room, held, &head))) {
            uint8_t *payload = room + head, *start = room + 4;
            for (size_t k = 0; k < size - head; k++) payload[k] ^= (payload - 4)[k & 3];
            if ((room[0] & 0x0F) > 7) return;
            memmove(start, room, head - 4);
            start[1] &= 0x7F;
            if (send(fd, start, size - 4, 0) < 0) return;
            memmove(room, room + size, held -= size);
        }
    }
}

/* Send a frame and wait for its echo, `count` times; the time of each. */
uint64_t round_trips(int fd, const uint8_t *out, size_t size, uint64_t count, uint64_t *times) {
    for (uint64_t turn = 0; turn < count; turn++) {
        size_t got = 0;
        uint64_t start = now_ns();
        if (send(fd, out, size, 0) < 0) return turn;
        while (got < size - 4) {
            ssize_t more = recv(fd, room, ROOM, 0);
            if (more <= 0) return turn;
            got += (size_t)more;
        }
        times[turn] = now_ns() - start;
    }
    return count;
}
