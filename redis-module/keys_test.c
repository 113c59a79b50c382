/* keys.c: calls of commands that have keys at all kinds of places. test/module/keys.test.ts compares it with the host's
 * parser on calls of all kinds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "testing/check.h"

enum { WORDS_MAX = 16 };

static RouteTable *table_of(const char *lines) {
    char text[2048], error[128] = "";
    int count = 3;
    for (const char *c = lines; *c; c++) count += *c == '\n';
    int length =
        snprintf(text, sizeof(text), "ferrite-routes 1\nplugin name=p version=1.0.0\n%send %d\n", lines, count - 1);
    RouteTable *table = route_table_parse(text, (size_t)length, error, sizeof(error));
    CHECK(table != NULL, "%s in\n%s", error, lines);
    return table;
}

static const char *word_at(const void *words, int index, size_t *length) {
    const char *word = ((const char *const *)words)[index];
    *length = strlen(word);
    return word;
}

static void note(void *context, int position, const RouteKey *key) {
    char *found = context, one[32];
    snprintf(one, sizeof(one), "%s%d%s", *found ? " " : "", position, key->flags & 1 ? "r" : "w");
    strcat(found, one);
}

/* The places of the keys of a call, as "1r 3w". */
static void find(const RouteCommand *route, const char *call, char found[256]) {
    char copy[256];
    const char *list[WORDS_MAX];
    snprintf(copy, sizeof(copy), "%s", call);
    CallWords words = {.at = word_at, .words = list};
    for (char *rest = copy, *word; (word = strsep(&rest, " "));) list[words.count++] = word;
    *found = '\0';
    keys_find(route, &words, note, found);
}

static void check_calls(const char *lines, const char *const (*calls)[2]) {
    RouteTable *table = table_of(lines);
    for (; table && (*calls)[0]; calls++) {
        char found[256];
        find(&table->commands[0], (*calls)[0], found);
        CHECK(strcmp(found, (*calls)[1]) == 0, "%s: expected '%s', got '%s'", (*calls)[0], (*calls)[1], found);
    }
    route_table_free(table);
}

#define COMMAND "command name=C arity=-1\n"
#define READ "key flags=RO begin=index:1 find=range:0:1:0\n"
#define INTO "key flags=OW,incomplete begin=keyword:INTO:1 find=range:0:1:0\n"

static void tokens(void) {
    static const char *const calls[][2] = {
        {"C a", "1r"},
        {"C a into b", "1r 3w"},
        {"C a NOTE INTO INTO b", "1r 5w"},
        {"C a INTO NOTE NOTE INTO", "1r 3w"},
        {"C a INTO", "1r"},
        {"C a NOTE", "1r"},
        {"C a WHAT INTO b", "1r"},
        {"C", ""},
        {NULL, NULL},
    };
    check_calls(COMMAND READ INTO "arg name=key type=key key=0\n"
                                  "arg name=note type=string token=NOTE flags=optional\n"
                                  "arg name=into type=key token=INTO flags=optional key=1\n",
                calls);
}

static void subcommands(void) {
    static const char *const calls[][2] = {{"C GET a", "2r"}, {"C GET", ""}, {NULL, NULL}};
    check_calls(
        "command name=C|GET arity=3\nkey flags=RO begin=index:2 find=range:0:1:0\narg name=key type=key key=0\n",
        calls);
}

static void counts(void) {
    static const char *const calls[][2] = {
        {"C 1 a", "2r"}, {"C 2 a b c", "2r 3r"}, {"C 3 a b", ""},        {"C 0 a", ""}, {"C 01 a", ""},
        {"C x a", ""},   {"C -1 a", ""},         {"C 9999999999 a", ""}, {"C  a", ""},  {NULL, NULL},
    };
    check_calls(
        "command name=C arity=-3\nkey flags=RO begin=index:1 find=keynum:0:1:1\n"
        "arg name=from type=block\narg depth=1 name=numkeys type=integer\n"
        "arg depth=1 name=key type=key flags=multiple key=0\narg name=rest type=string flags=optional,multiple\n",
        calls);
}

/* Words that what follows needs are never taken by what stands in front. */
static void tails(void) {
    static const char *const calls[][2] = {
        {"C a b x y", "1r 2r"}, {"C a x y", "1r"}, {"C x y", ""}, {"C", ""}, {NULL, NULL},
    };
    check_calls("command name=C arity=-1\nkey flags=RO begin=index:1 find=range:-3:1:0\n"
                "arg name=keys type=key flags=multiple key=0\narg name=note type=string flags=multiple least=2\n",
                calls);
    static const char *const options[][2] = {{"C INTO a", ""}, {"C INTO a b c", "2w"}, {NULL, NULL}};
    check_calls(COMMAND INTO "arg name=into type=key token=INTO flags=optional key=0\n"
                             "arg name=note type=string flags=multiple least=2\n",
                options);
}

static void choices(void) {
    static const char *const calls[][2] = {
        {"C INTO a", "2w"}, {"C AS INTO INTO a", "4w"}, {"C INTO a INTO b KEEP INTO c", "2w 4w 7w"},
        {"C OTHER", ""},    {"C KEEP KEEP INTO", ""},   {NULL, NULL},
    };
    check_calls(COMMAND INTO "arg name=ways type=oneof flags=optional,multiple\n"
                             "arg depth=1 name=into type=key token=INTO key=0\n"
                             "arg depth=1 name=as type=string token=AS\n"
                             "arg depth=1 name=keep type=pure-token token=KEEP flags=optional\n",
                calls);
    static const char *const words[][2] = {
        {"C INTO INTO a", "3w"}, {"C over INTO a", "3w"}, {"C other INTO a", ""}, {NULL, NULL}};
    check_calls(COMMAND INTO "arg name=mode type=oneof\narg depth=1 name=into type=pure-token token=INTO\n"
                             "arg depth=1 name=over type=pure-token token=OVER\n"
                             "arg name=into type=key token=INTO flags=optional key=0\n",
                words);
}

/* An argument that may be left out is so when an option behind it begins; blocks may hold options. */
static void blocks(void) {
    static const char *const calls[][2] = {
        {"C MOVE a x", "2r"},
        {"C 5 MOVE a INTO INTO b", "3r 6w"},
        {"C MOVE a x INTO b NOTE MOVE", "2r 5w"},
        {"C NOTE MOVE MOVE a x", "4r"},
        {"C 5 6", ""},
        {NULL, NULL},
    };
    check_calls(COMMAND "key flags=RO begin=keyword:MOVE:1 find=range:0:1:0\n" INTO
                        "arg name=at type=integer flags=optional\narg name=move type=block token=MOVE flags=optional\n"
                        "arg depth=1 name=key type=key key=0\narg depth=1 name=note type=string\n"
                        "arg depth=1 name=into type=key token=INTO flags=optional key=1\n"
                        "arg name=note type=string token=NOTE flags=optional,multiple,multiple_token\n",
                calls);
}

/* No declaration makes such a block, a table could. */
static void empty_blocks(void) {
    static const char *const calls[][2] = {{"C a", ""}, {"C", ""}, {NULL, NULL}};
    check_calls(COMMAND INTO "arg name=many type=block flags=multiple\n"
                             "arg depth=1 name=into type=key token=INTO flags=optional key=0\n",
                calls);
    check_calls(COMMAND INTO "arg name=many type=block flags=multiple\narg name=none type=oneof flags=multiple\n"
                             "arg name=into type=key token=INTO flags=optional,multiple key=0 least=32767\n",
                calls);
}

static bool needed(const char *lines) {
    RouteTable *table = table_of(lines);
    bool is_needed = table && keys_need_search(&table->commands[0]);
    route_table_free(table);
    return is_needed;
}

static void need(void) {
    static const char key[] = "arg name=key type=key key=0\n";
    char lines[256];
    CHECK(!needed(COMMAND), "no key");
    snprintf(lines, sizeof(lines), "%s%s%s", COMMAND, READ, key);
    CHECK(!needed(lines), "one range at a fixed place");
    snprintf(lines, sizeof(lines), "%s%s%s", COMMAND, INTO, key);
    CHECK(needed(lines), "a token");
    snprintf(lines, sizeof(lines), "%s%s", COMMAND, INTO);
    CHECK(!needed(lines), "a key that no argument names");
    snprintf(lines, sizeof(lines), "%s%s%s%sarg name=two type=key key=1\n", COMMAND, READ, READ, key);
    CHECK(needed(lines), "two keys, of which one may be left out");
}

int main(void) {
    check_run("keys: behind tokens, which other text can look like", tokens);
    check_run("keys: of subcommands", subcommands);
    check_run("keys: behind a count", counts);
    check_run("keys: in front of what is needed", tails);
    check_run("keys: in a choice", choices);
    check_run("keys: in blocks", blocks);
    check_run("keys: arguments that take no word end", empty_blocks);
    check_run("keys: where the specs are enough", need);
    return check_end();
}
