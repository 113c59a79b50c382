#include "vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p) {
    if (!p) abort();
    return p;
}

char *vectors_file(const char *path, size_t *length) {
    char whole[4096];
    snprintf(whole, sizeof(whole), "%s/%s", FERRITE_SOURCE_DIR, path);
    FILE *file = fopen(whole, "rb");
    char *text = NULL;
    size_t room = 0;
    *length = 0;
    while (file && !feof(file) && !ferror(file)) {
        if (room - *length < 4096) text = checked(realloc(text, room = room * 2 + 16384));
        *length += fread(text + *length, 1, room - *length - 1, file);
    }
    if (!file || ferror(file)) {
        printf("not ok - %s: %s\n", whole, strerror(errno));
        exit(1);
    }
    fclose(file);
    text[*length] = '\0';
    return text;
}

uint8_t *exact_copy(const void *bytes, size_t length) {
    uint8_t *copy = checked(malloc(length ? length : 1));
    if (length) memcpy(copy, bytes, length);
    return copy;
}

static int digit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* One line: "kind/name hex", with "-" for no bytes at all. */
static Vector parse_vector(const char *line, size_t length) {
    const char *space = checked(memchr(line, ' ', length));
    const char *hex = space + 1;
    size_t digits = *hex == '-' ? 0 : length - (size_t)(hex - line);
    Vector vector = {.bytes = checked(malloc(digits / 2 + 1)), .length = digits / 2};
    snprintf(vector.name, sizeof(vector.name), "%.*s", (int)(space - line), line);
    for (size_t i = 0; i < vector.length; i++) {
        vector.bytes[i] = (uint8_t)(digit(hex[i * 2]) << 4 | digit(hex[i * 2 + 1]));
    }
    return vector;
}

const Vector *vectors_all(int *count) {
    static Vector *all;
    static int known;
    if (!all) {
        size_t length;
        char *text = vectors_file("../test/bridge/vectors.txt", &length);
        for (char *line = text, *newline; (newline = strchr(line, '\n')); line = newline + 1) {
            all = checked(realloc(all, sizeof(Vector) * (size_t)(known + 1)));
            all[known++] = parse_vector(line, (size_t)(newline - line));
        }
        free(text);
    }
    *count = known;
    return all;
}
