/* A module that calls any command, for tests of plugin commands as other modules call them: calling.so.
 *
 * CALLING.RUN <way> <format> <command> [<argument> ...] -- replies what RM_Call gave, as the bytes of its reply, or
 * "errno <text>". The format is RM_Call's, without its `v`. Ways:
 *
 *     now      in the command itself
 *     timer    in a timer's callback, which has no client
 *     thread   in another thread under the global lock, in the context of the blocked client
 *     detached the same in a context without a client
 *     notify   in a callback of key events, when CALLING.RUN itself touches the key "calling:event"
 *     later    the same, when somebody else touches it or finds it expired
 *
 * With `K` in the format the called command may block: then the reply comes when it has ended. Where this command
 * cannot block itself (MULTI, scripts) it replies "promise", and CALLING.SETTLED gives the rest.
 *
 * CALLING.ABORT <format> <command> [<argument> ...] -- calls, and aborts at once what blocks: "aborted", or the reply.
 * CALLING.WAIT -- blocks its client for a moment without asking whether it may, as careless modules do: "waited".
 * CALLING.SETTLED -- an array of the replies of promises that nobody waited for; they are forgotten. */
#include <errno.h>
#include <pthread.h>
#include <redismodule.h>
#include <stdio.h>
#include <string.h>

typedef struct Job {
    struct Job *next;
    RedisModuleBlockedClient *client; /* NULL: nobody waits */
    char format[16];
    int detached;
    int argc; /* the called command's */
    RedisModuleString **argv;
    RedisModuleString *result;
} Job;

static Job *settled;
static Job *notified; /* runs at the next key event */
static RedisModuleCtx *detached;

/* ===== Jobs ===== */

static Job *job_make(RedisModuleString *format, RedisModuleString **argv, int argc) {
    Job *job = RedisModule_Calloc(1, sizeof(*job));
    snprintf(job->format, sizeof(job->format), "v%s", RedisModule_StringPtrLen(format, NULL));
    job->argv = RedisModule_Alloc((size_t)argc * sizeof(*argv));
    job->argc = argc;
    /* Copies: a thread must not touch what belongs to the client. */
    for (int i = 0; i < argc; i++) job->argv[i] = RedisModule_CreateStringFromString(NULL, argv[i]);
    return job;
}

static void job_free(Job *job) {
    for (int i = 0; i < job->argc; i++) RedisModule_FreeString(NULL, job->argv[i]);
    RedisModule_Free(job->argv);
    if (job->result) RedisModule_FreeString(NULL, job->result);
    RedisModule_Free(job);
}

static void Job_Free(RedisModuleCtx *ctx, void *job) {
    (void)ctx;
    job_free(job);
}

static int Job_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    Job *job = RedisModule_GetBlockedClientPrivateData(ctx);
    return RedisModule_ReplyWithString(ctx, job->result);
}

static void job_done(Job *job, RedisModuleString *result) {
    job->result = result;
    if (job->client) {
        RedisModule_UnblockClient(job->client, job);
    } else {
        job->next = settled;
        settled = job;
    }
}

/* ===== Calls ===== */

static RedisModuleString *text_of(RedisModuleCallReply *reply) {
    if (!reply) return RedisModule_CreateStringPrintf(NULL, "errno %s", strerror(errno));
    size_t length;
    const char *bytes = RedisModule_CallReplyProto(reply, &length);
    return RedisModule_CreateString(NULL, bytes, length);
}

static RedisModuleCallReply *call(RedisModuleCtx *ctx, const Job *job) {
    errno = 0;
    return RedisModule_Call(ctx, RedisModule_StringPtrLen(job->argv[0], NULL), job->format, job->argv + 1,
                            (size_t)job->argc - 1);
}

static void on_settled(RedisModuleCtx *ctx, RedisModuleCallReply *reply, void *job) {
    (void)ctx;
    job_done(job, text_of(reply));
    RedisModule_FreeCallReply(reply);
}

/* False when a promise will end the job. */
static int run(RedisModuleCtx *ctx, Job *job) {
    RedisModuleCallReply *reply = call(ctx, job);
    int waits = reply && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_PROMISE;
    if (waits)
        RedisModule_CallReplyPromiseSetUnblockHandler(reply, on_settled, job);
    else
        job_done(job, text_of(reply));
    if (reply) RedisModule_FreeCallReply(reply);
    return !waits;
}

static void on_timer(RedisModuleCtx *ctx, void *job) {
    run(ctx, job);
}

static void *on_thread(void *data) {
    Job *job = data;
    RedisModuleCtx *ctx = job->detached ? detached : RedisModule_GetThreadSafeContext(job->client);
    RedisModule_ThreadSafeContextLock(ctx);
    run(ctx, job);
    RedisModule_ThreadSafeContextUnlock(ctx);
    if (ctx != detached) RedisModule_FreeThreadSafeContext(ctx);
    return NULL;
}

static int on_event(RedisModuleCtx *ctx, int type, const char *event, RedisModuleString *key) {
    (void)type, (void)event;
    Job *job = notified;
    if (!job || strcmp(RedisModule_StringPtrLen(key, NULL), "calling:event") != 0) return REDISMODULE_OK;
    notified = NULL;
    run(ctx, job);
    return REDISMODULE_OK;
}

/* ===== Commands ===== */

static int can_block(RedisModuleCtx *ctx) {
    return !(RedisModule_GetContextFlags(ctx) &
             (REDISMODULE_CTX_FLAGS_DENY_BLOCKING | REDISMODULE_CTX_FLAGS_MULTI | REDISMODULE_CTX_FLAGS_LUA));
}

static int run_now(RedisModuleCtx *ctx, Job *job) {
    RedisModuleCallReply *reply = call(ctx, job);
    if (!reply || RedisModule_CallReplyType(reply) != REDISMODULE_REPLY_PROMISE) {
        job->result = text_of(reply);
        if (reply) RedisModule_FreeCallReply(reply);
        RedisModule_ReplyWithString(ctx, job->result);
        job_free(job);
        return REDISMODULE_OK;
    }
    if (can_block(ctx))
        job->client = RedisModule_BlockClient(ctx, Job_Reply, NULL, Job_Free, 0);
    else
        RedisModule_ReplyWithSimpleString(ctx, "promise");
    RedisModule_CallReplyPromiseSetUnblockHandler(reply, on_settled, job);
    RedisModule_FreeCallReply(reply);
    return REDISMODULE_OK;
}

static int run_on_event(RedisModuleCtx *ctx, Job *job) {
    notified = job;
    RedisModuleCallReply *reply = RedisModule_Call(ctx, "INCR", "c!", "calling:event");
    if (reply) RedisModule_FreeCallReply(reply);
    return RedisModule_ReplyWithSimpleString(ctx, "settled");
}

static int Run_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc < 4) return RedisModule_WrongArity(ctx);
    const char *way = RedisModule_StringPtrLen(argv[1], NULL);
    Job *job = job_make(argv[2], argv + 3, argc - 3);
    if (strcmp(way, "now") == 0) return run_now(ctx, job);
    if (strcmp(way, "notify") == 0) return run_on_event(ctx, job);
    if (strcmp(way, "later") == 0) {
        notified = job;
        return RedisModule_ReplyWithSimpleString(ctx, "later");
    }
    if (!can_block(ctx)) {
        job_free(job);
        return RedisModule_ReplyWithError(ctx, "ERR it cannot wait here");
    }
    job->client = RedisModule_BlockClient(ctx, Job_Reply, NULL, Job_Free, 0);
    job->detached = strcmp(way, "detached") == 0;
    pthread_t thread;
    if (strcmp(way, "timer") == 0) {
        RedisModule_CreateTimer(ctx, 1, on_timer, job);
    } else if (pthread_create(&thread, NULL, on_thread, job) == 0) {
        pthread_detach(thread);
    } else {
        job_done(job, RedisModule_CreateStringPrintf(NULL, "no thread"));
    }
    return REDISMODULE_OK;
}

static int Abort_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc < 3) return RedisModule_WrongArity(ctx);
    Job *job = job_make(argv[1], argv + 2, argc - 2);
    RedisModuleCallReply *reply = call(ctx, job);
    job_free(job);
    if (reply && RedisModule_CallReplyType(reply) == REDISMODULE_REPLY_PROMISE) {
        int aborted = RedisModule_CallReplyPromiseAbort(reply, NULL) == REDISMODULE_OK;
        RedisModule_FreeCallReply(reply);
        return RedisModule_ReplyWithSimpleString(ctx, aborted ? "aborted" : "not aborted");
    }
    RedisModuleString *text = text_of(reply);
    if (reply) RedisModule_FreeCallReply(reply);
    RedisModule_ReplyWithString(ctx, text);
    RedisModule_FreeString(NULL, text);
    return REDISMODULE_OK;
}

static int Wait_Reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    return RedisModule_ReplyWithSimpleString(ctx, "waited");
}

static void Wait_Timer(RedisModuleCtx *ctx, void *client) {
    (void)ctx;
    RedisModule_UnblockClient(client, NULL);
}

static int Wait_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    RedisModule_CreateTimer(ctx, 1, Wait_Timer, RedisModule_BlockClient(ctx, Wait_Reply, NULL, NULL, 0));
    return REDISMODULE_OK;
}

static int Settled_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    long count = 0;
    RedisModule_ReplyWithArray(ctx, REDISMODULE_POSTPONED_LEN);
    while (settled) {
        Job *job = settled;
        settled = job->next;
        RedisModule_ReplyWithString(ctx, job->result);
        job_free(job);
        count++;
    }
    RedisModule_ReplySetArrayLength(ctx, count);
    return REDISMODULE_OK;
}

__attribute__((visibility("default"))) int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    (void)argv, (void)argc;
    if (RedisModule_Init(ctx, "calling", 1, REDISMODULE_APIVER_1) != REDISMODULE_OK) return REDISMODULE_ERR;
    detached = RedisModule_GetDetachedThreadSafeContext(ctx);
    if (RedisModule_CreateCommand(ctx, "calling.run", Run_RedisCommand, "", 0, 0, 0) != REDISMODULE_OK ||
        RedisModule_CreateCommand(ctx, "calling.abort", Abort_RedisCommand, "", 0, 0, 0) != REDISMODULE_OK ||
        RedisModule_CreateCommand(ctx, "calling.wait", Wait_RedisCommand, "", 0, 0, 0) != REDISMODULE_OK ||
        RedisModule_CreateCommand(ctx, "calling.settled", Settled_RedisCommand, "", 0, 0, 0) != REDISMODULE_OK ||
        RedisModule_SubscribeToKeyspaceEvents(ctx, REDISMODULE_NOTIFY_STRING | REDISMODULE_NOTIFY_EXPIRED, on_event) !=
            REDISMODULE_OK) {
        return REDISMODULE_ERR;
    }
    return REDISMODULE_OK;
}
