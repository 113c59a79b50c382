/* A route table: as it is, and with the first and last lines put right, which a fuzzer seldom hits upon. */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "keys.h"
#include "route.h"
#include "testing/require.h"
#include "testing/route_format.h"
#include "testing/vectors.h"

enum { NAMES_COMPARED = 200, CUTS = 16, CALL_WORDS = 64, COMMANDS_CALLED = 20 };

static RouteTable *parse(const uint8_t *text, size_t length) {
    char error[128] = "";
    uint8_t *copy = exact_copy(text, length);
    RouteTable *table = route_table_parse((const char *)copy, length, error, sizeof(error));
    free(copy);
    REQUIRE(table ? *error == '\0' : strncmp(error, "line ", 5) == 0);
    return table;
}

/* The words of the table itself stand in for the words of a call. */
typedef struct Text {
    const char *starts[CALL_WORDS];
    size_t lengths[CALL_WORDS];
} Text;

static const char *word_at(const void *words, int index, size_t *length) {
    const Text *text = words;
    *length = text->lengths[index];
    return text->starts[index];
}

static void check_key(void *context, int position, const RouteKey *key) {
    const CallWords *words = context;
    REQUIRE(position > 0 && position < words->count && key);
}

static void find_keys(const RouteTable *table, const char *bytes, size_t length) {
    Text text;
    CallWords words = {.at = word_at, .words = &text};
    for (size_t at = 0, end; at < length && words.count < CALL_WORDS; at = end + 1) {
        for (end = at; end < length && !strchr(" \n=,:", bytes[end]);) end++;
        text.starts[words.count] = bytes + at;
        text.lengths[words.count++] = end - at;
    }
    for (int i = 0; i < table->command_count && i < COMMANDS_CALLED; i++) {
        keys_find(&table->commands[i], &words, check_key, &words);
    }
}

static void check_command(const RouteCommand *c) {
    REQUIRE(c->plugin && c->name && *c->name && strlen(c->name) <= ROUTE_NAME_MAX && c->arity != 0);
    REQUIRE(!(c->writes && c->read_only) && c->timeout >= 0 && c->retry >= 0);
    for (int i = 0; i < c->key_count; i++) {
        const RouteKey *key = &c->keys[i];
        REQUIRE((key->begin_keyword ? *key->begin_keyword && key->begin_at != 0 : key->begin_at > 0));
        REQUIRE(key->find[key->numbered ? 2 : 1] > 0);
        REQUIRE(!key->numbered || (key->find[0] >= 0 && key->find[1] >= 0));
    }
    for (int i = 0; i < c->arg_count; i++) {
        const RouteArg *arg = &c->args[i];
        REQUIRE(*arg->name && arg->key < c->key_count && arg->depth >= 0 && arg->depth <= ROUTE_DEPTH_MAX);
        REQUIRE(arg->depth <= (i ? c->args[i - 1].depth + 1 : 0) && arg->least > 0);
    }
    for (int i = 0; i < c->read_count; i++) {
        REQUIRE(c->reads[i].count > 0 && c->reads[i].words[0].kind == READ_LITERAL);
    }
}

static void check_rule(const RouteRule *r) {
    REQUIRE(r->name && *r->name && r->line && strncmp(r->line, "rule ", 5) == 0);
    REQUIRE((r->action == RULE_RENAME) == (r->to != NULL));
    REQUIRE(r->action != RULE_RATE || (r->limit > 0 && r->interval > 0 && r->burst > 0 && r->separator));
    for (int i = 0; i < r->argument_count; i++) REQUIRE(r->arguments[i].glob);
}

static void check_table(const RouteTable *table) {
    for (int i = 0; i < table->rule_count; i++) check_rule(&table->rules[i]);
    for (int i = 0; i < table->command_count; i++) {
        check_command(&table->commands[i]);
        for (int j = 0; j < i && i < NAMES_COMPARED; j++) {
            REQUIRE(strcasecmp(table->commands[i].name, table->commands[j].name) != 0);
        }
    }
}

/* What was read is written and read again, and then written alike. */
static void round_trip(const RouteTable *table) {
    Buffer first = {0}, second = {0};
    route_format(table, &first);
    RouteTable *again = parse(buffer_front(&first), buffer_length(&first));
    REQUIRE(again);
    route_format(again, &second);
    REQUIRE(buffer_length(&first) == buffer_length(&second) &&
            memcmp(buffer_front(&first), buffer_front(&second), buffer_length(&first)) == 0);
    route_table_free(again);
    buffer_free(&first);
    buffer_free(&second);
}

static void try_table(const uint8_t *text, size_t length) {
    RouteTable *table = parse(text, length);
    if (!table) return;
    check_table(table);
    round_trip(table);
    find_keys(table, (const char *)text, length);
    route_table_free(table);
    for (size_t i = 0; i < CUTS; i++) REQUIRE(!parse(text, length * i / CUTS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_table(data, size);
    Buffer framed = {0};
    buffer_put(&framed, "ferrite-routes 1\n", 17);
    buffer_put(&framed, data, size);
    if (size > 0 && data[size - 1] != '\n') buffer_put_u8(&framed, '\n');
    int lines = 0;
    for (size_t i = 0; i < buffer_length(&framed); i++) lines += buffer_front(&framed)[i] == '\n';
    char end[32];
    buffer_put(&framed, end, (size_t)snprintf(end, sizeof(end), "end %d\n", lines));
    try_table(buffer_front(&framed), buffer_length(&framed));
    buffer_free(&framed);
    return 0;
}
