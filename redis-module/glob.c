#include "glob.h"

static unsigned char fold(char c, bool nocase) {
    return (unsigned char)(nocase && c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Matches one [...] class at p[0] == '['; *used is its length in the pattern. An unclosed class runs to the
 * pattern's end, as in the server. */
static bool class_match(const char *p, size_t length, unsigned char c, bool nocase, size_t *used) {
    size_t i = 1;
    bool negated = i < length && p[i] == '^';
    if (negated) i++;
    bool found = false;
    for (; i < length && p[i] != ']'; i++) {
        if (p[i] == '\\' && i + 1 < length) {
            i++;
            found |= fold(p[i], nocase) == c;
        } else if (i + 2 < length && p[i + 1] == '-') {
            unsigned char low = fold(p[i], nocase), high = fold(p[i + 2], nocase);
            if (low > high) {
                unsigned char swap = low;
                low = high;
                high = swap;
            }
            found |= c >= low && c <= high;
            i += 2;
        } else {
            found |= fold(p[i], nocase) == c;
        }
    }
    *used = i < length ? i + 1 : length;
    return found != negated;
}

/* Iterative: on a mismatch the last '*' takes one more character, so the worst case is
 * pattern_length * length and not exponential. */
static bool match(const char *pattern, size_t pattern_length, const char *text, size_t length, bool nocase) {
    size_t p = 0, t = 0;
    size_t star = (size_t)-1, star_text = 0;
    while (t < length || p < pattern_length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++;
            star_text = t;
            continue;
        }
        if (p < pattern_length && t < length) {
            size_t used = 1;
            bool same;
            if (pattern[p] == '?') {
                same = true;
            } else if (pattern[p] == '[') {
                same = class_match(pattern + p, pattern_length - p, fold(text[t], nocase), nocase, &used);
            } else if (pattern[p] == '\\' && p + 1 < pattern_length) {
                used = 2;
                same = fold(pattern[p + 1], nocase) == fold(text[t], nocase);
            } else {
                same = fold(pattern[p], nocase) == fold(text[t], nocase);
            }
            if (same) {
                p += used;
                t++;
                continue;
            }
        }
        if (star == (size_t)-1 || star_text >= length) return false;
        p = star + 1;
        t = ++star_text;
    }
    return true;
}

bool glob_match(const char *pattern, size_t pattern_length, const char *text, size_t length) {
    return match(pattern, pattern_length, text, length, false);
}

bool glob_match_nocase(const char *pattern, size_t pattern_length, const char *text, size_t length) {
    return match(pattern, pattern_length, text, length, true);
}
