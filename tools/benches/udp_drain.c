/* The bare loop that `udp_drain` compares with: recvmmsg until nothing waits, with room for the kernel's stamps. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define MOST 1024
#define SIZE 2048
#define CONTROL 256

static uint8_t data[MOST][SIZE], control[MOST][CONTROL];
static struct iovec vectors[MOST];
static struct mmsghdr heads[MOST];

/* Give the number of datagrams; their bytes are added up, so that each length is looked at. */
uint64_t drain(int fd, int batch, int stamps, uint64_t *bytes) {
    uint64_t packets = 0;
    for (int k = 0; k < batch; k++) {
        vectors[k].iov_base = data[k];
        vectors[k].iov_len = SIZE;
        memset(&heads[k], 0, sizeof heads[k]);
        heads[k].msg_hdr.msg_iov = &vectors[k];
        heads[k].msg_hdr.msg_iovlen = 1;
    }
    for (;;) {
        for (int k = 0; stamps && k < batch; k++) {
            heads[k].msg_hdr.msg_control = control[k];
            heads[k].msg_hdr.msg_controllen = CONTROL;
        }
        int count = recvmmsg(fd, heads, batch, MSG_DONTWAIT, NULL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return packets;
        for (int k = 0; k < count; k++) *bytes += heads[k].msg_len;
        packets += count;
    }
}
