#include "builtin.h"
#include "caller.h"
#include "emit.h"
#include "events.h"
#include "message.h"

static Slice slice_of(RedisModuleString *string) {
    Slice slice;
    slice.bytes = (const uint8_t *)RedisModule_StringPtrLen(string, &slice.length);
    return slice;
}

int Emit_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc < 2 || argc > 3) return RedisModule_WrongArity(ctx);
    Slice payload = {0};
    if (!message_is_event_name(slice_of(argv[1]))) {
        return RedisModule_ReplyWithError(ctx, "ERR the name of an event is a letter, then at most 63 letters, digits, "
                                               "'.', '_', ':' and '-'");
    }
    if (events_origin().bytes) { /* by a script that it runs */
        return RedisModule_ReplyWithError(ctx, "ERR plugins emit events with ctx.emit, which ends loops");
    }
    if (argc == 3) payload = slice_of(argv[2]);
    if (payload.length > EMIT_PAYLOAD_MAX) {
        return RedisModule_ReplyWithError(ctx, "ERR the payload of an event has at most 1 MiB");
    }
    RedisModuleString *user = caller_user(ctx);
    const char *event = RedisModule_StringPtrLen(argv[1], NULL);
    uint32_t plugins = emit_of_client(event, payload, RedisModule_GetClientId(ctx), user);
    if (user) RedisModule_FreeString(ctx, user);
    return RedisModule_ReplyWithLongLong(ctx, plugins);
}
