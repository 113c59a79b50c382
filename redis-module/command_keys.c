#include "command_keys.h"

#include <errno.h>

#include "module.h"

int *command_keys_find(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, int *count, int **flags) {
    *count = 0;
    *flags = NULL;
    errno = 0;
    int *keys = RedisModule_GetCommandKeysWithFlags(ctx, argv, argc, count, flags);
    if (keys || errno != 0) return keys;
    const Facts *facts = facts_of(argv[0], argc > 1 ? argv[1] : NULL);
    if (!facts || !facts_arity_fits(facts, argc)) return NULL;
    *count = key_specs_find(&facts->key_specs, argv, argc, &keys, flags);
    return keys;
}

static bool any_movable(RedisModuleString **argv, int argc, CommandKeyFunction function, const void *context) {
    int count, *flags;
    int *keys = command_keys_find(module_context, argv, argc, &count, &flags);
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
