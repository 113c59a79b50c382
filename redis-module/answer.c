#include "answer.h"

#include "guard.h"
#include "pause.h"
#include "wake.h"

void answer_take(Lane *lane, const Frame *frame) {
    Request *request = request_find(frame->id);
    lane->sync_refused = false;
    if (!request || request->state != REQUEST_ASKED || request->lane != lane) return; /* nobody waits any more */
    if (frame->code == OUTCOME_AGAIN && request->guarded && !request->sync) {
        request->command->again++;
        guard_again(request);
        return;
    }
    request_set_state(request, REQUEST_ANSWERED);
    request->outcome = frame->code;
    request->result_flags = frame->flags;
    buffer_put(&request->result, frame->body, frame->body_length);
    if ((frame->flags & RESULT_HAS_COMMIT) && !request->sync && RedisModule_AvoidReplicaTraffic())
        pause_hold(request);
    else
        wake_request(request);
}

void answer_fail_lane(Lane *lane, const char *reason) {
    while (lane->pending.newest) wake_with_error(lane->pending.newest, reason);
    while (lane->waiting.newest) wake_with_error(lane->waiting.newest, reason);
}
