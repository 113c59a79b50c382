/* resp.c: the shared vectors, a reference checker on random values, and tokens. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "resp.h"
#include "testing/check.h"
#include "testing/reference.h"
#include "testing/vectors.h"

/* On a copy that ends where the value ends. */
static bool is_value(const void *bytes, size_t length, uint32_t slots) {
    uint8_t *copy = exact_copy(bytes, length);
    bool yes = resp_is_value(copy, length, slots);
    free(copy);
    return yes;
}

static bool text_is_value(const char *text) {
    return is_value(text, strlen(text), 0);
}

static void shared_vectors(void) {
    int count, seen = 0;
    const Vector *all = vectors_all(&count);
    for (int i = 0; i < count; i++) {
        const Vector *v = &all[i];
        bool bad = strncmp(v->name, "bad-resp/", 9) == 0, slots = strncmp(v->name, "resp-slots/", 11) == 0;
        if (!bad && !slots && strncmp(v->name, "resp/", 5) != 0) continue;
        seen++;
        /* The slots' vectors go up to @4294967295, which no commit has: one less is refused. */
        if (slots && memmem(v->bytes, v->length, "4294967295", 10)) {
            CHECK(!is_value(v->bytes, v->length, UINT32_MAX), "%s: @4294967295 of 4294967295", v->name);
            continue;
        }
        CHECK(is_value(v->bytes, v->length, slots ? 1 : 0) == !bad, "%s is %s", v->name, bad ? "accepted" : "refused");
    }
    CHECK(seen > 80, "only %d vectors", seen);
}

static void cut_values(void) {
    int count;
    const Vector *all = vectors_all(&count);
    for (int i = 0; i < count; i++) {
        if (strncmp(all[i].name, "resp/", 5) != 0) continue;
        for (size_t length = 0; length < all[i].length; length++) {
            CHECK(!is_value(all[i].bytes, length, 0), "%s cut to %zu bytes is a value", all[i].name, length);
        }
        uint8_t longer[4096];
        memcpy(longer, all[i].bytes, all[i].length);
        longer[all[i].length] = '_';
        CHECK(!is_value(longer, all[i].length + 1, 0), "%s with a byte more is a value", all[i].name);
    }
}

static RespToken token_of(const char *text, size_t *size) {
    static uint8_t *copy;
    free(copy); /* the token points into it: kept until the next one */
    copy = exact_copy(text, strlen(text));
    RespToken token = {0};
    *size = resp_token(copy, strlen(text), &token);
    return token;
}

static void tokens(void) {
    size_t size;
    RespToken t = token_of(":-9223372036854775808\r\n", &size);
    CHECK(size == 23 && t.type == ':' && t.integer == (-9223372036854775807 - 1), "%lld", t.integer);
    t = token_of("$5\r\nhello\r\n:1\r\n", &size);
    CHECK(size == 11 && t.type == '$' && t.length == 5 && memcmp(t.text, "hello", 5) == 0, "size %zu", size);
    t = token_of("=7\r\nmkd:a\r\n\r\n", &size);
    CHECK(size == 13 && t.type == '=' && strcmp(t.format, "mkd") == 0 && t.length == 3, "format %s", t.format);
    t = token_of("$-1\r\n", &size);
    CHECK(size == 5 && t.type == '_', "RESP2's null is %c", t.type);
    t = token_of("*-1\r\n", &size);
    CHECK(size == 5 && t.type == '*' && t.count == -1, "RESP2's null array is %c %ld", t.type, t.count);
    t = token_of("%3\r\n", &size);
    CHECK(size == 4 && t.type == '%' && t.count == 3, "count %ld", t.count);
    t = token_of(",-1.5e3\r\n", &size);
    CHECK(size == 9 && t.number == -1500, "%g", t.number);
    t = token_of(",nan\r\n", &size);
    CHECK(size == 6 && isnan(t.number), "%g", t.number);
    t = token_of("#f\r\n", &size);
    CHECK(size == 4 && t.integer == 0, "%lld", t.integer);
    t = token_of("-ERR no\r\n", &size);
    CHECK(size == 9 && t.type == '-' && t.length == 6, "length %zu", t.length);
    t = token_of("@7\r\n", &size);
    CHECK(size == 4 && t.type == '@' && t.integer == 7, "%lld", t.integer);
    token_of("", &size);
    CHECK(size == 0, "nothing is a token");
}

static void slot_limits(void) {
    CHECK(is_value("@2\r\n", 4, 3) && !is_value("@3\r\n", 4, 3), "@n is valid for n below the commands of the commit");
    CHECK(!is_value("@-1\r\n", 5, 3) && !is_value("@0\r\n", 4, 0), "@-1, or @0 without a commit, is accepted");
    CHECK(is_value("*2\r\n@0\r\n@0\r\n", 12, 1), "a slot twice is refused");
}

static void nesting(void) {
    for (int levels = 30; levels < 40; levels++) {
        char text[256];
        int n = 0;
        for (int i = 0; i < levels; i++) n += snprintf(text + n, sizeof(text) - (size_t)n, "*1\r\n");
        snprintf(text + n, sizeof(text) - (size_t)n, ":1\r\n");
        CHECK(text_is_value(text) == (levels <= RESP_MAX_DEPTH), "%d levels", levels);
    }
}

/* A level is a level whether or not it holds anything: the host counts alike. */
static void nesting_33_with_an_empty_array_inside(void) {
    char text[256];
    int n = 0;
    for (int i = 0; i < RESP_MAX_DEPTH; i++) n += snprintf(text + n, sizeof(text) - (size_t)n, "*1\r\n");
    static const char *const empty[] = {"*0\r\n", "%0\r\n", "~0\r\n"};
    for (int i = 0; i < 3; i++) {
        strcpy(text + n, empty[i]);
        CHECK(!text_is_value(text), "33 levels, the last one %.2s, are accepted", empty[i]);
    }
    strcpy(text + n, "*-1\r\n");
    CHECK(text_is_value(text), "a null array at the last level is refused");
}

/* What strtod and strtoll would take, and neither the server nor the host writes. */
static void numbers_of_other_spellings(void) {
    static const char *const refused[] = {",infinity\r\n", ",+1\r\n",  ",1.\r\n",     ",.5\r\n",     ",+inf\r\n",
                                          ",e\r\n",        ",1e\r\n",  ",nan(1)\r\n", "(+5\r\n",     "(-\r\n",
                                          "*-0\r\n",       "*-01\r\n", "$-01\r\n",    "$-0\r\n\r\n", "@-0\r\n",
                                          ",0x10\r\n",     ",INF\r\n", "=-1\r\n"};
    static const char *const accepted[] = {",-nan\r\n", ",1E5\r\n", ",1e999\r\n", ",0.0001e-300\r\n", ":-0\r\n"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CHECK(!is_value(refused[i], strlen(refused[i]), 1), "%.*s is accepted", (int)strcspn(refused[i], "\r"),
              refused[i]);
    }
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        CHECK(text_is_value(accepted[i]), "%.*s is refused", (int)strcspn(accepted[i], "\r"), accepted[i]);
    }
}

static void long_numbers(void) {
    for (int digits = 60; digits < 70; digits++) {
        char text[80];
        snprintf(text, sizeof(text), ",%0*d\r\n", digits, 1);
        CHECK(text_is_value(text) == (digits < 64), "a double of %d characters", digits);
        text[0] = ':';
        CHECK(!text_is_value(text), "an integer of %d digits", digits);
        text[0] = '(';
        CHECK(text_is_value(text), "a big number of %d digits is refused", digits);
    }
}

static void many_elements(void) {
    Buffer b = {0};
    buffer_put(&b, "*200000\r\n", 9);
    for (int i = 0; i < 200000; i++) buffer_put(&b, "%1\r\n+k\r\n*0\r\n", 12);
    CHECK(is_value(buffer_front(&b), buffer_length(&b), 0), "200,000 elements are refused");
    CHECK(!is_value(buffer_front(&b), buffer_length(&b) - 12, 0), "199,999 elements of 200,000 are accepted");
    buffer_free(&b);
}

/* ===== Random values ===== */

static void put_text(Buffer *b, const char *text) {
    buffer_put(b, text, strlen(text));
}

static void put_random_value(Buffer *b, int depth) {
    static const char *const scalars[] = {
        "_\r\n",          "$-1\r\n",   "*-1\r\n",    ":0\r\n", ":-42\r\n",    "+OK\r\n",    "-ERR no\r\n",
        ",1.5\r\n",       ",-inf\r\n", ",1e+21\r\n", "#t\r\n", "(123456\r\n", "$0\r\n\r\n", "$3\r\na\r\n\r\n",
        "=4\r\ntxt:\r\n", "@0\r\n",    "@1\r\n",     "+\r\n",  ",nan\r\n",    "(-1\r\n",    ":007\r\n"};
    static const char types[] = {'*', '~', '%'};
    if (depth == 0 || check_random(3)) {
        put_text(b, scalars[check_random(sizeof(scalars) / sizeof(scalars[0]))]);
        return;
    }
    char type = types[check_random(3)], header[16];
    int count = (int)check_random(4);
    snprintf(header, sizeof(header), "%c%d\r\n", type, count);
    put_text(b, header);
    for (int i = 0; i < (type == '%' ? count * 2 : count); i++) put_random_value(b, depth - 1);
}

static void mutate(Buffer *b) {
    static const char alphabet[] = "\r\n*~%$=:,_#(+-@0123456789tfinae.\0\xff|>!?";
    size_t length = buffer_length(b);
    uint8_t *bytes = buffer_front(b);
    if (length == 0) return;
    size_t at = check_random(length);
    switch (check_random(3)) {
        case 0:
            bytes[at] = (uint8_t)alphabet[check_random(sizeof(alphabet) - 1)];
            break;
        case 1:
            memmove(bytes + at, bytes + at + 1, length - at - 1);
            b->end--;
            break;
        default:
            buffer_put_u8(b, 0);
            bytes = buffer_front(b);
            memmove(bytes + at + 1, bytes + at, length - at);
            bytes[at] = (uint8_t)alphabet[check_random(sizeof(alphabet) - 1)];
    }
}

static void against_reference(void) {
    int valid = 0;
    for (int i = 0; i < check_rounds(100000, 3000000); i++) {
        Buffer b = {0};
        put_random_value(&b, 4);
        for (uint64_t changes = check_random(4); changes > 0; changes--) mutate(&b);
        uint32_t slots = (uint32_t)check_random(3);
        bool expected = reference_resp(buffer_front(&b), buffer_length(&b), slots);
        valid += expected;
        CHECK(is_value(buffer_front(&b), buffer_length(&b), slots) == expected, "%.*s: expected %d",
              (int)buffer_length(&b), (const char *)buffer_front(&b), expected);
        buffer_free(&b);
    }
    CHECK(valid > 1000, "only %d of the values were valid", valid);
}

/* Reading a checked value token by token, as reply.c does, ends exactly at its end. */
static void walk(void) {
    for (int i = 0; i < check_rounds(20000, 300000); i++) {
        Buffer b = {0};
        put_random_value(&b, 5);
        size_t at = 0, size = 1;
        while (at < buffer_length(&b) && size > 0) {
            RespToken token;
            size = resp_token(buffer_front(&b) + at, buffer_length(&b) - at, &token);
            at += size;
        }
        CHECK(at == buffer_length(&b), "stopped at %zu of %zu", at, buffer_length(&b));
        buffer_free(&b);
    }
}

int main(void) {
    check_run("resp: the shared vectors are accepted or refused", shared_vectors);
    check_run("resp: a value cut at any byte, or with one more, is refused", cut_values);
    check_run("resp: tokens of every type", tokens);
    check_run("resp: slots below the number of commands only", slot_limits);
    check_run("resp: 32 levels and no more", nesting);
    check_run("resp: an empty array as the 33rd level is refused", nesting_33_with_an_empty_array_inside);
    check_run("resp: numbers are spelled as the server spells them", numbers_of_other_spellings);
    check_run("resp: doubles have fewer than 64 characters, big numbers any number of them", long_numbers);
    check_run("resp: 200,000 elements", many_elements);
    check_run("resp: agrees with the reference on random values", against_reference);
    check_run("resp: tokens cover a value exactly", walk);
    return check_end();
}
