/* slot.c: hash slots of the Redis Cluster specification, and names in the same slot. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slot.h"
#include "testing/check.h"
#include "testing/vectors.h"

static uint32_t slot_of(const char *key) {
    uint8_t *copy = exact_copy(key, strlen(key));
    uint32_t slot = cluster_slot((const char *)copy, strlen(key));
    free(copy);
    return slot;
}

/* Values of CLUSTER KEYSLOT on a server; "123456789" has the CRC 0x31c3 of the specification. */
static void known_slots(void) {
    CHECK(slot_of("123456789") == (0x31c3 & 0x3fff), "123456789 is in slot %u", slot_of("123456789"));
    CHECK(slot_of("") == 0, "the empty key is in slot %u", slot_of(""));
    CHECK(slot_of("foo") == 12182, "foo is in slot %u", slot_of("foo"));
    CHECK(slot_of("bar") == 5061, "bar is in slot %u", slot_of("bar"));
    CHECK(slot_of("hello") == 866, "hello is in slot %u", slot_of("hello"));
}

static void hash_tags(void) {
    CHECK(slot_of("{user1000}.following") == slot_of("user1000"), "a tag is not used");
    CHECK(slot_of("a{b}c{d}") == slot_of("b"), "the first tag does not count");
    CHECK(slot_of("foo{{bar}}zap") == slot_of("{bar"), "the tag does not begin at the first brace");
    CHECK(slot_of("foo{}{bar}") == 8363, "after an empty tag the whole key counts, not %u", slot_of("foo{}{bar}"));
    CHECK(slot_of("foo{bar") != slot_of("bar") && slot_of("foo}bar{") != slot_of("bar"), "a tag that is not closed");
    CHECK(slot_of("{") == 4092 && slot_of("{}") == 15257 && slot_of("}{") == 12793, "braces alone");
}

static void tags_for_every_slot(void) {
    static bool seen[CLUSTER_SLOTS];
    int missing = CLUSTER_SLOTS;
    for (int i = 0; missing > 0; i++) {
        char key[32], tag[CLUSTER_TAG_SIZE], name[64];
        int length = snprintf(key, sizeof(key), "key:%d", i);
        uint32_t slot = cluster_slot(key, (size_t)length);
        if (seen[slot]) continue;
        seen[slot] = true;
        missing--;
        cluster_tag(key, (size_t)length, tag);
        snprintf(name, sizeof(name), "private{%s}:1", tag);
        CHECK(strlen(tag) > 0 && strlen(tag) < CLUSTER_TAG_SIZE, "the tag of slot %u is '%s'", slot, tag);
        CHECK(slot_of(name) == slot, "%s is in slot %u, %s in %u", key, slot, name, slot_of(name));
        for (const char *c = tag; *c; c++) CHECK(isalnum((unsigned char)*c), "the tag '%s' is not plain", tag);
    }
}

/* A tag used to be searched from 0 upwards, 16384 tries on average, at every queue of a guarded command. */
static void tags_are_looked_up(void) {
    double begun = check_seconds();
    char tag[CLUSTER_TAG_SIZE];
    for (int i = 0; i < 100000; i++) {
        char key[32];
        cluster_tag(key, (size_t)snprintf(key, sizeof(key), "%d", i), tag);
    }
    CHECK(check_seconds() - begun < 5, "100,000 tags took %.1f s", check_seconds() - begun);
}

int main(void) {
    check_run("slot: known keys", known_slots);
    check_run("slot: hash tags", hash_tags);
    check_run("slot: there is a tag for every slot", tags_for_every_slot);
    check_run("slot: a tag takes microseconds", tags_are_looked_up);
    return check_end();
}
