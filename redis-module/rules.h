/* Rules: what the module says to a command by itself, without the host. The operator's (rule_file.h) come before the
 * plugins' (the route table); then the lower priority comes first, then the name. */
#ifndef FERRITE_RULES_H
#define FERRITE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "facts.h"
#include "matcher.h"
#include "rate.h"
#include "route.h"

typedef struct Rule {
    const RouteRule *route;
    char *name; /* "<plugin>/<rule>"; the operator's: "<rule>" */
    char *line; /* as it stood in the table: a rule that reads the same goes on with its figures and buckets */
    uint64_t matched, refused;
    Rate rate;
} Rule;

/* Gives each command its rules. Whenever rules or commands have changed; of commands that are not there, those that
 * rules give a name are added. */
void rules_changed(void);

/* All of them, in their order. */
Rule *const *rules_list(int *count);

/* Sum over all rules that are or were there. */
uint64_t rules_refused(void);

typedef enum RuleEnd { RULES_PASS, RULES_REFUSE, RULES_RENAME } RuleEnd;

typedef struct RuleVerdict {
    RuleEnd end;
    const char *to;              /* RULES_RENAME */
    char error[CALL_ERROR_SIZE]; /* RULES_REFUSE: "CODE text" */
} RuleVerdict;

/* Fills in who has sent the command. False when no rule is for it. Called at most once, and only when a rule is for
 * all else that the command has. */
typedef bool (*RuleWho)(void *context, HookSubject *subject);

/* What the rules of a command say. One that has been renamed is not renamed again. */
void rules_judge(const Facts *facts, HookSubject *subject, RuleWho who, void *context, bool renamed,
                 RuleVerdict *verdict);

void rules_free(void);

#endif
