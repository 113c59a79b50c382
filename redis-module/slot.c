#include "slot.h"

#include <stdbool.h>
#include <string.h>

enum { TAG_LENGTH = 3 };

static uint16_t crc16_step(uint16_t crc, char byte) {
    crc ^= (uint16_t)((unsigned char)byte << 8);
    for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    return crc;
}

static uint16_t crc16(const char *bytes, size_t length) {
    uint16_t crc = 0;
    for (size_t i = 0; i < length; i++) crc = crc16_step(crc, bytes[i]);
    return crc;
}

uint32_t cluster_slot(const char *key, size_t length) {
    const char *open = length ? memchr(key, '{', length) : NULL;
    if (open) {
        size_t after = (size_t)(open - key) + 1;
        const char *close = length > after ? memchr(key + after, '}', length - after) : NULL;
        if (close && close != key + after) return crc16(key + after, (size_t)(close - key) - after) % CLUSTER_SLOTS;
    }
    return crc16(key, length) % CLUSTER_SLOTS;
}

/* Three characters of 62 are enough for every slot (slot_test proves it). */
static void make_tags(char tags[CLUSTER_SLOTS][TAG_LENGTH]) {
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *a = alphabet; *a; a++) {
        uint16_t first = crc16_step(0, *a);
        for (const char *b = alphabet; *b; b++) {
            uint16_t second = crc16_step(first, *b);
            for (const char *c = alphabet; *c; c++) {
                char *tag = tags[crc16_step(second, *c) % CLUSTER_SLOTS];
                if (!*tag) memcpy(tag, (char[]){*a, *b, *c}, TAG_LENGTH);
            }
        }
    }
}

void cluster_tag(const char *key, size_t length, char tag[CLUSTER_TAG_SIZE]) {
    static char tags[CLUSTER_SLOTS][TAG_LENGTH]; /* without NUL; only a cluster ever touches it */
    static bool made = false;
    if (!made) make_tags(tags);
    made = true;
    memcpy(tag, tags[cluster_slot(key, length)], TAG_LENGTH);
    tag[TAG_LENGTH] = '\0';
}
