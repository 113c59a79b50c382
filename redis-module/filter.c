#include "filter.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "chain.h"
#include "facts.h"
#include "hooks.h"
#include "key_reads.h"
#include "memory.h"
#include "module.h"
#include "rules.h"
#include "sender.h"
#include "wrapper.h"

static RedisModuleCommandFilter *filter;

enum { FEW_WORDS = 16 };

/* What the filter knows of the command that it sees. */
typedef struct Seen {
    RedisModuleCommandFilterCtx *ctx;
    const Facts *facts;
    RedisModuleString **argv;
    int argc;

    enum { NOT_LEARNT, NOT_CONCERNED, LEARNT } who;
    Sender sender;  /* when it is LEARNT */
    bool can_block; /* its client, and there is a wrapper for the command */

    RedisModuleString *few[FEW_WORDS];
} Seen;

/* ===== Who ===== */

/* A client that has no CLIENT NO-TOUCH, as it was last asked, in this loop. */
static uint64_t toucher;

void filter_before_sleep(void) {
    sender_before_sleep();
    filter_forget_found(); /* its command has been put off: the lists may change until it runs */
    toucher = 0;
}

/* False for what neither hooks nor rules are for. */
static bool learn(Seen *seen) {
    if (seen->who == NOT_LEARNT) seen->who = sender_learn(seen->ctx, &seen->sender) ? LEARNT : NOT_CONCERNED;
    return seen->who == LEARNT;
}

static void forget(Seen *seen) {
    if (seen->sender.user) RedisModule_FreeString(NULL, seen->sender.user);
    if (seen->argv != seen->few) memory_free(seen->argv);
}

/* What the user may not do the server refuses as ever, and no hook hears of it. */
static bool may_run(const Seen *seen) {
    if (!seen->sender.is_client) return true;
    RedisModuleUser *user = RedisModule_GetModuleUserFromUserName(seen->sender.user);
    bool may = user && RedisModule_ACLCheckCommandPermissions(user, seen->argv, seen->argc) == REDISMODULE_OK;
    if (user) RedisModule_FreeModuleUser(user);
    return may;
}

/* ===== Changing the words ===== */

static void take_words(Seen *seen) {
    seen->argv = seen->few;
    if (seen->argc > FEW_WORDS) seen->argv = memory_alloc(sizeof(*seen->argv) * (size_t)seen->argc);
    for (int i = 0; i < seen->argc; i++) {
        seen->argv[i] = (RedisModuleString *)RedisModule_CommandFilterArgGet(seen->ctx, i);
    }
}

static RedisModuleString *own(RedisModuleString *word) {
    RedisModule_RetainString(NULL, word);
    return word;
}

/* Valkey 9 lends the words of a script's command: a first insertion makes room for one more, and all further ones are
 * written behind the room. */
static bool has_room_for(const Seen *seen, int count) {
    bool lent = !seen->sender.is_client && strcmp(server_product, "valkey") == 0 && atoi(server_version) >= 9;
    return !lent || count <= RedisModule_CommandFilterArgsCount(seen->ctx) + 1;
}

/* Takes over the references. Inserts first: has_room_for. */
static void put_words(const Seen *seen, RedisModuleString **words, int count) {
    sender_forget();
    int had = RedisModule_CommandFilterArgsCount(seen->ctx);
    for (int i = had; i < count; i++) RedisModule_CommandFilterArgInsert(seen->ctx, i, words[i]);
    for (int i = 0; i < had && i < count; i++) RedisModule_CommandFilterArgReplace(seen->ctx, i, words[i]);
    for (int i = had - 1; i >= count; i--) RedisModule_CommandFilterArgDelete(seen->ctx, i);
}

/* Returns the wrapper's word. */
static const RedisModuleString *wrap(const Seen *seen, const Facts *facts, WrapperTask task) {
    RedisModuleString *word = wrapper_word(task, seen->argv[0]);
    RedisModule_CommandFilterArgInsert(seen->ctx, 0, own(wrapper_name(facts->wrapper, !seen->sender.logged_in)));
    RedisModule_CommandFilterArgReplace(seen->ctx, 1, word);
    return word;
}

/* Other words than those that came, in a wrapper. Where there is no room for all of them the wrapper gets them stored,
 * and shows those in front, where keys are. */
static void put_wrapped(const Seen *seen, const Facts *facts, const Arguments *arguments) {
    bool fits = has_room_for(seen, arguments->count + 1);
    int count = fits ? arguments->count + 1 : RedisModule_CommandFilterArgsCount(seen->ctx) + 1;
    RedisModuleString **words = memory_alloc(sizeof(*words) * (size_t)count);
    words[0] = own(wrapper_name(facts->wrapper, !seen->sender.logged_in));
    words[1] = wrapper_word(fits ? WRAPPER_RUNS : WRAPPER_RUNS_STORED, arguments->values[0]);
    for (int i = 2; i < count; i++) words[i] = own(arguments->values[i - 1]);
    put_words(seen, words, count);
    memory_free(words);
    if (fits) return;
    Arguments kept;
    arguments_hold(&kept, arguments->values, arguments->count);
    wrapper_store(&kept);
}

/* ===== For the wrapper ===== */

static Found found;

void filter_forget_found(void) {
    if (found.user) RedisModule_FreeString(NULL, found.user);
    found = (Found){0};
}

bool filter_take_found(const RedisModuleString *word, Found *taken) {
    if (!word || found.word != word) return false;
    *taken = found;
    found = (Found){0};
    return true;
}

/* ===== Answering in its place ===== */

/* An EXEC that does not run must end the MULTI all the same, else all that comes later on that connection would be
 * queued: the server does so for one word too many. */
static void abort_exec(const Seen *seen) {
    RedisModuleString *words[] = {own(seen->argv[0]), own(seen->argv[0])};
    put_words(seen, words, 2);
}

/* The client gets `value`, RESP3, and nothing runs. An error in MULTI is one at once, which ends the transaction: as
 * the name of a command that is not there. So it is where the client can run nothing. */
static void answer(const Seen *seen, const char *value, size_t length) {
    if (seen->sender.in_multi && strcmp(seen->facts->name, "exec") == 0) {
        abort_exec(seen);
        return;
    }
    if (*value == '-' && (seen->sender.in_multi || sender_only_subscribes(&seen->sender))) {
        RedisModuleString *name = RedisModule_CreateStringPrintf(NULL, "(%.*s)", (int)length - 3, value + 1);
        put_words(seen, &name, 1);
        return;
    }
    RedisModuleString *words[] = {own(wrapper_answer_name(!seen->sender.logged_in)),
                                  RedisModule_CreateString(NULL, value, length)};
    put_words(seen, words, 2);
}

static void answer_error(const Seen *seen, const char *code_and_text) {
    char line[CALL_ERROR_SIZE * 2 + 8];
    int length = snprintf(line, sizeof(line), "-%s\r\n", code_and_text);
    answer(seen, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

/* ===== Asking at once ===== */

/* A client that may not have logged in: no plugin hears of it. Fail-closed hooks deny. */
static void deny_stranger(const Seen *seen, HookList hooks) {
    char error[CALL_ERROR_SIZE];
    for (int i = 0; i < hooks.count; i++) {
        Command *command = hooks.hooks[i];
        if (command->hook->allow_on_failure) continue;
        command->failed++;
        snprintf(error, sizeof(error),
                 "UNAVAILABLE %s cannot be asked: it is not known whether user 'default' has logged in, use a named "
                 "user; the command was not run",
                 command->name);
        answer_error(seen, error);
        return;
    }
}

/* The wrapper that runs other words than those that came: for after hooks, or because they are too many. NULL: none. */
static const Facts *wrapper_for(const Seen *seen, const Arguments *arguments, HookSubject subject) {
    const Facts *facts = facts_of(arguments->values[0], arguments->count > 1 ? arguments->values[1] : NULL);
    subject.argv = arguments->values;
    subject.argc = arguments->count;
    if (!facts || facts->wrapper < 0 || !facts_arity_fits(facts, arguments->count)) return NULL;
    bool is_told = hooks_match(facts, PHASE_AFTER, &subject).count > 0 && sender_may_be_told(&seen->sender);
    return is_told || !has_room_for(seen, arguments->count) ? facts : NULL;
}

static void go_on(const Seen *seen, Request *request, const HookSubject *subject) {
    Arguments *arguments = &request->arguments;
    const Facts *wrapper = wrapper_for(seen, arguments, *subject);
    if (wrapper) {
        put_wrapped(seen, wrapper, arguments);
    } else if (!has_room_for(seen, arguments->count)) {
        char error[CALL_ERROR_SIZE];
        int most = RedisModule_CommandFilterArgsCount(seen->ctx) + 1;
        snprintf(error, sizeof(error),
                 "ERR a hook rewrote the command to %d words, in a script on this server it can have %d: rewrite it to "
                 "no more, or call it outside of scripts; the command was not run",
                 arguments->count, most);
        answer_error(seen, error);
    } else if (request->chain->rewritten) {
        for (int i = 0; i < arguments->count; i++) own(arguments->values[i]);
        put_words(seen, arguments->values, arguments->count);
    }
}

static void apply(const Seen *seen, Request *request, const HookSubject *subject) {
    if (request->failure) {
        answer_error(seen, request->failure);
    } else if (request->chain->end == CHAIN_ANSWERS) {
        Reader reader = reader_of(buffer_front(&request->result), buffer_length(&request->result));
        Slice value = reader_string(&reader);
        answer(seen, (const char *)value.bytes, value.length);
    } else {
        go_on(seen, request, subject);
    }
}

static void ask_now(const Seen *seen, const HookSubject *subject, HookList hooks) {
    if (!seen->sender.logged_in) {
        deny_stranger(seen, hooks);
        return;
    }
    CommandCaller caller = {.client_id = seen->sender.client_id,
                            .user = seen->sender.user,
                            .db = seen->sender.db,
                            .resp = seen->sender.resp};
    if (seen->sender.in_multi) caller.invoke_flags |= INVOKE_MULTI;
    if (!seen->sender.is_client) caller.invoke_flags |= INVOKE_SCRIPT;
    Request *request = chain_ask_now(hooks, subject, &caller);
    apply(seen, request, subject);
    request_release(request);
}

/* ===== The filter ===== */

static bool could_match(const Facts *facts, const HookSubject *subject) {
    return hooks_match(facts, PHASE_BEFORE, subject).count > 0 || hooks_match(facts, PHASE_AFTER, subject).count > 0;
}

static void have_asked(const Seen *seen, const HookSubject *subject) {
    HookList before = hooks_match(seen->facts, PHASE_BEFORE, subject);
    HookList after = hooks_match(seen->facts, PHASE_AFTER, subject);
    if ((before.count == 0 && after.count == 0) || !may_run(seen)) return;
    if (seen->can_block) {
        const RedisModuleString *word = wrap(seen, seen->facts, WRAPPER_ASKS);
        found = (Found){.word = word, .user = own(seen->sender.user), .db = seen->sender.db, .hooks = {before, after}};
    } else if (before.count > 0) {
        ask_now(seen, subject, before);
    } else if (sender_may_be_told(&seen->sender)) {
        wrap(seen, seen->facts, WRAPPER_RUNS);
    }
}

static bool learn_subject(void *context, HookSubject *subject) {
    Seen *seen = context;
    if (!learn(seen)) return false;
    subject->user = seen->sender.user ? RedisModule_StringPtrLen(seen->sender.user, NULL) : "";
    subject->db = seen->sender.db;
    subject->base_db = seen->sender.base_db;
    subject->stranger = !seen->sender.logged_in;
    return true;
}

/* Another command of one word. False when there is none of that name, or not with so many words. */
static bool rename_to(Seen *seen, const char *name) {
    RedisModuleString *word = RedisModule_CreateString(NULL, name, strlen(name));
    RedisModule_CommandFilterArgReplace(seen->ctx, 0, word);
    sender_forget();
    seen->argv[0] = word;
    seen->facts = facts_of(word, seen->argc > 1 ? seen->argv[1] : NULL);
    sender_saw(seen->ctx, seen->facts);
    return seen->facts && facts_arity_fits(seen->facts, seen->argc);
}

/* False when there is nothing to ask hooks about any more. */
static bool rules_let(Seen *seen, HookSubject *subject) {
    RuleVerdict verdict = {.end = RULES_PASS};
    rules_judge(seen->facts, subject, learn_subject, seen, false, &verdict);
    if (verdict.end == RULES_RENAME) {
        if (!rename_to(seen, verdict.to)) return false;
        rules_judge(seen->facts, subject, learn_subject, seen, true, &verdict);
    }
    if (verdict.end == RULES_REFUSE) answer_error(seen, verdict.error);
    return verdict.end != RULES_REFUSE;
}

static void begin(Seen *seen, RedisModuleCommandFilterCtx *ctx, const Facts *facts) {
    memset(seen, 0, offsetof(Seen, few));
    seen->ctx = ctx;
    seen->facts = facts;
    seen->argc = RedisModule_CommandFilterArgsCount(ctx);
    take_words(seen);
}

static void look_closer(RedisModuleCommandFilterCtx *ctx, const Facts *facts) {
    Seen filled, *seen = &filled;
    begin(seen, ctx, facts);
    HookSubject subject = {.argv = seen->argv, .argc = seen->argc};
    bool goes_on = facts->rule_count == 0 || rules_let(seen, &subject);
    if (goes_on && could_match(seen->facts, &subject) && learn_subject(seen, &subject)) {
        seen->can_block = seen->sender.is_client && !seen->sender.in_place && seen->facts->wrapper >= 0;
        subject.sampled = seen->can_block; /* else chance decides when the wrapper runs */
        have_asked(seen, &subject);
    }
    forget(seen);
}

/* ===== Hits ===== */

/* Where it is on, servers look at the command of the client when a key is looked up: there is none yet, they crash. */
static bool can_look_up(const Seen *seen) {
    if (toucher == seen->sender.client_id) return true;
    if (caller_is_no_touch(seen->sender.client_id)) return false;
    toucher = seen->sender.client_id;
    return true;
}

/* Whether the words are those of a read that runs next. While a script is busy the server runs nothing else. */
static bool reads_next(Seen *seen) {
    return learn(seen) && seen->sender.is_client && seen->sender.logged_in && !seen->sender.in_multi &&
           !sender_only_subscribes(&seen->sender) && !(RedisModule_GetContextFlags(NULL) & REDISMODULE_CTX_FLAGS_LUA) &&
           may_run(seen) && can_look_up(seen);
}

/* Of the words as hooks have left them: those of a wrapper are no command with facts, it tells hits itself. */
static const Facts *facts_now(RedisModuleCommandFilterCtx *ctx) {
    return facts_of(RedisModule_CommandFilterArgGet(ctx, 0), RedisModule_CommandFilterArgGet(ctx, 1));
}

static void look_for_hits(RedisModuleCommandFilterCtx *ctx, const Facts *facts) {
    if (!facts || !key_reads_of(facts)) return;
    Seen filled, *seen = &filled;
    begin(seen, ctx, facts);
    if (key_reads_match(facts, seen->argv, seen->argc) && reads_next(seen))
        key_reads_tell(facts, seen->argv, seen->argc, seen->sender.db);
    forget(seen);
}

static void look(RedisModuleCommandFilterCtx *ctx, const RedisModuleString *name, const Facts *facts) {
    bool hits_wanted = key_reads_wanted();
    if (!facts->hooks_below && !hits_wanted) return;
    if (facts->flags & FACT_CONTAINER) {
        facts = facts_of(name, RedisModule_CommandFilterArgGet(ctx, 1));
        toucher = 0; /* it may be CLIENT NO-TOUCH */
    }
    int argc = RedisModule_CommandFilterArgsCount(ctx);
    bool asks = facts_hooked(facts) && facts_arity_fits(facts, argc);
    if (asks) {
        look_closer(ctx, facts);
        toucher = 0; /* a rule can make it CLIENT, too */
    }
    if (hits_wanted) look_for_hits(ctx, asks ? facts_now(ctx) : facts);
}

/* For every command of every client: most are none of ours. */
static void on_command(RedisModuleCommandFilterCtx *ctx) {
    if (found.word) filter_forget_found();
    const RedisModuleString *name = RedisModule_CommandFilterArgGet(ctx, 0);
    const Facts *facts = name ? facts_of(name, NULL) : NULL;
    if (!facts && name && hooks_learn(name)) facts = facts_of(name, NULL);
    sender_saw(ctx, facts);
    if (!facts) return;
    bool may_change_sender = !facts->can_replace;
    look(ctx, name, facts);
    if (may_change_sender) sender_will_change(ctx, facts_now(ctx));
}

void filter_set(FilterUse use, bool wanted) {
    static int uses;
    uses = wanted ? uses | (int)use : uses & ~(int)use;
    if ((uses != 0) == (filter != NULL)) return;
    if (uses) {
        sender_forget_all();
        filter = RedisModule_RegisterCommandFilter(module_context, on_command, REDISMODULE_CMDFILTER_NOSELF);
    } else {
        RedisModule_UnregisterCommandFilter(module_context, filter);
        filter = NULL;
        filter_forget_found();
        sender_forget_all();
    }
}

void filter_free(void) {
    filter_set(FILTER_FOR_HOOKS, false);
    filter_set(FILTER_FOR_READS, false);
}
