#include "resp.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Length of the line that starts at `bytes`, without its CRLF, or -1. */
static long line_length(const uint8_t *bytes, size_t length) {
    const uint8_t *cr = length ? memchr(bytes, '\r', length) : NULL;
    if (!cr || (size_t)(cr - bytes) + 1 >= length || cr[1] != '\n') return -1;
    if (memchr(bytes, '\n', (size_t)(cr - bytes))) return -1;
    return cr - bytes;
}

static bool parse_integer(const char *text, size_t length, long long *value) {
    if (length == 0 || length > 20) return false;
    bool negative = text[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == length) return false;
    unsigned long long sum = 0;
    unsigned long long limit = negative ? (unsigned long long)LLONG_MAX + 1 : LLONG_MAX;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        unsigned digit = (unsigned)(text[i] - '0');
        if (sum > (limit - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    *value = negative ? (long long)(0 - sum) : (long long)sum;
    return true;
}

static size_t digits_at(const char *text, size_t length, size_t at) {
    size_t i = at;
    while (i < length && text[i] >= '0' && text[i] <= '9') i++;
    return i - at;
}

/* -?digits[.digits][e[+-]digits], as the server and the host write it; strtod would take much more. */
static bool is_decimal(const char *text, size_t length) {
    size_t i = length && text[0] == '-' ? 1 : 0;
    size_t digits = digits_at(text, length, i);
    if (digits == 0) return false;
    i += digits;
    if (i < length && text[i] == '.') {
        digits = digits_at(text, length, ++i);
        if (digits == 0) return false;
        i += digits;
    }
    if (i < length && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < length && (text[i] == '+' || text[i] == '-')) i++;
        digits = digits_at(text, length, i);
        if (digits == 0) return false;
        i += digits;
    }
    return i == length;
}

static bool parse_double(const char *text, size_t length, double *value) {
    char copy[64];
    if (length >= sizeof(copy)) return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    const char *name = *copy == '-' ? copy + 1 : copy;
    bool named = length == (size_t)(name - copy) + 3 && (memcmp(name, "inf", 3) == 0 || memcmp(name, "nan", 3) == 0);
    if (!named && !is_decimal(text, length)) return false;
    *value = strtod(copy, NULL);
    return true;
}

static bool is_big_number(const char *text, size_t length) {
    size_t sign = length && text[0] == '-' ? 1 : 0;
    return length > sign && digits_at(text, length, sign) == length - sign;
}

/* The count of a string or an aggregate; -1 (null) is written in one way only. */
static bool parse_count(const RespToken *token, long long *count) {
    if (token->length > 0 && token->text[0] == '-') {
        *count = -1;
        return token->length == 2 && token->text[1] == '1';
    }
    return parse_integer(token->text, token->length, count);
}

/* `$` and `=`: the length line is followed by that many bytes and CRLF. */
static size_t sized_token(const uint8_t *bytes, size_t length, size_t header, RespToken *token) {
    long long size;
    if (!parse_count(token, &size)) return 0;
    if (token->type == '$' && size == -1) {
        token->type = '_';
        return header;
    }
    if (size < 0 || (unsigned long long)size > length || length - header < (size_t)size + 2) return 0;
    const uint8_t *payload = bytes + header;
    if (payload[size] != '\r' || payload[size + 1] != '\n') return 0;
    token->text = (const char *)payload;
    token->length = (size_t)size;
    if (token->type == '=') {
        if (size < 4 || payload[3] != ':') return 0;
        memcpy(token->format, payload, 3);
        token->format[3] = '\0';
        token->text += 4;
        token->length -= 4;
    }
    return header + (size_t)size + 2;
}

static bool line_token(RespToken *token) {
    long long count;
    switch (token->type) {
        case '+':
        case '-':
            return true;
        case ':':
            return parse_integer(token->text, token->length, &token->integer);
        case '@':
            return token->length > 0 && token->text[0] != '-' &&
                   parse_integer(token->text, token->length, &token->integer);
        case '_':
            return token->length == 0;
        case '#':
            token->integer = token->length == 1 && token->text[0] == 't';
            return token->length == 1 && (token->text[0] == 't' || token->text[0] == 'f');
        case ',':
            return parse_double(token->text, token->length, &token->number);
        case '(':
            return is_big_number(token->text, token->length);
        case '*':
        case '~':
        case '%':
            if (!parse_count(token, &count) || count > INT_MAX / 2) return false;
            token->count = (long)count;
            return count >= 0 || (count == -1 && token->type == '*');
        default:
            return false;
    }
}

size_t resp_token(const uint8_t *bytes, size_t length, RespToken *token) {
    if (length < 3) return 0;
    *token = (RespToken){.type = (char)bytes[0]};
    long line = line_length(bytes + 1, length - 1);
    if (line < 0) return 0;
    token->text = (const char *)bytes + 1;
    token->length = (size_t)line;
    size_t header = (size_t)line + 3;
    if (token->type == '$' || token->type == '=') return sized_token(bytes, length, header, token);
    return line_token(token) ? header : 0;
}

/* No recursion: `left[depth]` counts the elements still to come at each level. */
bool resp_is_value(const uint8_t *bytes, size_t length, uint32_t slots) {
    unsigned long left[RESP_MAX_DEPTH + 1];
    int depth = 0;
    left[0] = 1;
    size_t at = 0;
    while (depth >= 0) {
        if (left[depth] == 0) {
            depth--;
            continue;
        }
        RespToken token;
        size_t size = resp_token(bytes + at, length - at, &token);
        if (size == 0 || (token.type == '@' && token.integer >= (long long)slots)) return false;
        at += size;
        left[depth]--;
        bool aggregate = token.type == '*' || token.type == '~' || token.type == '%';
        if (!aggregate || token.count < 0) continue;
        if (depth == RESP_MAX_DEPTH) return false; /* an empty one too: the host counts it as a level */
        left[++depth] = (unsigned long)token.count * (token.type == '%' ? 2 : 1);
    }
    return at == length;
}
