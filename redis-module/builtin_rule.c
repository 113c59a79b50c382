#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "builtin.h"
#include "hooks.h"
#include "rule_file.h"
#include "rules.h"

/* ===== From the words of ADD to a line of a table ===== */

/* What is given more than once is a list. */
static const struct Option {
    const char *word, *name; /* of ADD, of the line */
    bool is_list;
} options[] = {
    {"COMMAND", "commands", true},
    {"KEY", "keys", true},
    {"USER", "users", true},
    {"DB", "dbs", true},
    {"ARG", "args", true},
    {"PRIORITY", "priority", false},
    {"ERROR", "error", false},
    {"TO", "to", false},
    {"LIMIT", "limit", false},
    {"INTERVAL", "interval", false},
    {"BURST", "burst", false},
    {"PER", "per", false},
    {"SEPARATOR", "separator", false},
    {"MAXBYTES", "max-bytes", false},
    {"MAXARGS", "max-arguments", false},
};
enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]), ARG_OPTION = 4 };

static const char *text_of(RedisModuleString *word) {
    return RedisModule_StringPtrLen(word, NULL);
}

static int option_of(RedisModuleString *word) {
    int i = 0;
    while (i < OPTION_COUNT && strcasecmp(text_of(word), options[i].word) != 0) i++;
    return i;
}

/* What separates words, values and items of lists is escaped. */
static void put_escaped(Buffer *line, const char *text, size_t length, bool lower) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)(lower ? tolower(text[i]) : text[i]);
        char escaped[4];
        if (c > 32 && c < 127 && c != '%' && c != ',' && c != '=')
            buffer_put_u8(line, c);
        else
            buffer_put(line, escaped, (size_t)snprintf(escaped, sizeof(escaped), "%%%02X", c));
    }
}

static void put_word(Buffer *line, RedisModuleString *word, bool lower) {
    size_t length;
    const char *text = RedisModule_StringPtrLen(word, &length);
    put_escaped(line, text, length, lower);
}

static void put_text(Buffer *line, const char *text) {
    buffer_put(line, text, strlen(text));
}

/* One option of the line, gathered from all its places in the words. */
static bool put_option(Buffer *line, int option, RedisModuleString **argv, int argc, char *error) {
    int found = 0;
    for (int at = 4; at < argc; at += option_of(argv[at]) == ARG_OPTION ? 3 : 2) {
        if (option_of(argv[at]) != option) continue;
        if (found > 0 && !options[option].is_list) {
            snprintf(error, CALL_ERROR_SIZE, "%s is given twice", options[option].word);
            return false;
        }
        if (found++ == 0) {
            put_text(line, " ");
            put_text(line, options[option].name);
        }
        put_text(line, found == 1 ? "=" : ",");
        put_word(line, argv[at + 1], strcasecmp(options[option].word, "PER") == 0);
        if (option != ARG_OPTION) continue;
        put_text(line, ":");
        put_word(line, argv[at + 2], false);
    }
    return true;
}

/* Every option is known and has its values. */
static bool are_whole(RedisModuleString **argv, int argc, char *error) {
    for (int at = 4; at < argc;) {
        int option = option_of(argv[at]), values = option == ARG_OPTION ? 2 : 1;
        if (option == OPTION_COUNT) {
            snprintf(error, CALL_ERROR_SIZE,
                     "unknown option '%.32s': expected COMMAND, KEY, USER, DB, ARG, PRIORITY, ERROR, TO, LIMIT, "
                     "INTERVAL, BURST, PER, SEPARATOR, MAXBYTES or MAXARGS",
                     text_of(argv[at]));
            return false;
        }
        if (at + values >= argc) {
            snprintf(error, CALL_ERROR_SIZE, "%s needs %s", options[option].word,
                     values == 2
                         ? "a place (0 is the word behind the command's name, -1 the last one, * any) and a glob"
                         : "a value");
            return false;
        }
        at += values + 1;
    }
    return true;
}

static bool write_line(Buffer *line, RedisModuleString **argv, int argc, char *error) {
    if (!are_whole(argv, argc, error)) return false;
    put_text(line, "rule name=");
    put_word(line, argv[2], false);
    put_text(line, " action=");
    put_word(line, argv[3], true);
    for (int option = 0; option < OPTION_COUNT; option++) {
        if (!put_option(line, option, argv, argc, error)) return false;
    }
    buffer_put_u8(line, 0);
    return true;
}

/* ===== Names that mean something ===== */

/* A rule whose command is misspelt would hold nothing up, and nobody would know. */
static bool names_commands(const char *word, char *error) {
    int count;
    bool is_known = false;
    const Facts *facts = facts_list(&count);
    const RouteMatcher alone = {.commands = {.values = &word, .count = 1}};
    for (int i = 0; i < count; i++) {
        if (matcher_names(&alone, &facts[i])) return true;
        is_known |= *word != '@' && matcher_word_names(word, &facts[i]);
    }
    if (is_known)
        snprintf(error, CALL_ERROR_SIZE, "no rule is for %.64s: it must work in any case", word);
    else
        snprintf(error, CALL_ERROR_SIZE, "this server has no command%s %.64s%s", *word == '@' ? "s of category" : "",
                 word, strcasecmp(word, "@all") == 0 ? ": leave COMMAND out for all commands" : "");
    return false;
}

static bool is_command(RedisModuleString *word) {
    return facts_of(word, NULL) != NULL;
}

/* A rule that renames may give a command a name that was free. */
static bool name_commands(RedisModuleString **argv, int argc, char *error) {
    bool renames = strcasecmp(text_of(argv[3]), "rename") == 0;
    for (int at = 4; at < argc; at += option_of(argv[at]) == ARG_OPTION ? 3 : 2) {
        const char *word = options[option_of(argv[at])].word;
        bool may_be_new = renames && strcmp(word, "COMMAND") == 0 && !is_command(argv[at + 1]);
        if (strcmp(word, "COMMAND") == 0 && !may_be_new && !names_commands(text_of(argv[at + 1]), error)) return false;
        if (strcmp(word, "TO") == 0 && !is_command(argv[at + 1])) {
            snprintf(error, CALL_ERROR_SIZE, "this server has no command %.64s", text_of(argv[at + 1]));
            return false;
        }
    }
    return true;
}

/* ===== Replies ===== */

static int reply_error(RedisModuleCtx *ctx, const char *error) {
    char text[CALL_ERROR_SIZE + 8];
    snprintf(text, sizeof(text), "ERR %s", error);
    return RedisModule_ReplyWithError(ctx, text);
}

/* The words behind the action with which ADD makes the rule once more. */
typedef struct Words {
    RedisModuleCtx *ctx;
    int count;
} Words;

static void add_text(Words *words, const char *option, const char *value) {
    RedisModule_ReplyWithCString(words->ctx, option);
    RedisModule_ReplyWithCString(words->ctx, value);
    words->count += 2;
}

static void add_number(Words *words, const char *option, long long value) {
    char text[24];
    snprintf(text, sizeof(text), "%lld", value);
    add_text(words, option, text);
}

static void add_list(Words *words, const char *option, const RouteWords *list) {
    for (int i = 0; i < list->count; i++) add_text(words, option, list->values[i]);
}

static void add_arguments(Words *words, const RouteRule *rule) {
    for (int i = 0; i < rule->argument_count; i++) {
        const RouteArgument *argument = &rule->arguments[i];
        if (argument->at == RULE_ANY_ARGUMENT)
            add_text(words, "ARG", "*");
        else
            add_number(words, "ARG", argument->at);
        RedisModule_ReplyWithCString(words->ctx, argument->glob);
        words->count++;
    }
}

static void reply_options(RedisModuleCtx *ctx, const RouteRule *rule) {
    Words words = {.ctx = ctx};
    RedisModule_ReplyWithArray(ctx, REDISMODULE_POSTPONED_LEN);
    add_list(&words, "COMMAND", &rule->match.commands);
    add_list(&words, "KEY", &rule->match.keys);
    add_list(&words, "USER", &rule->match.users);
    for (int i = 0; i < rule->match.db_count; i++) add_number(&words, "DB", rule->match.dbs[i]);
    add_arguments(&words, rule);
    if (rule->match.priority != 100) add_number(&words, "PRIORITY", rule->match.priority);
    if (rule->error) add_text(&words, "ERROR", rule->error);
    if (rule->to) add_text(&words, "TO", rule->to);
    if (rule->action == RULE_RATE) {
        char separator[] = {rule->separator, '\0'};
        add_number(&words, "LIMIT", rule->limit);
        add_number(&words, "INTERVAL", rule->interval);
        add_number(&words, "BURST", rule->burst);
        add_text(&words, "PER", route_rule_pers[rule->per]);
        if (rule->per == PER_PREFIX) add_text(&words, "SEPARATOR", separator);
    }
    if (rule->max_bytes >= 0) add_number(&words, "MAXBYTES", rule->max_bytes);
    if (rule->max_arguments >= 0) add_number(&words, "MAXARGS", rule->max_arguments);
    RedisModule_ReplySetArrayLength(ctx, words.count);
}

static int reply_list(RedisModuleCtx *ctx) {
    int count;
    Rule *const *rules = rules_list(&count);
    RedisModule_ReplyWithArray(ctx, count);
    for (int i = 0; i < count; i++) {
        const RouteRule *route = rules[i]->route;
        RedisModule_ReplyWithMap(ctx, 6);
        RedisModule_ReplyWithCString(ctx, "name");
        RedisModule_ReplyWithCString(ctx, rules[i]->name);
        RedisModule_ReplyWithCString(ctx, "from");
        RedisModule_ReplyWithCString(ctx, route->plugin ? route->plugin : "operator");
        RedisModule_ReplyWithCString(ctx, "action");
        RedisModule_ReplyWithCString(ctx, route_rule_actions[route->action]);
        RedisModule_ReplyWithCString(ctx, "options");
        reply_options(ctx, route);
        RedisModule_ReplyWithCString(ctx, "matched");
        RedisModule_ReplyWithLongLong(ctx, (long long)rules[i]->matched);
        RedisModule_ReplyWithCString(ctx, "refused");
        RedisModule_ReplyWithLongLong(ctx, (long long)rules[i]->refused);
    }
    return REDISMODULE_OK;
}

/* ===== The command ===== */

static int add(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    char error[CALL_ERROR_SIZE];
    Buffer line = {0};
    bool ok = write_line(&line, argv, argc, error) && name_commands(argv, argc, error) &&
              rule_file_put((const char *)buffer_front(&line), error, sizeof(error));
    buffer_free(&line);
    return ok ? RedisModule_ReplyWithSimpleString(ctx, "OK") : reply_error(ctx, error);
}

static int delete(RedisModuleCtx *ctx, const char *name) {
    char error[CALL_ERROR_SIZE];
    if (strchr(name, '/')) {
        snprintf(error, sizeof(error),
                 "'%.64s' is a plugin's rule: it goes with its plugin; a rule of your own that "
                 "allows comes before it",
                 name);
        return reply_error(ctx, error);
    }
    if (!rule_file_delete(name, error, sizeof(error))) return reply_error(ctx, error);
    return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

static bool is_word(RedisModuleString *given, const char *word) {
    return strcasecmp(text_of(given), word) == 0;
}

int Rule_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc) {
    if (argc == 2 && is_word(argv[1], "LIST")) return reply_list(ctx);
    if (hooks_problem()) return reply_error(ctx, hooks_problem());
    if (argc >= 4 && is_word(argv[1], "ADD")) return add(ctx, argv, argc);
    if (argc == 3 && is_word(argv[1], "DEL")) return delete (ctx, text_of(argv[2]));
    return reply_error(ctx,
                       "expected FERRITE.RULE LIST, DEL <name> or ADD <name> DENY|ALLOW|RENAME|RATE|READ-ONLY|SIZE "
                       "[COMMAND c] [KEY glob] [USER u] [DB n] [ARG place glob] [ERROR text] ...");
}
