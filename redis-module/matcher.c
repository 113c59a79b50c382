#include "matcher.h"

#include <string.h>
#include <strings.h>

#include "command_keys.h"
#include "glob.h"

/* ===== By name ===== */

static bool is_protected(const Facts *facts, bool named) {
    static const char *const always[] = {"auth", "hello", NULL};
    static const char *const unless_named[] = {"multi", "exec", "discard", "watch",    "unwatch", "sync",
                                               "psync", "quit", "reset",   "replconf", NULL};
    if (strncmp(facts->name, "ferrite.", 8) == 0) return true;
    for (const char *const *name = always; *name; name++) {
        if (strcmp(facts->name, *name) == 0) return true;
    }
    for (const char *const *name = unless_named; *name && !named; name++) {
        if (strcmp(facts->name, *name) == 0) return true;
    }
    return false;
}

static bool has_category(const Facts *facts, const char *category) {
    size_t length = strlen(category);
    for (const char *at = facts->categories; (at = strcasestr(at, category)); at++) {
        if (at[-1] == ' ' && at[length] == ' ') return true;
    }
    return false;
}

bool matcher_word_names(const char *word, const Facts *facts) {
    size_t length = strlen(word);
    return strncasecmp(facts->name, word, length) == 0 && (facts->name[length] == '\0' || facts->name[length] == '|');
}

bool matcher_names(const RouteMatcher *matcher, const Facts *facts) {
    bool by_category = matcher->commands.count == 0;
    for (int i = 0; i < matcher->commands.count; i++) {
        const char *word = matcher->commands.values[i];
        if (*word == '@')
            by_category |= has_category(facts, word);
        else if (matcher_word_names(word, facts))
            return !is_protected(facts, true);
    }
    return by_category && !is_protected(facts, false);
}

/* ===== By who has sent it ===== */

static bool has_word(const RouteWords *words, const char *text) {
    for (int i = 0; i < words->count; i++) {
        if (strcmp(words->values[i], text) == 0) return true;
    }
    return words->count == 0;
}

static bool has_database(const RouteMatcher *matcher, int db) {
    for (int i = 0; i < matcher->db_count; i++) {
        if (matcher->dbs[i] == db) return true;
    }
    return matcher->db_count == 0;
}

bool matcher_has_caller(const RouteMatcher *matcher, const HookSubject *subject) {
    return !subject->user || (has_word(&matcher->users, subject->user) &&
                              (has_database(matcher, subject->db) || has_database(matcher, subject->base_db)));
}

bool matcher_has_caller_for_certain(const RouteMatcher *matcher, const HookSubject *subject) {
    return !subject->user || (has_word(&matcher->users, subject->user) && has_database(matcher, subject->db) &&
                              has_database(matcher, subject->base_db));
}

/* ===== Keys ===== */

static bool key_matches(const void *context, RedisModuleString *key) {
    const RouteWords *globs = context;
    size_t length;
    const char *text = RedisModule_StringPtrLen(key, &length);
    for (int i = 0; i < globs->count; i++) {
        if (glob_match(globs->values[i], strlen(globs->values[i]), text, length)) return true;
    }
    return false;
}

static bool key_differs(const void *globs, RedisModuleString *key) {
    return !key_matches(globs, key);
}

bool matcher_has_key(const RouteMatcher *matcher, const Facts *facts, const HookSubject *subject) {
    if (matcher->keys.count == 0) return true;
    return command_keys_any(facts, subject->argv, subject->argc, key_matches, &matcher->keys);
}

bool matcher_has_all_keys(const RouteMatcher *matcher, const Facts *facts, const HookSubject *subject) {
    if (matcher->keys.count == 0) return true;
    return matcher_has_key(matcher, facts, subject) &&
           !command_keys_any(facts, subject->argv, subject->argc, key_differs, &matcher->keys);
}

typedef struct Taken {
    RedisModuleString **key;
} Taken;

static bool take_first(const void *context, RedisModuleString *key) {
    const Taken *taken = context;
    *taken->key = key;
    return true;
}

RedisModuleString *matcher_first_key(const Facts *facts, const HookSubject *subject) {
    RedisModuleString *key = NULL;
    command_keys_any(facts, subject->argv, subject->argc, take_first, &(Taken){&key});
    return key;
}
