#include "emit.h"

#include "memory.h"
#include "notice.h"

void emit_take(const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    Slice plugin = reader_string(&reader), event = reader_string(&reader);
    uint8_t format = reader_u8(&reader);
    Slice payload = reader_string(&reader);
    char *name = memory_copy_string((const char *)event.bytes, event.length);
    Notice notice = {.kind = SUBSCRIPTION_PLUGINS, .event = name, .emitter = plugin};
    notice_put(&notice, "plugin", plugin.bytes, plugin.length);
    notice_put_number(&notice, "hops", frame->code);
    if (format != EMIT_NOTHING) {
        notice_put(&notice, format == EMIT_JSON ? "json" : "bytes", payload.bytes, payload.length);
    }
    notice_send(&notice);
    memory_free(name);
}

uint32_t emit_of_client(const char *event, Slice payload, uint64_t client, RedisModuleString *user) {
    Notice notice = {.kind = SUBSCRIPTION_PLUGINS, .event = event};
    notice_put_number(&notice, "client", client);
    if (user) {
        size_t length;
        const char *name = RedisModule_StringPtrLen(user, &length);
        notice_put(&notice, "user", name, length);
    }
    if (payload.bytes) notice_put(&notice, "text", payload.bytes, payload.length);
    return notice_send(&notice);
}
