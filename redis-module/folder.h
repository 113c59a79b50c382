/* The module's private folder in ferrite.socket-dir, `ferrite-<pid>.<random>`. It is locked as long as its server
 * lives, by flock on the folder itself: a folder was left by a killed server if its lock can be had. The pid in the
 * name is for people: servers of other containers, with pids of their own, may share the place.
 *
 * Between mkdir and flock another server may take the lock and remove the folder: whoever makes one looks, once it has
 * the lock, whether the folder is still there, and takes another name otherwise. So no name that is held is ever
 * removed, and nothing is left behind, whenever a server is killed.
 *
 * Builds before this one wrote `ferrite-<pid>-<random>` and held no lock. Such folders are judged by their pid. */
#ifndef FERRITE_FOLDER_H
#define FERRITE_FOLDER_H

#include <stdbool.h>

/* Removes the folders that were left in `place`, makes and locks one. Its path, valid until the next call, or NULL with
 * errno. */
const char *folder_make(const char *place);

/* Removes it and what the module puts there: `s` and `token`. */
void folder_remove(void);

/* In a child of the server, which can outlive it: the lock ends with the server. */
void folder_close_in_child(void);

#endif
