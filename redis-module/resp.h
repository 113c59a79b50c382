/* RESP3 values as they travel in frames: a checker, run over a whole value before anything is sent to a
 * client, and a token reader for values that were checked. Pure.
 *
 * One extension (bridge-protocol.md): `@<n>\r\n`, the reply of command n of the commit. */
#ifndef FERRITE_RESP_H
#define FERRITE_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESP_MAX_DEPTH = 32 };

typedef struct RespToken {
    char type;        /* the RESP type byte; null is '_' whatever its spelling, but "*-1" stays '*' with count -1 */
    const char *text; /* payload of strings, errors, numbers (not terminated); verbatim: after "txt:" */
    size_t length;
    char format[4];    /* verbatim: its three letters and NUL */
    long long integer; /* of ':' and '@'; of '#' 0 or 1 */
    double number;     /* of ',' */
    long count;        /* of '*', '~': elements; of '%': pairs */
} RespToken;

/* True if the bytes are exactly one value. `slots` is how many `@n` exist (0: none is valid). */
bool resp_is_value(const uint8_t *bytes, size_t length, uint32_t slots);

/* Reads one token (not an aggregate's elements); returns the bytes it took up, 0 if malformed. */
size_t resp_token(const uint8_t *bytes, size_t length, RespToken *token);

#endif
