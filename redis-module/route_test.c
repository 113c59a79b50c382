/* route.c: good and bad tables of testing/route-cases.txt, and properties of any table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "route.h"
#include "testing/check.h"
#include "testing/route_format.h"
#include "testing/vectors.h"

enum { ERROR_SIZE = 256 };

/* Parses a copy that ends where the text ends. */
static RouteTable *parse(const void *text, size_t length, char *error) {
    *error = '\0';
    uint8_t *copy = exact_copy(text, length);
    RouteTable *table = route_table_parse((const char *)copy, length, error, ERROR_SIZE);
    free(copy);
    return table;
}

static void put_text(Buffer *out, const char *text) {
    buffer_put(out, text, strlen(text));
}

/* "ferrite-routes 1", the lines, and the end line that counts them. */
static void put_table(Buffer *out, const char *lines, size_t length) {
    put_text(out, "ferrite-routes 1\n");
    int count = 1;
    buffer_put(out, lines, length);
    for (size_t i = 0; i < length; i++) count += lines[i] == '\n';
    char end[32];
    snprintf(end, sizeof(end), "end %d\n", count);
    put_text(out, end);
}

static RouteTable *parse_lines(const char *lines, char *error) {
    Buffer out = {0};
    put_table(&out, lines, strlen(lines));
    RouteTable *table = parse(buffer_front(&out), buffer_length(&out), error);
    buffer_free(&out);
    return table;
}

/* True when the lines are refused with an error that begins with `expected`. */
static bool refused(const char *lines, const char *expected, char *error) {
    RouteTable *table = parse_lines(lines, error);
    bool yes = !table && strncmp(error, expected, strlen(expected)) == 0;
    route_table_free(table);
    return yes;
}

static bool same(const Buffer *a, const Buffer *b) {
    size_t length = buffer_length(a);
    return length == buffer_length(b) && (length == 0 || memcmp(buffer_front(a), buffer_front(b), length) == 0);
}

/* ===== Cases ===== */

typedef void VisitCase(const char *title, size_t title_length, const char *lines, size_t length);

/* A case is a line "--- good" or "--- <beginning of the error>" and the lines of a table under it. */
static void each_case(bool good, VisitCase *visit) {
    size_t length;
    int seen = 0;
    char *text = vectors_file("testing/route-cases.txt", &length);
    for (char *at = strstr(text, "--- "); at;) {
        char *title = at + 4, *lines = strchr(title, '\n') + 1, *next = strstr(lines - 1, "\n--- ");
        size_t size = next ? (size_t)(next + 1 - lines) : strlen(lines);
        if ((strncmp(title, "good\n", 5) == 0) == good) {
            visit(title, (size_t)(lines - 1 - title), lines, size);
            seen++;
        }
        at = next ? next + 1 : NULL;
    }
    CHECK(seen >= (good ? 3 : 40), "only %d cases", seen);
    free(text);
}

static void good_case(const char *title, size_t title_length, const char *lines, size_t length) {
    (void)title, (void)title_length;
    char error[ERROR_SIZE];
    Buffer text = {0}, first = {0}, second = {0};
    put_table(&text, lines, length);
    RouteTable *table = parse(buffer_front(&text), buffer_length(&text), error);
    if (CHECK(table != NULL, "%s in\n%.*s", error, (int)length, lines)) route_format(table, &first);
    RouteTable *again = parse(buffer_front(&first), buffer_length(&first), error);
    if (CHECK(again != NULL, "written again: %s", error)) route_format(again, &second);
    CHECK(same(&first, &second), "not the same after writing and reading\n%.*s", (int)length, lines);
    route_table_free(table);
    route_table_free(again);
    buffer_free(&text);
    buffer_free(&first);
    buffer_free(&second);
}

static void bad_case(const char *title, size_t title_length, const char *lines, size_t length) {
    char error[ERROR_SIZE];
    Buffer text = {0};
    put_table(&text, lines, length);
    RouteTable *table = parse(buffer_front(&text), buffer_length(&text), error);
    CHECK(!table && strncmp(error, title, title_length) == 0, "expected '%.*s', got '%s'", (int)title_length, title,
          error);
    route_table_free(table);
    buffer_free(&text);
}

static void good_cases(void) {
    each_case(true, good_case);
}

static void bad_cases(void) {
    each_case(false, bad_case);
}

static void cut_case(const char *title, size_t title_length, const char *lines, size_t length) {
    (void)title, (void)title_length;
    char error[ERROR_SIZE];
    Buffer text = {0};
    put_table(&text, lines, length);
    for (size_t size = 0; size < buffer_length(&text); size++) {
        RouteTable *table = parse(buffer_front(&text), size, error);
        CHECK(!table && strncmp(error, "line ", 5) == 0, "cut to %zu bytes: %s", size, table ? "accepted" : error);
        route_table_free(table);
    }
    buffer_free(&text);
}

static void cut_tables(void) {
    each_case(true, cut_case);
}

/* Any line taken away or twice is noticed: the end line counts. */
static void lost_line_case(const char *title, size_t title_length, const char *lines, size_t length) {
    (void)title, (void)title_length;
    char error[ERROR_SIZE];
    Buffer text = {0}, other = {0};
    put_table(&text, lines, length);
    const char *whole = (const char *)buffer_front(&text), *end = whole + buffer_length(&text);
    for (const char *line = whole, *next; line < end; line = next) {
        next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        for (int times = 0; times <= 2; times += 2) {
            buffer_put(&other, whole, (size_t)(line - whole));
            for (int i = 0; i < times; i++) buffer_put(&other, line, (size_t)(next - line));
            buffer_put(&other, next, (size_t)(end - next));
            RouteTable *table = parse(buffer_front(&other), buffer_length(&other), error);
            CHECK(!table, "accepted with a line %s: %.*s", times ? "twice" : "lost", (int)(next - line), line);
            route_table_free(table);
            buffer_consume(&other, buffer_length(&other));
        }
    }
    buffer_free(&text);
    buffer_free(&other);
}

static void lost_lines(void) {
    each_case(true, lost_line_case);
}

/* Any byte replaced by any other: accepted or refused, but never with a table that does not write and read alike. */
static void changed_case(const char *title, size_t title_length, const char *lines, size_t length) {
    (void)title, (void)title_length;
    char error[ERROR_SIZE];
    Buffer text = {0};
    put_table(&text, lines, length);
    for (int i = 0; i < check_rounds(2000, 100000); i++) {
        size_t at = check_random(buffer_length(&text));
        uint8_t *byte = buffer_front(&text) + at, before = *byte;
        *byte = (uint8_t)(check_random(2) ? check_random(256) : (uint64_t) "\n =%,:|-09aZ"[check_random(13)]);
        RouteTable *table = parse(buffer_front(&text), buffer_length(&text), error);
        Buffer out = {0};
        if (table) route_format(table, &out);
        RouteTable *again = table ? parse(buffer_front(&out), buffer_length(&out), error) : NULL;
        CHECK(!table || again, "byte %zu changed from %d to %d: %s", at, before, *byte, error);
        CHECK(table || strncmp(error, "line ", 5) == 0, "the error is '%s'", error);
        route_table_free(table);
        route_table_free(again);
        buffer_free(&out);
        byte = buffer_front(&text) + at;
        *byte = before;
    }
    buffer_free(&text);
}

static void changed_bytes(void) {
    each_case(true, changed_case);
}

/* ===== What the fields become ===== */

static const char *const example =
    "plugin name=rate-limiter version=1.0.0 acl=~rate:*%20%2Bget\n"
    "command name=RATELIMIT.CHECK arity=-4 flags=write,deny-oom,fast categories=write,fast transaction=refuse "
    "timeout=250 retry=3\n"
    "doc summary=Takes%20one%2C%20%C3%BC%3D1 since=1.0.0 complexity=O(1)\n"
    "key flags=RW,access,update begin=index:1 find=range:-1:2:0\n"
    "key flags=RO begin=keyword:KE%3AYS:2 find=keynum:0:1:1\n"
    "arg depth=0 name=bucket type=key key=0\n"
    "arg depth=0 name=cost type=block token=COST flags=optional,multiple\n"
    "arg depth=1 name=n type=integer\n"
    "read lit=GET key=1\n"
    "read lit=%00%FF lit= arg=2 keys=3:-1\n"
    "plugin name=@scope/other\n"
    "command name=SESSION|GET\n";

static void check_first(const RouteCommand *c) {
    CHECK(strcmp(c->plugin, "rate-limiter") == 0 && strcmp(c->name, "RATELIMIT.CHECK") == 0, "%s", c->name);
    CHECK(c->arity == -4 && c->timeout == 250 && c->retry == 3 && !c->sync, "numbers");
    CHECK(strcmp(c->flags, "write deny-oom fast") == 0 && c->writes && !c->read_only, "flags '%s'", c->flags);
    CHECK(strcmp(c->categories, "write fast") == 0, "categories '%s'", c->categories);
    CHECK(strcmp(c->summary, "Takes one, \xc3\xbc=1") == 0 && strcmp(c->complexity, "O(1)") == 0, "%s", c->summary);
    if (!CHECK(c->key_count == 2 && c->arg_count == 3 && c->read_count == 2, "counts")) return;
    const RouteKey *key = c->keys;
    CHECK(key->flags == (2 | 16 | 32) && !key->begin_keyword && key->begin_at == 1 && !key->numbered, "key 0");
    CHECK(key->find[0] == -1 && key->find[1] == 2 && key->find[2] == 0, "find of key 0");
    /* A keyword with ':' was cut in three before values were split first and decoded then. */
    CHECK(key[1].begin_keyword && strcmp(key[1].begin_keyword, "KE:YS") == 0, "keyword %s", key[1].begin_keyword);
    CHECK(key[1].begin_at == 2 && key[1].numbered && key[1].flags == 1, "key 1");
    const RouteArg *arg = c->args;
    CHECK(arg->type == ARG_KEY && arg->key == 0 && !arg->token && arg[1].key == -1, "arg 0");
    CHECK(arg[1].type == ARG_BLOCK && strcmp(arg[1].token, "COST") == 0, "arg 1");
    CHECK(arg[1].flags == (ARG_OPTIONAL | ARG_MULTIPLE) && arg[2].depth == 1, "arg flags and depth");
    const ReadWord *word = c->reads[1].words;
    CHECK(c->reads[0].count == 2 && c->reads[0].words[1].kind == READ_KEY && c->reads[0].words[1].first == 1, "read 0");
    CHECK(c->reads[1].count == 4 && word->length == 2 && memcmp(word->literal, "\0\xff", 2) == 0, "binary literal");
    CHECK(word[1].kind == READ_LITERAL && word[1].length == 0, "empty literal");
    CHECK(word[2].kind == READ_ARGUMENT && word[3].kind == READ_KEYS && word[3].first == 3 && word[3].last == -1,
          "references");
}

static void fields(void) {
    char error[ERROR_SIZE];
    RouteTable *table = parse_lines(example, error);
    if (!CHECK(table != NULL, "%s", error)) return;
    if (CHECK(table->plugin_count == 2 && table->command_count == 2, "counts")) {
        CHECK(strcmp(table->plugins[0].acl, "~rate:* +get") == 0, "acl '%s'", table->plugins[0].acl);
        CHECK(strcmp(table->plugins[1].version, "0.0.0") == 0 && *table->plugins[1].acl == '\0', "defaults");
        check_first(&table->commands[0]);
        const RouteCommand *c = &table->commands[1];
        CHECK(strcmp(c->plugin, "@scope/other") == 0 && c->arity == -1 && c->timeout == 0 && c->retry == 0 && c->sync,
              "defaults of a command");
        CHECK(*c->flags == '\0' && *c->categories == '\0' && !c->summary && !c->writes && !c->read_only, "empty");
    }
    route_table_free(table);
}

/* ===== Whole tables ===== */

static void raw_tables(void) {
    static const char *const list[][2] = {
        {"", "line 1: no end line"},
        {"\n", "line 1: an empty line"},
        {"ferrite-routes 2\nend 1\n", "line 1: expected 'ferrite-routes 1'"},
        {"ferrite-routes\nend 1\n", "line 1: expected 'ferrite-routes 1'"},
        {"ferrite-routes 1=2\nend 1\n", "line 1: expected 'ferrite-routes 1'"},
        {"end 0\n", "line 1: expected 'ferrite-routes 1'"},
        {"ferrite-routes 1\n", "line 2: no end line"},
        {"ferrite-routes 1\nend 1", "line 2: no newline at the end"},
        {"ferrite-routes 1\nend 2\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend 1 1\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend 1=1\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend +1\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend \t1\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend 1\n\n", "line 2: text after the end line"},
        {"ferrite-routes 1\nend 1\nend 1\n", "line 2: text after the end line"},
        {"ferrite-routes 1\r\nend 1\r\n", "line 1: expected 'ferrite-routes 1'"},
        {"ferrite-routes 1\nend 1 sum=011733c4\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend 1 crc\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend 1 crc=011733c4 crc=011733c4\n", "line 2: expected 'end 1'"},
        {"ferrite-routes 1\nend 1 crc=\n", "line 2: the text is not what was written"},
        {"ferrite-routes 1\nend 1 crc=011733c5\n",
         "line 2: the text is not what was written: its checksum is 011733c4, not 011733c5"},
    };
    char error[ERROR_SIZE];
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        RouteTable *table = parse(list[i][0], strlen(list[i][0]), error);
        CHECK(!table && strncmp(error, list[i][1], strlen(list[i][1])) == 0, "%s: '%s'", list[i][0], error);
        route_table_free(table);
    }
    RouteTable *table = parse("ferrite-routes 1\nend 1\n", 23, error);
    CHECK(table && table->command_count == 0, "a table of nothing: %s", error);
    route_table_free(table);
    table = parse("ferrite-routes 1\nend 1 crc=011733c4\n", 36, error);
    CHECK(table && table->command_count == 0, "a table of nothing with its checksum: %s", error);
    route_table_free(table);
    table = parse("ferrite-routes 1\nplugin name=a\0b\nend 2\n", 40, error);
    CHECK(!table && strcmp(error, "line 2: a NUL byte") == 0, "%s", error);
    route_table_free(table);
}

static void limits(void) {
    char error[ERROR_SIZE], name[200], lines[4096];
    memset(name, 'x', sizeof(name));
    for (int length = ROUTE_NAME_MAX; length <= ROUTE_NAME_MAX + 1; length++) {
        snprintf(lines, sizeof(lines), "plugin name=%.*s\ncommand name=%.*s\n", length, name, length, name);
        RouteTable *table = parse_lines(lines, error);
        CHECK((table != NULL) == (length <= ROUTE_NAME_MAX), "a name of %d letters: %s", length, error);
        route_table_free(table);
    }
    for (int words = 62; words <= 65; words++) {
        int n = snprintf(lines, sizeof(lines), "plugin name=a\ncommand name=a\nread");
        for (int i = 1; i < words; i++) n += snprintf(lines + n, sizeof(lines) - (size_t)n, " lit=%d", i);
        snprintf(lines + n, sizeof(lines) - (size_t)n, "\n");
        RouteTable *table = parse_lines(lines, error);
        CHECK((table != NULL) == (words <= 64), "%d words: %s", words, error);
        CHECK(table || strcmp(error, "line 4: more than 64 words") == 0, "%s", error);
        route_table_free(table);
    }
    for (int depth = ROUTE_DEPTH_MAX; depth <= ROUTE_DEPTH_MAX + 1; depth++) {
        int n = snprintf(lines, sizeof(lines), "plugin name=a\ncommand name=a\n");
        for (int i = 0; i <= depth; i++) {
            n += snprintf(lines + n, sizeof(lines) - (size_t)n, "arg name=x depth=%d type=block\n", i);
        }
        RouteTable *table = parse_lines(lines, error);
        CHECK((table != NULL) == (depth <= ROUTE_DEPTH_MAX), "depth %d: %s", depth, error);
        route_table_free(table);
    }
}

static void percent(void) {
    char error[ERROR_SIZE], line[256];
    for (int byte = 1; byte < 256; byte++) {
        for (int lower = 0; lower < 2; lower++) {
            snprintf(line, sizeof(line),
                     lower ? "plugin name=a\ncommand name=a\ndoc summary=x%%%02xy\n"
                           : "plugin name=a\ncommand name=a\ndoc summary=x%%%02Xy\n",
                     (unsigned)byte);
            RouteTable *table = parse_lines(line, error);
            if (!CHECK(table != NULL, "%%%02X: %s", (unsigned)byte, error)) continue;
            const char *summary = table->commands[0].summary;
            CHECK(strlen(summary) == 3 && (unsigned char)summary[1] == byte && summary[2] == 'y', "%%%02X",
                  (unsigned)byte);
            route_table_free(table);
        }
    }
    static const char *const bad[] = {"%", "%2", "%g0", "%0g", "%%", "x%4", "%4%41", "% 41"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(line, sizeof(line), "plugin name=a\nplugin name=b version=%s\n", bad[i]);
        CHECK(refused(line, "line 3: '%' must be followed by two hexadecimal digits", error), "%s: %s", bad[i], error);
    }
}

/* A decoded NUL would cut a name short behind the checks' back; only lit= may hold one. */
static void nul_byte_in_a_name(void) {
    char error[ERROR_SIZE];
    CHECK(refused("plugin name=a%00b\n", "line 2: name= holds a NUL byte", error), "%s", error);
    CHECK(refused("plugin name=a\ncommand name=A.B flags=write%00x\n", "line 3: flags= holds a NUL byte", error), "%s",
          error);
}

/* Every bit of a table with a checksum: without one, a flipped bit can make another command of it, or another key. */
static void flipped_bits(void) {
    char text[] = "ferrite-routes 1\nplugin name=a version=1\ncommand name=A.B arity=2 flags=readonly\n"
                  "key flags=RO begin=index:1 find=range:0:1:0\nread lit=GET key=1\nend 5 crc=437eed77\n";
    char error[ERROR_SIZE];
    size_t length = sizeof(text) - 1;
    RouteTable *table = parse(text, length, error);
    CHECK(table && table->command_count == 1, "as it was written: %s", error);
    route_table_free(table);
    for (size_t bit = 0; bit < length * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        table = parse(text, length, error);
        CHECK(!table, "bit %zu flipped, and the table was taken: %s", bit, text);
        route_table_free(table);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
}

/* These used to be dropped without a word. */
static void five_arg_flags(void) {
    char error[ERROR_SIZE];
    CHECK(refused("plugin name=a\ncommand name=a\narg name=x type=key "
                  "flags=optional,optional,optional,optional,nonsense\n",
                  "line 4: more than 4 arg flags", error),
          "%s", error);
}

/* The server never ends with a step of 0 and reads outside its arguments with a negative index. */
static void key_numbers_that_the_server_does_not_check(void) {
    static const char *const bad[] = {"range:0:0:0",   "range:0:-1:0",  "range:0:1:-1",
                                      "keynum:-1:1:1", "keynum:0:-1:1", "keynum:0:1:0"};
    char error[ERROR_SIZE], lines[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(lines, sizeof(lines), "plugin name=a\ncommand name=a\nkey flags=RO begin=index:1 find=%s\n", bad[i]);
        CHECK(refused(lines, "line 4: number ", error), "%s: %s", bad[i], error);
    }
}

/* Most servers end with a signal when a client leaves the number of keys out and the arity lets it. */
static void number_of_keys_that_can_be_missing(void) {
    static const struct {
        const char *command, *key;
        bool good;
    } list[] = {
        {"arity=-3", "begin=index:2 find=keynum:0:1:1", true}, {"arity=-2", "begin=index:2 find=keynum:0:1:1", false},
        {"arity=-4", "begin=index:2 find=keynum:1:2:1", true}, {"arity=-3", "begin=index:2 find=keynum:1:2:1", false},
        {"arity=3", "begin=index:2 find=keynum:0:1:1", true},  {"", "begin=index:1 find=keynum:0:1:1", false},
        {"", "begin=keyword:K:1 find=keynum:0:1:1", true},     {"", "begin=keyword:K:1 find=keynum:1:2:1", false},
        {"", "begin=keyword:K:-1 find=keynum:0:1:1", false},   {"", "begin=keyword:K:-1 find=range:0:1:0", true},
        {"arity=-2", "begin=index:9 find=range:-1:1:0", true},
    };
    char error[ERROR_SIZE], lines[256];
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        snprintf(lines, sizeof(lines), "plugin name=a\ncommand name=a%s%s\nkey flags=RO %s\n",
                 *list[i].command ? " " : "", list[i].command, list[i].key);
        RouteTable *table = parse_lines(lines, error);
        CHECK((table != NULL) == list[i].good, "%s with %s: '%s'", list[i].command, list[i].key, error);
        CHECK(table || strcmp(error, "line 4: the number of keys can be missing in a call of a") == 0, "%s", error);
        route_table_free(table);
    }
}

static void large_table(void) {
    Buffer lines = {0}, text = {0};
    char line[256], error[ERROR_SIZE];
    put_text(&lines, "plugin name=many\n");
    for (int i = 0; i < 10000; i++) {
        snprintf(line, sizeof(line),
                 "command name=MANY.C%d arity=2 flags=readonly\ndoc summary=The%%20%dth\n"
                 "key flags=RO begin=index:1 find=range:0:1:0\nread lit=GET key=1\n",
                 i, i);
        put_text(&lines, line);
    }
    put_table(&text, (const char *)buffer_front(&lines), buffer_length(&lines));
    double begun = check_seconds();
    RouteTable *table = parse(buffer_front(&text), buffer_length(&text), error);
    double spent = check_seconds() - begun;
    CHECK(spent < 5, "10,000 commands took %.1f s", spent); /* 0.1 s under sanitizers; 50 million comparisons before */
    if (CHECK(table != NULL, "%s", error)) {
        bool same = table->command_count == 10000;
        for (int i = 0; same && i < 10000; i++) {
            snprintf(line, sizeof(line), "MANY.C%d", i);
            const RouteCommand *c = &table->commands[i];
            same = strcmp(c->name, line) == 0 && c->key_count == 1 && c->read_count == 1 && c->read_only;
        }
        CHECK(same, "a command is missing or different");
    }
    route_table_free(table);
    for (int i = 0; i < 10000; i += 1111) {
        snprintf(line, sizeof(line), "command name=Many.c%d\n", i);
        size_t length = buffer_length(&lines);
        put_text(&lines, line);
        buffer_consume(&text, buffer_length(&text));
        put_table(&text, (const char *)buffer_front(&lines), buffer_length(&lines));
        table = parse(buffer_front(&text), buffer_length(&text), error);
        CHECK(!table && strstr(error, "is listed twice"), "Many.c%d after MANY.C%d: %s", i, i, error);
        route_table_free(table);
        lines.end = lines.start + length;
    }
    buffer_free(&lines);
    buffer_free(&text);
}

static void short_error_buffer(void) {
    for (size_t size = 0; size < 40; size++) {
        char *error = (char *)exact_copy("????????????????????????????????????????", size);
        RouteTable *table = route_table_parse("nonsense here\n", 14, error, size);
        CHECK(!table && (size == 0 || memchr(error, '\0', size)), "an error buffer of %zu bytes", size);
        route_table_free(table);
        free(error);
    }
}

int main(void) {
    check_run("route: good tables are read, and read alike when written again", good_cases);
    check_run("route: bad lines are refused with their number", bad_cases);
    check_run("route: first line, end line, newlines", raw_tables);
    check_run("route: every field arrives", fields);
    check_run("route: a table cut at any byte is refused", cut_tables);
    check_run("route: a table with a line lost or twice is refused", lost_lines);
    check_run("route: a changed byte does no harm", changed_bytes);
    check_run("route: a flipped bit is noticed", flipped_bits);
    check_run("route: limits of names, words and depth", limits);
    check_run("route: every byte percent-encoded", percent);
    check_run("route: a NUL byte in a name is refused", nul_byte_in_a_name);
    check_run("route: five arg flags are refused", five_arg_flags);
    check_run("route: key numbers that would hang the server are refused", key_numbers_that_the_server_does_not_check);
    check_run("route: a number of keys that a call can leave out is refused", number_of_keys_that_can_be_missing);
    check_run("route: 10,000 commands, and one of them twice", large_table);
    check_run("route: an error buffer of any size", short_error_buffer);
    return check_end();
}
