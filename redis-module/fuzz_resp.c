/* A reply as it comes from the host: checked, compared with the reference, and read token by token. The first byte of
 * the input is how many slots there are (255: as many as there can be). */
#include <stdint.h>
#include <string.h>

#include "resp.h"
#include "testing/reference.h"
#include "testing/require.h"
#include "testing/vectors.h"

enum { SMALL = 64 };

static void check_token(const RespToken *token, const uint8_t *value, size_t length) {
    const uint8_t *text = (const uint8_t *)token->text;
    REQUIRE(text >= value && text <= value + length && token->length <= (size_t)(value + length - text));
    if (token->type == '=') REQUIRE(token->format[3] == '\0');
    if (token->type == '#') REQUIRE(token->integer == 0 || token->integer == 1);
}

/* As reply.c does it; returns the bytes that the tokens cover. */
static size_t walk(const uint8_t *value, size_t length, uint32_t slots, bool valid) {
    size_t at = 0;
    while (at < length) {
        RespToken token;
        size_t size = resp_token(value + at, length - at, &token);
        if (size == 0) break;
        REQUIRE(size >= 3 && size <= length - at);
        check_token(&token, value, length);
        REQUIRE(!valid || token.type != '@' || (token.integer >= 0 && token.integer < (long long)slots));
        at += size;
    }
    return at;
}

/* A value is one value: no part of it, and nothing longer, is one. */
static void check_neighbours(const uint8_t *value, size_t length, uint32_t slots) {
    for (size_t size = 0; size < length; size++) REQUIRE(!resp_is_value(value, size, slots));
    uint8_t longer[SMALL + 1];
    memcpy(longer, value, length);
    longer[length] = '_';
    REQUIRE(!resp_is_value(longer, length + 1, slots));
    REQUIRE(resp_is_value(value, length, UINT32_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    uint32_t slots = data[0] == 255 ? UINT32_MAX : data[0];
    size_t length = size - 1;
    uint8_t *value = exact_copy(data + 1, length);
    bool valid = resp_is_value(value, length, slots);
    REQUIRE(valid == reference_resp(value, length, slots));
    size_t covered = walk(value, length, slots, valid);
    REQUIRE(!valid || covered == length);
    if (valid && length <= SMALL) check_neighbours(value, length, slots);
    free(value);
    return 0;
}
