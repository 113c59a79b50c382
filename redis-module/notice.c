#include "notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "module.h"
#include "subscription.h"

void notice_put(Notice *notice, const char *name, const void *value, size_t length) {
    buffer_put_cstring(&notice->fields, name);
    buffer_put_string(&notice->fields, value, length);
    notice->field_count++;
}

void notice_put_text(Notice *notice, const char *name, const char *value) {
    notice_put(notice, name, value, strlen(value));
}

void notice_put_number(Notice *notice, const char *name, uint64_t value) {
    char digits[24];
    notice_put(notice, name, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
}

static bool wants(const Subscription *s, const Notice *notice, const char *plugin) {
    if (s->kind != notice->kind || (plugin && strcmp(s->plugin, plugin) != 0)) return false;
    const Slice *emitter = &notice->emitter;
    if (emitter->bytes && !(s->flags & SUBSCRIBE_OWN) && strlen(s->plugin) == emitter->length &&
        memcmp(s->plugin, emitter->bytes, emitter->length) == 0) {
        return false;
    }
    return subscription_names(s, notice->event);
}

/* Returns where the number of subscriptions goes. */
static size_t begin(Lane *lane, const Notice *notice, size_t *begun) {
    Buffer *out = &lane->out;
    *begun = frame_begin(out, FRAME_NOTICE, 0, notice->kind, ++lane->event_sequence);
    buffer_put_u64(out, clock_milliseconds());
    buffer_put_cstring(out, notice->event);
    buffer_put_u32(out, notice->field_count);
    buffer_put(out, buffer_front(&notice->fields), buffer_length(&notice->fields));
    size_t count_at = buffer_length(out);
    buffer_put_u32(out, 0);
    return count_at;
}

/* The frame is begun at the first subscription that matches. */
uint32_t notice_tell(Lane *lane, const Notice *notice, const char *plugin) {
    size_t begun = 0, count_at = 0;
    uint32_t count = 0, plugins = 0;
    const char *last = NULL;
    for (const Subscription *s = lane->subscriptions; s; s = s->next) {
        if (!wants(s, notice, plugin)) continue;
        if (count == 0) {
            if (!notice->urgent && !lane_has_room(lane, 128 + buffer_length(&notice->fields))) {
                lane->events_missed++;
                lane->events_dropped++;
                return 0;
            }
            if (lane->events_missed) lane_tell_gap(lane);
            count_at = begin(lane, notice, &begun);
        }
        buffer_put_u32(&lane->out, s->id);
        count++;
        if (!last || strcmp(last, s->plugin) != 0) plugins++;
        last = s->plugin;
    }
    if (count == 0) return 0;
    buffer_patch_u32(&lane->out, count_at, count);
    frame_end(&lane->out, begun);
    lane->events_sent++;
    lane_written(lane);
    return plugins;
}

uint32_t notice_send(Notice *notice) {
    uint32_t plugins = 0;
    for (Lane *lane = lane_list; lane; lane = lane->next) {
        if (lane->fd >= 0 && lane->subscriptions) plugins += notice_tell(lane, notice, NULL);
    }
    buffer_free(&notice->fields);
    return plugins;
}
