/* The command filter: sees each command before the server looks it up, and has those that hooks match asked about
 * (docs/design/hooks.md). Registered only while there are hooks. */
#ifndef FERRITE_FILTER_H
#define FERRITE_FILTER_H

#include <stdbool.h>

void filter_set(bool wanted);

/* Once per loop. */
void filter_before_sleep(void);

#endif
