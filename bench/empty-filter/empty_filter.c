/* What a command filter costs that does nothing: the measure for commands that no hook is for. Only for benchmarks. */
#include <redismodule.h>

static void on_command(RedisModuleCommandFilterCtx *filter) {
    (void)filter;
}

__attribute__((visibility("default"))) int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    if (RedisModule_Init(ctx, "empty-filter", 1, REDISMODULE_APIVER_1) == REDISMODULE_ERR) return REDISMODULE_ERR;
    RedisModule_RegisterCommandFilter(ctx, on_command, REDISMODULE_CMDFILTER_NOSELF);
    return REDISMODULE_OK;
}
