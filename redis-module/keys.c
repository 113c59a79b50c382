#include "keys.h"

#include <string.h>
#include <strings.h>

typedef struct Search {
    const RouteCommand *route;
    const CallWords *words;
    int at; /* the next word */
    KeyFound found;
    void *context;
} Search;

/* ===== The tree of arguments: `arg` lines in preorder ===== */

static int end_of(const RouteCommand *route, int arg) {
    int end = arg + 1;
    while (end < route->arg_count && route->args[end].depth > route->args[arg].depth) end++;
    return end;
}

static bool is_optional(const RouteArg *arg) {
    return arg->flags & ARG_OPTIONAL;
}

static bool has_children(const RouteCommand *route, int arg) {
    return end_of(route, arg) > arg + 1;
}

/* A count and so many keys. */
static bool is_numkeys(const RouteCommand *route, int arg) {
    const RouteArg *keys = arg + 2 < route->arg_count ? &route->args[arg + 2] : NULL;
    return route->args[arg].type == ARG_BLOCK && keys && keys->depth == route->args[arg].depth + 1 && keys->key >= 0 &&
           route->keys[keys->key].numbered;
}

/* The words of an enum are never optional; the flags of a choice are. */
static bool is_enum(const RouteCommand *route, int arg) {
    const RouteArg *first = &route->args[arg + 1];
    return route->args[arg].type == ARG_ONEOF && has_children(route, arg) && first->type == ARG_PURE_TOKEN &&
           !is_optional(first);
}

static int last_child(const RouteCommand *route, int arg) {
    int last = arg + 1;
    for (int end = end_of(route, arg); end_of(route, last) < end;) last = end_of(route, last);
    return last;
}

/* Whether the first word tells that it is this argument. */
static bool has_opener(const RouteCommand *route, int arg) {
    const RouteArg *a = &route->args[arg];
    if (a->token) return true;
    if (!has_children(route, arg) || is_numkeys(route, arg)) return false;
    if (a->type == ARG_ONEOF) return has_opener(route, last_child(route, arg));
    return a->type == ARG_BLOCK && !is_optional(a + 1) && has_opener(route, arg + 1);
}

/* Options stand in any order with their neighbours. */
static bool is_option(const RouteCommand *route, int arg) {
    const RouteArg *a = &route->args[arg];
    return has_opener(route, arg) && (a->token || is_optional(a) || !is_enum(route, arg));
}

static int token_words(const RouteArg *arg) {
    return arg->token && arg->type != ARG_PURE_TOKEN ? 1 : 0; /* a flag is its token */
}

/* More words than any call has. Sums and products stop there. */
enum { TOO_MANY_WORDS = 1 << 24 };

static int words_of(long long count) {
    return count < TOO_MANY_WORDS ? (int)count : TOO_MANY_WORDS;
}

static int least_words(const RouteCommand *route, int arg);

/* What the arguments from `arg` on need at least. */
static int least_words_of_all(const RouteCommand *route, int arg, int end) {
    long long sum = 0;
    for (; arg < end; arg = end_of(route, arg)) sum += least_words(route, arg);
    return words_of(sum);
}

/* Words of one value, without a token in front. */
static int least_of_value(const RouteCommand *route, int arg) {
    const RouteArg *a = &route->args[arg];
    if (is_numkeys(route, arg)) return 2;
    if (!has_children(route, arg) || is_enum(route, arg)) return 1;
    int end = end_of(route, arg), least = TOO_MANY_WORDS;
    if (a->type == ARG_BLOCK) return least_words_of_all(route, arg + 1, end);
    for (int child = arg + 1; child < end; child = end_of(route, child)) {
        int alone = token_words(&route->args[child]) + least_of_value(route, child);
        if (alone < least) least = alone;
    }
    return least;
}

static int least_words(const RouteCommand *route, int arg) {
    const RouteArg *a = &route->args[arg];
    if (is_optional(a)) return 0;
    long long token = token_words(a), value = least_of_value(route, arg);
    return words_of(a->flags & ARG_MULTIPLE_TOKEN ? a->least * (token + value) : token + a->least * value);
}

/* ===== Words ===== */

static bool is_word(const Search *s, const char *token) {
    size_t length;
    const char *word = s->words->at(s->words->words, s->at, &length);
    return strlen(token) == length && strncasecmp(word, token, length) == 0;
}

/* True if the next word opens this argument. */
static bool opens(const Search *s, int arg) {
    const RouteCommand *route = s->route;
    const RouteArg *a = &route->args[arg];
    if (a->token) return is_word(s, a->token);
    if (!has_opener(route, arg)) return false;
    if (a->type == ARG_BLOCK) return opens(s, arg + 1);
    int end = end_of(route, arg);
    for (int child = arg + 1; child < end; child = end_of(route, child)) {
        if (opens(s, child)) return true;
    }
    return false;
}

/* The option among `arg` and its neighbours that the next word opens; -1: none. */
static int opened_option(const Search *s, int arg, int end) {
    for (; arg < end && is_option(s->route, arg); arg = end_of(s->route, arg)) {
        if (opens(s, arg)) return arg;
    }
    return -1;
}

static bool take_word(Search *s) {
    return s->at < s->words->count && ++s->at;
}

/* A number of keys, written as the host accepts it; 0: it is none. */
static int take_count(Search *s) {
    if (s->at >= s->words->count) return 0;
    size_t length;
    const char *word = s->words->at(s->words->words, s->at++, &length);
    int count = 0;
    if (length > 9 || (length > 0 && *word == '0')) return 0;
    for (size_t i = 0; i < length; i++) {
        if (word[i] < '0' || word[i] > '9') return 0;
        count = count * 10 + (word[i] - '0');
    }
    return count;
}

static bool take_key(Search *s, int key) {
    if (s->at >= s->words->count) return false;
    if (key >= 0) s->found(s->context, s->at, &s->route->keys[key]);
    return take_word(s);
}

/* ===== Reading. Each is false when the words do not fit ===== */

static bool take_all(Search *s, int arg, int end);
static bool take_value(Search *s, int arg);

static bool take_numkeys(Search *s, int arg) {
    int count = take_count(s);
    if (count == 0 || count > s->words->count - s->at) return false;
    for (; count > 0; count--) take_key(s, s->route->args[arg + 2].key);
    return true;
}

/* One of several: the one that the word opens, else the last if any word can open it. */
static bool take_choice(Search *s, int arg) {
    const RouteCommand *route = s->route;
    if (s->at >= s->words->count) return false;
    int member = arg + 1, end = end_of(route, arg);
    while (member < end && !opens(s, member)) member = end_of(route, member);
    if (member >= end) {
        member = last_child(route, arg);
        if (has_opener(route, member)) return false;
    }
    const RouteArg *a = &route->args[member];
    if (a->token) s->at++;
    return a->type == ARG_PURE_TOKEN || take_value(s, member);
}

static bool take_value(Search *s, int arg) {
    const RouteArg *a = &s->route->args[arg];
    if (a->type == ARG_KEY) return take_key(s, a->key);
    if (is_numkeys(s->route, arg)) return take_numkeys(s, arg);
    if (!has_children(s->route, arg)) return take_word(s);
    return a->type == ARG_ONEOF ? take_choice(s, arg) : take_all(s, arg + 1, end_of(s->route, arg));
}

/* Values up to the word `limit`. One that takes no word would never end. */
static bool take_values_to(Search *s, int arg, int limit) {
    for (int before; (before = s->at) < limit;) {
        if (!take_value(s, arg) || s->at == before) return false;
    }
    return true;
}

static bool take_option(Search *s, int arg) {
    const RouteArg *a = &s->route->args[arg];
    if (a->token) s->at++;
    if (a->type == ARG_PURE_TOKEN) return true;
    bool to_the_end = (a->flags & ARG_MULTIPLE) && a->token && !(a->flags & ARG_MULTIPLE_TOKEN);
    return to_the_end ? take_values_to(s, arg, s->words->count) : take_value(s, arg);
}

static bool take_options(Search *s, int arg, int behind, int end) {
    int limit = s->words->count - least_words_of_all(s->route, behind, end);
    for (int before; (before = s->at) < limit;) {
        int option = opened_option(s, arg, behind);
        if (option < 0) break;
        if (!take_option(s, option) || s->at == before) return false;
    }
    return true;
}

/* One that may be left out is so when an option behind it begins. */
static bool is_left_out(const Search *s, int arg, int end) {
    if (s->at >= s->words->count) return true;
    int behind = end_of(s->route, arg);
    while (behind < end && !is_option(s->route, behind)) behind = end_of(s->route, behind);
    return opened_option(s, behind, end) >= 0;
}

static bool take_positional(Search *s, int arg, int end) {
    const RouteArg *a = &s->route->args[arg];
    if (a->flags & ARG_MULTIPLE) {
        return take_values_to(s, arg, s->words->count - least_words_of_all(s->route, end_of(s->route, arg), end));
    }
    return (is_optional(a) && is_left_out(s, arg, end)) || take_value(s, arg);
}

/* The arguments from `arg` on that are side by side. */
static bool take_all(Search *s, int arg, int end) {
    while (arg < end) {
        int next = end_of(s->route, arg);
        if (is_option(s->route, arg)) {
            while (next < end && is_option(s->route, next)) next = end_of(s->route, next);
            if (!take_options(s, arg, next, end)) return false;
        } else if (!take_positional(s, arg, end)) {
            return false;
        }
        arg = next;
    }
    return true;
}

void keys_find(const RouteCommand *route, const CallWords *words, KeyFound found, void *context) {
    int name_words = strchr(route->name, '|') ? 2 : 1;
    Search search = {.route = route, .words = words, .at = name_words, .found = found, .context = context};
    take_all(&search, 0, route->arg_count);
}

/* ===== Whether it is needed ===== */

static bool are_all_arguments(const RouteCommand *route) {
    for (int key = 0; key < route->key_count; key++) {
        int arg = 0;
        while (arg < route->arg_count && route->args[arg].key != key) arg++;
        if (arg == route->arg_count) return false;
    }
    return true;
}

/* Where the server is not given keys_find it goes by one range of places for redirections and tracking; and a spec
 * whose key is left out makes it find none of the others. */
bool keys_need_search(const RouteCommand *route) {
    if (route->key_count == 0 || !are_all_arguments(route)) return false;
    const RouteKey *first = &route->keys[0];
    return route->key_count > 1 || first->begin_keyword || first->numbered || first->flags & ROUTE_KEY_INCOMPLETE;
}
