#include "subscription.h"

#include <string.h>

#include "events.h"
#include "glob.h"
#include "key_reads.h"
#include "listening.h"
#include "memory.h"

/* ===== Matching ===== */

static Pattern make_pattern(Slice slice) {
    Pattern pattern = {.text = memory_copy_string((const char *)slice.bytes, slice.length), .length = slice.length};
    size_t plain = strcspn(pattern.text, "*?[\\");
    if (slice.length > 0 && plain == slice.length - 1 && pattern.text[plain] == '*') {
        pattern.prefix = true;
        pattern.length--;
    }
    return pattern;
}

static bool pattern_matches(const Pattern *pattern, const char *key, size_t length) {
    if (pattern->prefix) return length >= pattern->length && memcmp(key, pattern->text, pattern->length) == 0;
    return glob_match(pattern->text, pattern->length, key, length);
}

bool subscription_has_key(const Subscription *s, const char *key, size_t length) {
    for (int i = 0; i < s->pattern_count; i++) {
        if (pattern_matches(&s->patterns[i], key, length)) return true;
    }
    return s->pattern_count == 0;
}

bool subscription_names(const Subscription *s, const char *event) {
    for (int i = 0; i < s->event_count; i++) {
        if (strcmp(s->events[i], event) == 0) return true;
    }
    return false;
}

bool subscriptions_want(SubscriptionKind kind, const char *event) {
    for (const Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd < 0) continue;
        for (const Subscription *s = lane->subscriptions; s; s = s->next) {
            if (s->kind == kind && (!event || subscription_names(s, event))) return true;
        }
    }
    return false;
}

/* ===== Life ===== */

static void subscription_free(Subscription *s) {
    for (int i = 0; i < s->event_count; i++) memory_free(s->events[i]);
    for (int i = 0; i < s->pattern_count; i++) memory_free(s->patterns[i].text);
    memory_free(s->events);
    memory_free(s->patterns);
    memory_free(s->plugin);
    memory_free(s);
}

static Subscription *read_subscription(Slice plugin, Reader *reader) {
    Subscription *s = memory_zalloc(sizeof(Subscription));
    s->plugin = memory_copy_string((const char *)plugin.bytes, plugin.length);
    s->id = reader_u32(reader);
    s->kind = reader_u8(reader);
    s->flags = reader_u8(reader);
    uint32_t count = reader_count(reader, 4);
    s->events = memory_zalloc((count + 1) * sizeof(char *));
    for (uint32_t i = 0; i < count; i++) {
        Slice event = reader_string(reader);
        s->events[s->event_count++] = memory_copy_string((const char *)event.bytes, event.length);
    }
    count = reader_count(reader, 4);
    s->patterns = memory_zalloc((count + 1) * sizeof(Pattern));
    for (uint32_t i = 0; i < count; i++) s->patterns[s->pattern_count++] = make_pattern(reader_string(reader));
    return s;
}

/* True when there were any. */
static bool end_those_of(Lane *lane, const char *plugin) {
    bool ended = false;
    for (Subscription **at = &lane->subscriptions; *at;) {
        Subscription *s = *at;
        if (plugin && strcmp(s->plugin, plugin) != 0) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        subscription_free(s);
        ended = true;
    }
    return ended;
}

static void wanted_changed(void) {
    listening_wanted_changed();
    key_reads_wanted_changed();
}

void subscriptions_read(Lane *lane, Slice plugin, Reader *reader) {
    char *name = memory_copy_string((const char *)plugin.bytes, plugin.length);
    bool changed = end_those_of(lane, name);
    memory_free(name);
    uint32_t count = reader_count(reader, 14);
    for (uint32_t i = 0; i < count; i++) {
        Subscription *s = read_subscription(plugin, reader);
        s->next = lane->subscriptions;
        lane->subscriptions = s;
        if (s->kind == SUBSCRIPTION_KEYS) events_subscribe(s);
    }
    if (changed || count > 0) wanted_changed();
}

void subscriptions_end(Lane *lane, const char *plugin) {
    if (end_those_of(lane, plugin)) wanted_changed();
}
