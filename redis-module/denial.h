/* Commands that Ferrite refuses by the ACL, and not the server: an entry in ACL LOG, as for the server's own refusals.
 */
#ifndef FERRITE_DENIAL_H
#define FERRITE_DENIAL_H

#include "server.h"

/* The user may not run the command `name`, whose words are `argv`: as many as its arity asks for. */
void denial_log(RedisModuleCtx *ctx, RedisModuleUser *user, const char *name, RedisModuleString **argv, int argc);

#endif
