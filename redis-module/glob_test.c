/* glob.c: examples of the server's documentation, a recursive reference, and patterns that are meant to be slow. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glob.h"
#include "testing/check.h"
#include "testing/reference.h"
#include "testing/vectors.h"

static bool matches(const char *pattern, const char *text) {
    return glob_match(pattern, strlen(pattern), text, strlen(text));
}

static void examples(void) {
    static const struct {
        const char *pattern, *text;
        bool expected;
    } list[] = {
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"h*llo", "hllo", true},
        {"h*llo", "heeeello", true},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-b]llo", "hbllo", true},
        {"h[b-a]llo", "hallo", true},
        {"h[a-b]llo", "hcllo", false},
        {"h\\*llo", "h*llo", true},
        {"h\\*llo", "hello", false},
        {"h\\[e]llo", "h[e]llo", true},
        {"*", "", true},
        {"*", "anything", true},
        {"", "", true},
        {"", "a", false},
        {"?", "", false},
        {"**", "", true},
        {"a*", "b", false},
        {"*a", "bcda", true},
        {"*a*b*c", "xaxbxcx", false},
        {"*a*b*c", "xaxbxcxc", true},
        {"[\\]]", "]", true},
        {"[a\\-c]", "b", false},
        {"[a\\-c]", "-", true},
        {"[abc", "b", true},
        {"[abc", "[", false},
        {"[^", "x", true},
        {"[]", "x", false},
        {"[^]", "x", true},
        {"\\", "\\", true},
        {"a\\", "a\\", true},
        {"[a-", "-", true},
        {"user:*:name", "user:1:2:name", true},
        {"user:*:name", "user:name", false},
    };
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        CHECK(matches(list[i].pattern, list[i].text) == list[i].expected, "'%s' and '%s'", list[i].pattern,
              list[i].text);
    }
}

static void binary(void) {
    CHECK(glob_match("a\0b", 3, "a\0b", 3) && !glob_match("a\0b", 3, "a\0c", 3), "NUL bytes");
    CHECK(glob_match("[\x80-\xff]", 5, "\xc3", 1) && !glob_match("[\x80-\xff]", 5, "a", 1), "bytes above 127");
}

static size_t random_text(char *to, size_t max, const char *alphabet) {
    size_t length = check_random(max + 1);
    for (size_t i = 0; i < length; i++) to[i] = alphabet[check_random(strlen(alphabet))];
    return length;
}

static void against_reference(void) {
    int matched = 0;
    for (int i = 0; i < check_rounds(400000, 10000000); i++) {
        char pattern[12], text[10];
        size_t pattern_length = random_text(pattern, sizeof(pattern), check_random(2) ? "ab*?[]^-\\" : "ab**?[a]");
        size_t length = random_text(text, sizeof(text), check_random(4) ? "ab" : "ab-]^\\[*");
        char *p = (char *)exact_copy(pattern, pattern_length), *t = (char *)exact_copy(text, length);
        long steps = 1000000;
        int expected = reference_glob(p, pattern_length, t, length, &steps);
        bool got = glob_match(p, pattern_length, t, length);
        matched += got;
        CHECK(expected < 0 || got == expected, "'%.*s' and '%.*s': got %d", (int)pattern_length, p, (int)length, t,
              got);
        free(p);
        free(t);
    }
    CHECK(matched > 1000, "only %d matches", matched);
}

/* pattern_length * length steps at most: about a second at the very worst, under sanitizers. */
static void ends_in_time(void) {
    static char pattern[2001], text[20000];
    double begun = check_seconds();
    for (int i = 0; i < 2000; i += 2) memcpy(pattern + i, "a*", 2);
    pattern[2000] = 'b';
    memset(text, 'a', sizeof(text));
    CHECK(!glob_match(pattern, sizeof(pattern), text, sizeof(text)), "a*a*...b matches aaa...");
    memset(pattern, 'a', sizeof(pattern));
    pattern[0] = '*';
    pattern[2000] = 'b';
    CHECK(!glob_match(pattern, sizeof(pattern), text, sizeof(text)), "*aaa...b matches aaa...");
    memset(pattern, '*', sizeof(pattern));
    CHECK(glob_match(pattern, sizeof(pattern), text, sizeof(text)), "*** does not match");
    double spent = check_seconds() - begun;
    CHECK(spent < 10, "%.1f s", spent);
}

int main(void) {
    check_run("glob: examples", examples);
    check_run("glob: any bytes", binary);
    check_run("glob: agrees with a recursive reference on random patterns", against_reference);
    check_run("glob: patterns that are exponential elsewhere end in time", ends_in_time);
    return check_end();
}
