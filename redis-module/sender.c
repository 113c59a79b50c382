#include "sender.h"

#include <limits.h>
#include <string.h>

#include "caller.h"
#include "command.h"
#include "module.h"

/* ===== Scripts ===== */

/* Scripts have a client of their own, which nothing is known of. They act for the one that has sent EVAL, FCALL or the
 * EXEC behind it. */
static uint64_t script_caller;

/* Since the last script or transaction began. What another module's command calls looks as if the script had called it,
 * but must not run in a wrapper, which replicates what the module may not want to be replicated. */
static bool module_command_ran;

static bool is_of_other_module(const Facts *facts) {
    return (facts->flags & FACT_MODULE) && strncmp(facts->name, "ferrite.", 8) != 0 &&
           !command_named(facts->name, facts->name_length);
}

enum { NO_DB = -1 };

/* While one is busy the server reads other connections too: their commands, which it refuses, are none of the script's.
 */
static bool is_script_running(void) {
    return RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_LUA;
}

/* What the last SELECT in a script has named. */
static int script_db = NO_DB;

/* ===== SELECT in transactions ===== */

enum { SWEEP_FROM = 1000 };

/* Client -> the database of the last SELECT that it has queued: what is queued behind it runs there. */
static RedisModuleDict *selects;
static uint64_t sweep_at = SWEEP_FROM;

static void forget_selects(void) {
    if (selects) RedisModule_FreeDict(NULL, selects);
    selects = NULL;
}

static void forget_select(uint64_t id) {
    RedisModule_DictDelC(selects, &id, sizeof(id), NULL);
}

/* Those of clients that went away in the middle of a transaction. */
static void sweep_selects(void) {
    size_t size;
    void *id;
    RedisModuleDictIter *iterator = RedisModule_DictIteratorStartC(selects, "^", NULL, 0);
    while ((id = RedisModule_DictNextC(iterator, &size, NULL))) {
        uint64_t copy; /* the iterator's own memory is what it seeks in */
        memcpy(&copy, id, sizeof(copy));
        RedisModuleClientInfoV1 info = REDISMODULE_CLIENTINFO_INITIALIZER_V1;
        if (RedisModule_GetClientInfoById(&info, copy) == REDISMODULE_OK) continue;
        forget_select(copy);
        RedisModule_DictIteratorReseekC(iterator, ">", &copy, sizeof(copy));
    }
    RedisModule_DictIteratorStop(iterator);
    sweep_at = RedisModule_DictSize(selects) * 2 > SWEEP_FROM ? RedisModule_DictSize(selects) * 2 : SWEEP_FROM;
}

static void queue_select(uint64_t id, int db) {
    if (!selects) selects = RedisModule_CreateDict(NULL);
    if (RedisModule_DictSize(selects) >= sweep_at) sweep_selects();
    RedisModule_DictReplaceC(selects, &id, sizeof(id), (void *)(intptr_t)db);
}

static int queued_select(uint64_t id, int db) {
    int absent = 1;
    void *found = selects ? RedisModule_DictGetC(selects, &id, sizeof(id), &absent) : NULL;
    return absent ? db : (int)(intptr_t)found;
}

static bool ends_queue(const Facts *facts) {
    static const char *const names[] = {"exec", "discard", "reset"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(facts->name, names[i]) == 0) return true;
    }
    return false;
}

/* The number that SELECT will take, as far as can be told; NO_DB: it will fail. */
static int selected_db(RedisModuleCommandFilterCtx *ctx) {
    long long db;
    const RedisModuleString *word = RedisModule_CommandFilterArgGet(ctx, 1);
    if (RedisModule_CommandFilterArgsCount(ctx) != 2 || RedisModule_StringToLongLong(word, &db) != REDISMODULE_OK)
        return NO_DB;
    int before = RedisModule_GetSelectedDb(module_context);
    bool is_there = db >= 0 && db <= INT_MAX && RedisModule_SelectDb(module_context, (int)db) == REDISMODULE_OK;
    RedisModule_SelectDb(module_context, before);
    return is_there ? (int)db : NO_DB;
}

/* ===== User default ===== */

/* Whether everybody is logged in as `default`. It is looked at once a loop: who came while it was so is logged in, and
 * nobody who came later is read in the same loop. */
static enum { NOT_KNOWN, FOR_ALL, WITH_PASSWORD } default_user;

static bool has_rule(const char *rules, const char *rule) {
    size_t length = strlen(rule);
    for (const char *at = rules; (at = strstr(at, rule)); at++) {
        if ((at == rules || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return true;
    }
    return false;
}

static bool default_is_for_all(void) {
    if (default_user != NOT_KNOWN) return default_user == FOR_ALL;
    RedisModuleString *name = RedisModule_CreateString(NULL, "default", 7);
    RedisModuleUser *user = RedisModule_GetModuleUserFromUserName(name);
    RedisModuleString *rules = user ? RedisModule_GetModuleUserACLString(user) : NULL;
    const char *text = rules ? RedisModule_StringPtrLen(rules, NULL) : "";
    default_user = has_rule(text, "on") && has_rule(text, "nopass") ? FOR_ALL : WITH_PASSWORD;
    if (rules) RedisModule_FreeString(NULL, rules);
    if (user) RedisModule_FreeModuleUser(user);
    RedisModule_FreeString(NULL, name);
    return default_user == FOR_ALL;
}

static bool is_default(RedisModuleString *user) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(user, &length);
    return length == 7 && memcmp(text, "default", 7) == 0;
}

/* ===== Clients ===== */

/* The client that was asked about last. What is known of it holds for the rest of the loop, in which nothing but
 * commands changes it, and of those only such as a module could not run in its place (can_replace: not SELECT, MULTI,
 * AUTH, CLIENT ...). Asking costs a call of the system: the server tells the client's address, too. */
static struct {
    bool is_there;
    uint64_t id, flags;
    int db;
    RedisModuleString *user; /* NULL: the stream of our primary */
} known;

void sender_forget(void) {
    if (known.user) RedisModule_FreeString(NULL, known.user);
    known.user = NULL;
    known.is_there = false;
}

void sender_before_sleep(void) {
    default_user = NOT_KNOWN;
    sender_forget();
}

/* False when it has no client. */
static bool know(uint64_t id) {
    RedisModuleClientInfoV1 info = REDISMODULE_CLIENTINFO_INITIALIZER_V1;
    if (known.is_there && known.id == id) return true;
    if (RedisModule_GetClientInfoById(&info, id) != REDISMODULE_OK) return false;
    sender_forget();
    known.user = RedisModule_GetClientUserNameById(module_context, id);
    known.id = id;
    known.flags = info.flags;
    known.db = info.db;
    known.is_there = true;
    return true;
}

static RedisModuleString *own_user(void) {
    if (known.user) RedisModule_RetainString(NULL, known.user);
    return known.user;
}

static bool learn_client(Sender *sender) {
    const uint64_t in_place =
        REDISMODULE_CLIENTINFO_FLAG_MULTI | REDISMODULE_CLIENTINFO_FLAG_TRACKING | REDISMODULE_CLIENTINFO_FLAG_PUBSUB;
    if (!known.user) return false;
    sender->user = own_user();
    sender->is_client = true;
    sender->in_multi = known.flags & REDISMODULE_CLIENTINFO_FLAG_MULTI;
    sender->base_db = known.db;
    sender->db = sender->in_multi ? queued_select(sender->client_id, known.db) : known.db;
    sender->logged_in = (known.flags & in_place) || !is_default(sender->user) || default_is_for_all();
    sender->in_place = known.flags & in_place;
    sender->subscribes = known.flags & REDISMODULE_CLIENTINFO_FLAG_PUBSUB;
    sender->can_be_told = true;
    return true;
}

bool sender_learn(RedisModuleCommandFilterCtx *ctx, Sender *sender) {
    *sender = (Sender){.resp = 2, .client_id = RedisModule_CommandFilterGetClientId(ctx)};
    if (know(sender->client_id)) return learn_client(sender);
    sender->logged_in = true;
    /* What another module's command of the AOF runs has been judged when it came. */
    if (RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_LOADING) return false;
    if (!is_script_running()) return true;
    sender->client_id = script_caller;
    if (!know(script_caller)) return true; /* another module's script */
    sender->can_be_told = !module_command_ran;
    sender->base_db = known.db;
    sender->db = script_db == NO_DB ? known.db : script_db;
    sender->user = own_user();
    sender_forget(); /* in EXEC its database changes unseen */
    return true;
}

bool sender_only_subscribes(const Sender *sender) {
    return sender->subscribes && !caller_speaks_resp3(sender->client_id);
}

bool sender_may_be_told(const Sender *sender) {
    return sender->can_be_told && !sender_only_subscribes(sender);
}

/* Of a connection only: other modules run scripts with clients of their own, which Valkey 9.1 must not be asked about
 * while they run. */
static void begin_script(RedisModuleCommandFilterCtx *ctx) {
    uint64_t id = RedisModule_CommandFilterGetClientId(ctx);
    script_caller = know(id) ? id : 0;
    script_db = NO_DB;
    module_command_ran = false;
}

void sender_saw(RedisModuleCommandFilterCtx *ctx, const Facts *facts) {
    if (!facts) return;
    if (selects && ends_queue(facts)) forget_select(RedisModule_CommandFilterGetClientId(ctx));
    if ((facts->flags & FACT_RUNS_OTHERS) && !is_script_running()) begin_script(ctx);
    if (is_of_other_module(facts)) module_command_ran = true;
}

static void note_select(RedisModuleCommandFilterCtx *ctx) {
    int db = selected_db(ctx);
    if (db == NO_DB) return;
    uint64_t id = RedisModule_CommandFilterGetClientId(ctx);
    bool is_client = know(id); /* one that is refused while a script is busy, as the case may be */
    if (is_client && (known.flags & REDISMODULE_CLIENTINFO_FLAG_MULTI)) queue_select(id, db);
    if (!is_client && is_script_running()) script_db = db;
}

void sender_will_change(RedisModuleCommandFilterCtx *ctx, const Facts *facts) {
    if (facts && strcmp(facts->name, "select") == 0) note_select(ctx);
    sender_forget(); /* what was learnt of it is what it was before */
}

void sender_forget_all(void) {
    forget_selects();
    sender_forget();
}
