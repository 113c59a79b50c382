/* Plugin commands: registered in the server from the route table, found again by argv, attached to lanes. Once
 * registered a command stays: taking one away crashes servers whose ACL rules name it. */
#ifndef FERRITE_COMMAND_H
#define FERRITE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "lane.h"
#include "route.h"
#include "server.h"

typedef struct Command {
    struct Command *next;
    char name[ROUTE_NAME_MAX + 1]; /* lower case, "session|get" */
    const RouteCommand *route;     /* NULL: not in the route table any more */
    const RouteHook *hook;         /* of a hook, whose name is "hook <plugin>/<name>"; then `route` is its command */
    bool registered;
    bool builtin; /* FERRITE.PLUGIN: served by the host's control lane, in no route table */
    Lane *lane;   /* NULL: nobody serves it */
    uint16_t code;
    char *down_reason; /* why lane is NULL; NULL: the host has not said anything yet */

    Histogram latency; /* us, from the client's command to the reply */
    uint64_t calls, refused, failed, timeouts, conflicts, again, sync_calls, overloaded;
    int late_in_a_row;   /* breaker.h */
    uint64_t open_until; /* us */
    uint64_t trips;
    uint64_t untold; /* of an after hook: commands that it was not told of since it was told of one */
} Command;

extern Command *command_list;

/* Reads the route table from state-dir. False with a message when there is one that cannot be used; the previous one
 * stays in force. */
bool command_read_routes(char *error, size_t error_size);

/* In OnLoad: the backup stands in for a table that cannot be used. Says in the log what was wrong. */
void command_read_routes_at_start(void);

/* What every plugin command runs; also given to companions. */
int Plugin_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* Creates the commands of the route table; only inside an OnLoad. What cannot be created is logged. */
void command_register_all(RedisModuleCtx *ctx);

/* True if the plugin has commands that the server does not know yet. */
bool command_is_missing(const char *plugin);

/* True for a subcommand that is missing while others of its container are there: the container belongs to the load call
 * that created it, and takes no further ones. */
bool command_comes_too_late(const Command *command);

/* Creates them through a companion module; false with the reason. Not from a descriptor's callback. */
bool command_register_later(RedisModuleCtx *ctx, const char *plugin, char *error, size_t error_size);

/* The command that argv calls; NULL when there is none. */
Command *command_of_arguments(RedisModuleString **argv, int argc);
Command *command_named(const char *name, size_t length);

/* A command of our own that the host serves; its registration is the caller's. */
Command *command_builtin(const RouteCommand *route);

/* Answers the server, which asks for the keys of a call (RM_IsKeysPositionRequest). The plugin command begins behind
 * `words_before` words. */
void command_tell_keys(RedisModuleCtx *ctx, RedisModuleString **argv, int argc, int words_before);

/* True of a hook, also when it is not in the route table any more. */
bool command_is_hook(const Command *command);

/* The number of words that name it: 2 for a subcommand, 0 for a hook, which gets the client's command with its name. */
int command_words(const Command *command);

/* Replies, and counts it as failed. */
void command_reply_error(RedisModuleCtx *ctx, Command *command, const char *code_and_text);

void command_attach(Command *command, Lane *lane, uint16_t code);
/* Detaches what `lane` serves of `plugin` (NULL: all of it). */
void command_detach(Lane *lane, const char *plugin, const char *reason);

/* Why commands of `plugin` that no lane serves are down; those that are served stay as they are. */
void command_explain(const char *plugin, const char *reason);

/* The plugins of the route table in force, for what is said without the host. */
const RouteTable *command_routes(void);

void command_free_all(void);

#endif
