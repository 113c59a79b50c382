/* As whom a plugin acts when no caller stands behind it (timers, key events, setup): an internal ACL user made of
 * exactly the plugin's permissions (`acl` in the route table), or the ACL user that `ferrite.plugin-user` names. */
#ifndef FERRITE_PLUGIN_USER_H
#define FERRITE_PLUGIN_USER_H

#include <stdbool.h>

#include "frame.h"
#include "server.h"

/* NULL with "CODE text" in `error` (CALL_ERROR_SIZE bytes). *owned tells whether the caller frees it. */
RedisModuleUser *plugin_user(Slice plugin, bool *owned, char *error);

/* The route table has changed: users are made anew. */
void plugin_user_forget(void);

#endif
