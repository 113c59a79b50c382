/* Memory for the files that know nothing of the server (buffer, frame, resp, route ...), so that they
 * can be tested and fuzzed alone: in the module these are RedisModule_Alloc and friends, counted in the
 * server's used_memory; in the unit tests they are malloc and friends. None returns NULL: like the
 * server itself, the module does not survive an allocation failure. */
#ifndef FERRITE_MEMORY_H
#define FERRITE_MEMORY_H

#include <stddef.h>

void *memory_alloc(size_t size);
void *memory_zalloc(size_t size);
void *memory_realloc(void *p, size_t size);
void memory_free(void *p);
char *memory_copy_string(const char *text, size_t length); /* adds the final NUL */

#endif
