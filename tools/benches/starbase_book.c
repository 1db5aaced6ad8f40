/* The least that a C loop can do with a capture of Starbase packets: the length and the template of each message. */
#include <stdint.h>
#include <string.h>

uint64_t walk(const uint8_t *data, uint64_t size, uint64_t *answers)
{
    uint64_t at = 24, messages = 0, sum = 0;
    while (at + 16 <= size) {
        uint32_t captured;
        memcpy(&captured, data + at + 8, 4);
        uint64_t end = at + 16 + captured, message = at + 16 + 42 + 24; /* Ethernet, IPv4, UDP; the packet header */
        while (message + 16 <= end) {
            uint16_t length, template;
            memcpy(&length, data + message, 2);
            memcpy(&template, data + message + 2, 2);
            sum += template;
            messages++;
            message += length;
        }
        at = end;
    }
    answers[0] = sum;
    answers[1] = messages;
    return messages;
}
