/* What comes back from a lane for its requests: a RESULT, or the lane's end. */
#ifndef FERRITE_ANSWER_H
#define FERRITE_ANSWER_H

#include "frame.h"
#include "lane.h"
#include "request.h"

/* Takes a RESULT that message_problem has accepted. */
void answer_take(Lane *lane, const Frame *frame);

/* Ends the wait for a RESULT with an error. */
void answer_error(Request *request, const char *code_and_text);

/* Fails everything that `lane` owes, at once. */
void answer_fail_lane(Lane *lane, const char *reason);

#endif
