/* Hash slots of the cluster: which slot a key is in, and a short name that is in the same one. Pure. */
#ifndef FERRITE_SLOT_H
#define FERRITE_SLOT_H

#include <stddef.h>
#include <stdint.h>

enum { CLUSTER_SLOTS = 16384, CLUSTER_TAG_SIZE = 16 };

/* CRC16 (XMODEM) of the hash tag, or of the whole key, modulo 16384. Source: the Redis Cluster specification. */
uint32_t cluster_slot(const char *key, size_t length);

/* A short tag (letters, digits, NUL) whose hash slot is that of `key`, so that a private name can live in the same
 * slot. The first call makes a table (about 2 ms), the others look it up. */
void cluster_tag(const char *key, size_t length, char tag[CLUSTER_TAG_SIZE]);

#endif
