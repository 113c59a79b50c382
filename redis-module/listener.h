/* Where hosts connect: a private folder with a listening socket, and the token that a host must show. */
#ifndef FERRITE_LISTENER_H
#define FERRITE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

/* Creates folder, token and socket and listens; connections become lanes. False with a message; nothing is left behind
 * then. */
bool listener_open(char *error, size_t error_size);

/* Removes the folder. Lanes stay open. Does nothing when it is closed. */
void listener_close(void);

/* For the host's environment. */
const char *listener_socket_path(void);

/* Compares in a time that does not depend on what is given. */
bool listener_knows_token(Slice given);

/* `hz` times per second: accepts again after descriptors ran out. */
void listener_cron(int hz);

#endif
