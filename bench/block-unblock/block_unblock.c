/* What blocking a client costs by itself: the measure for plugin commands, of which it is a part. Only for the
 * benchmarks. One thread; clients are unblocked before the event loop sleeps, all that came in one turn together. */
#include <redismodule.h>

typedef struct List {
    RedisModuleBlockedClient **clients;
    size_t count, room;
} List;

static List passing; /* until the end of this turn of the event loop */
static List held;    /* until BENCH.RELEASE */

static void list_add(List *list, RedisModuleBlockedClient *client) {
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 64;
        list->clients = RedisModule_Realloc(list->clients, list->room * sizeof(*list->clients));
    }
    list->clients[list->count++] = client;
}

static void list_release(List *list) {
    for (size_t i = 0; i < list->count; i++) RedisModule_UnblockClient(list->clients[i], NULL);
    list->count = 0;
}

static int list_remove(List *list, const RedisModuleBlockedClient *client) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->clients[i] != client) continue;
        list->clients[i] = list->clients[--list->count];
        return 1;
    }
    return 0;
}

static int Block_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    return argc > 1 ? RedisModule_ReplyWithString(ctx, argv[1]) : RedisModule_ReplyWithSimpleString(ctx, "OK");
}

/* The client is gone; its handle has to be given back all the same, once. */
static void Block_Disconnected(RedisModuleCtx *ctx, RedisModuleBlockedClient *client) {
    (void)ctx;
    if (list_remove(&passing, client) || list_remove(&held, client)) RedisModule_UnblockClient(client, NULL);
}

static int block(RedisModuleCtx *ctx, List *list) {
    RedisModuleBlockedClient *client = RedisModule_BlockClient(ctx, Block_Reply, NULL, NULL, 0);
    RedisModule_SetDisconnectCallback(client, Block_Disconnected);
    list_add(list, client);
    return REDISMODULE_OK;
}

/* BENCH.PASS [text] -- blocks its client and unblocks it at once; replies the text */
static int Pass_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    return block(ctx, &passing);
}

/* BENCH.HOLD [text] -- blocks its client until BENCH.RELEASE */
static int Hold_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    return block(ctx, &held);
}

/* BENCH.HELD -- replies how many clients wait */
static int Held_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    return RedisModule_ReplyWithLongLong(ctx, (long long)held.count);
}

/* BENCH.RELEASE -- answers every client that waits; replies how many */
static int Release_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    long long count = (long long)held.count;
    list_release(&held);
    return RedisModule_ReplyWithLongLong(ctx, count);
}

static void on_loop(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event, (void)data;
    if (subevent == REDISMODULE_SUBEVENT_EVENTLOOP_BEFORE_SLEEP) list_release(&passing);
}

__attribute__((visibility("default"))) int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    static const struct {
        const char *name;
        RedisModuleCmdFunc run;
    } commands[] = {
        {"BENCH.PASS", Pass_RedisCommand},
        {"BENCH.HOLD", Hold_RedisCommand},
        {"BENCH.HELD", Held_RedisCommand},
        {"BENCH.RELEASE", Release_RedisCommand},
    };
    if (RedisModule_Init(ctx, "bench-block", 1, REDISMODULE_APIVER_1) != REDISMODULE_OK) return REDISMODULE_ERR;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (RedisModule_CreateCommand(ctx, commands[i].name, commands[i].run, "", 0, 0, 0) != REDISMODULE_OK)
            return REDISMODULE_ERR;
    }
    return RedisModule_SubscribeToServerEvent(ctx, RedisModuleEvent_EventLoop, on_loop);
}
