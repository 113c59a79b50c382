#include "command_keys.h"

#include "module.h"

static bool any_movable(RedisModuleString **argv, int argc, CommandKeyFunction function, const void *context) {
    int count, *flags;
    int *keys = RedisModule_GetCommandKeysWithFlags(module_context, argv, argc, &count, &flags);
    if (!keys) return false;
    bool found = false;
    for (int i = 0; i < count && !found; i++) found = function(context, argv[keys[i]]);
    RedisModule_Free(keys);
    RedisModule_Free(flags);
    return found;
}

bool command_keys_any(const Facts *facts, RedisModuleString **argv, int argc, CommandKeyFunction function,
                      const void *context) {
    if (facts->flags & FACT_MOVABLE_KEYS) return any_movable(argv, argc, function, context);
    if (facts->first_key <= 0 || facts->key_step <= 0) return false;
    int last = facts->last_key < 0 ? argc + facts->last_key : facts->last_key;
    for (int at = facts->first_key; at <= last && at < argc; at += facts->key_step) {
        if (function(context, argv[at])) return true;
    }
    return false;
}
