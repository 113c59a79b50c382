/* Makes a real command of the server out of a line of the route table: name, arity, flags, key specs, documentation,
 * ACL categories. Used by ferrite.so and by its companion, both inside their OnLoad: later the server refuses. */
#ifndef FERRITE_REGISTER_H
#define FERRITE_REGISTER_H

#include <stdbool.h>

#include "route.h"
#include "server.h"

/* False when the name is taken. `function` also answers when the server asks for keys (command_tell_keys). */
bool register_command(RedisModuleCtx *ctx, const RouteCommand *route, RedisModuleCmdFunc function);

#endif
