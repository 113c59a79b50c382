/* The server's environment, for the host. Valkey 9.1 keeps it where a module does not see it (its `environ` is NULL
 * here); then it is what the server was started with, as the kernel tells. */
#ifndef FERRITE_ENVIRONMENT_H
#define FERRITE_ENVIRONMENT_H

/* NAME=value strings, ended by NULL; `extra` replaces one of the same name. Free with environment_free. */
char **environment_with(const char *extra);
void environment_free(char **environment);

/* The value of a variable in such a list, or NULL. */
const char *environment_get(char *const *environment, const char *name);

#endif
