/* Ferrite's own commands: their table and FERRITE.HELP; each of the others in a file of its own. */
#ifndef FERRITE_BUILTIN_H
#define FERRITE_BUILTIN_H

#include "server.h"

/* Creates them; only inside an OnLoad. */
int builtin_register(RedisModuleCtx *ctx);

/* FERRITE.PING -- round trip to each lane in microseconds, as a map from lane to microseconds */
int Ping_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* A lane has answered a PING, which FERRITE.PING may be waiting for. */
void builtin_ping_answered(void);

/* Lets go of the clients that have their answer. */
void builtin_ping_before_sleep(void);

/* FERRITE.PLUGIN LIST | INFO <name> | ... -- answered by the host; without it, LIST says what the route table does */
int PluginAdmin_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* Tells the host's lane of it (command_builtin). */
void builtin_plugin_prepare(void);

/* FERRITE.HOOK LIST | INFO <plugin>/<hook> | RESET [<plugin>/<hook>] -- the hooks of commands, and their figures */
int Hook_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* FERRITE.RULE ADD <name> <action> [option ...] | DEL <name> | LIST -- the rules that the module decides by itself */
int Rule_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* FERRITE.EMIT <event> [payload] -- tells plugins of an event; replies how many listen */
int Emit_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

/* FERRITE.CALL <command> [arg ...] -- runs a plugin command that the server could not be given as one of its own */
int Call_RedisCommand(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

#endif
