/* The route table: what the module must know of plugins and their commands without the host. Parsed from the
 * text of docs/design/bridge-protocol.md ("Route table"). Pure; everything hangs off one RouteTable and is
 * freed with it. */
#ifndef FERRITE_ROUTE_H
#define FERRITE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROUTE_NAME_MAX = 128, ROUTE_FLAGS_MAX = 320, ROUTE_DEPTH_MAX = 8 };

typedef enum ReadWordKind { READ_LITERAL, READ_ARGUMENT, READ_KEY, READ_KEYS } ReadWordKind;

typedef struct ReadWord {
    ReadWordKind kind;
    const char *literal; /* READ_LITERAL */
    size_t length;
    int first; /* argument number, the command's name being 0 */
    int last;  /* READ_KEYS: last argument number; negative counts from the end */
} ReadWord;

typedef struct RouteRead {
    ReadWord *words;
    int count;
} RouteRead;

enum { ROUTE_KEY_INCOMPLETE = 1 << 9 };

/* Bits of RouteKey.flags, in the order of REDISMODULE_CMD_KEY_* (which starts at bit 0). */
typedef struct RouteKey {
    uint64_t flags;
    const char *begin_keyword; /* NULL: begins at index begin_at */
    int begin_at;
    bool numbered; /* find=keynum */
    int find[3];   /* range: last, step, limit; keynum: keynumidx, firstkey, step */
} RouteKey;

typedef enum RouteArgType {
    ARG_STRING,
    ARG_INTEGER,
    ARG_DOUBLE,
    ARG_KEY,
    ARG_PATTERN,
    ARG_UNIX_TIME,
    ARG_PURE_TOKEN,
    ARG_ONEOF,
    ARG_BLOCK
} RouteArgType;

enum { ARG_OPTIONAL = 1, ARG_MULTIPLE = 2, ARG_MULTIPLE_TOKEN = 4 };

typedef struct RouteArg {
    int depth;
    const char *name;
    RouteArgType type;
    const char *token; /* NULL if none */
    int flags;
    int least; /* values of one that is multiple, unless it is left out */
    int key;   /* index into keys, -1 if none */
} RouteArg;

typedef struct RouteCommand {
    const char *plugin;
    const char *name;       /* as declared; "SESSION|GET" is a subcommand */
    const char *flags;      /* space-separated words for RM_CreateCommand, below ROUTE_FLAGS_MAX */
    const char *categories; /* space-separated, for RM_SetCommandACLCategories */
    int arity;
    bool writes;
    bool read_only;
    bool sync;         /* in MULTI and scripts: wait (true) or refuse */
    long long timeout; /* ms; 0: ferrite.request-timeout */
    int retry;         /* > 0: guarded */
    const char *summary, *since, *complexity;
    RouteKey *keys;
    int key_count;
    RouteArg *args;
    int arg_count;
    RouteRead *reads;
    int read_count;
} RouteCommand;

typedef struct RoutePlugin {
    const char *name;
    const char *version;
    const char *acl; /* rules as in ACL SETUSER, separated by spaces: the plugin's own rights */
} RoutePlugin;

/* Before hooks say what happens to a command; after hooks are told what came of it, those that are waited for may
 * replace the reply. */
typedef enum HookKind { HOOK_BEFORE, HOOK_AFTER, HOOK_AFTER_WAIT } HookKind;
enum { SAMPLE_ALL = 1000000 };

/* What a hook does with a command whose client cannot be blocked. */
typedef enum HookTransaction { HOOK_SYNC, HOOK_ALLOW, HOOK_DENY } HookTransaction;

typedef struct RouteWords {
    const char **values;
    int count;
} RouteWords;

/* Which commands of the server a hook or a rule is for, and its place among the others. */
typedef struct RouteMatcher {
    RouteWords commands; /* "SET", "CONFIG|SET", "@write"; none: all */
    RouteWords keys;     /* globs; none: commands without keys too */
    RouteWords users;    /* none: all */
    int *dbs;
    int db_count; /* none: all */
    int priority; /* lower comes first */
} RouteMatcher;

typedef struct RouteHook {
    RouteCommand command; /* "hook <plugin>/<name>": what a lane is asked for */
    const char *name;
    HookKind kind;
    RouteMatcher match;
    bool allow_on_failure;
    HookTransaction transaction;
    int breaker;    /* deadlines missed in a row; 0: no breaker */
    int breaker_ms; /* how long it is not asked then */
    int sample;     /* HOOK_AFTER: of how many in a million commands it is told */
} RouteHook;

/* What a rule does, in the order of route_rule_actions. */
typedef enum RuleAction { RULE_DENY, RULE_ALLOW, RULE_RENAME, RULE_RATE, RULE_READ_ONLY, RULE_SIZE } RuleAction;
/* What has a bucket of its own, in the order of route_rule_pers. */
typedef enum RulePer { PER_RULE, PER_USER, PER_PREFIX } RulePer;

extern const char *const route_rule_actions[], *const route_rule_pers[]; /* end with NULL */

enum { RULE_ANY_ARGUMENT = 1 << 20 };

typedef struct RouteArgument {
    int at; /* 0: the word behind the command's name; negative: from the end; RULE_ANY_ARGUMENT */
    const char *glob;
} RouteArgument;

/* Decided by the module alone. */
typedef struct RouteRule {
    const char *plugin; /* NULL: the operator's */
    const char *name;
    const char *line; /* as it stands in the table */
    RuleAction action;
    RouteMatcher match;
    RouteArgument *arguments; /* all must match */
    int argument_count;
    const char *error;                /* "CODE text" that a refused client gets; NULL: the default one */
    const char *to;                   /* RULE_RENAME: the command that runs */
    long long limit, interval, burst; /* RULE_RATE: so many per `interval` ms, so many at once */
    RulePer per;
    char separator;                     /* PER_PREFIX: keys begin with prefixes that end with it */
    long long max_bytes, max_arguments; /* RULE_SIZE: of each argument; how many. -1: any */
} RouteRule;

typedef struct RouteTable {
    RoutePlugin *plugins;
    int plugin_count;
    RouteCommand *commands;
    int command_count;
    RouteHook *hooks;
    int hook_count;
    RouteRule *rules;
    int rule_count;
    struct RouteChunk *memory;
} RouteTable;

/* Returns the table, or NULL with a message (what, where) in `error`. */
RouteTable *route_table_parse(const char *text, size_t length, char *error, size_t error_size);
void route_table_free(RouteTable *table);

/* CRC-32 of a table's lines before its end line. */
uint32_t route_checksum(const char *text, size_t length);

/* The number of the last of `argc` arguments that a word other than a literal stands for; below `first` when there are
 * too few. */
int read_word_last(const ReadWord *word, int argc);

#endif
