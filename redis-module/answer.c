#include "answer.h"

#include "chain.h"
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
    if (request->chain && !request->sync)
        chain_answered(request);
    else if (frame->code > OUTCOME_AGAIN && !request->chain)
        wake_with_error(request, "ERR the plugin answered a command as if it were a hook");
    else if ((frame->flags & RESULT_HAS_COMMIT) && !request->sync && RedisModule_AvoidReplicaTraffic())
        pause_hold(request);
    else
        wake_request(request);
}

void answer_error(Request *request, const char *code_and_text) {
    if (request->chain && !request->sync)
        chain_failed(request, code_and_text);
    else
        wake_with_error(request, code_and_text);
}

void answer_fail_lane(Lane *lane, const char *reason) {
    while (lane->pending.newest) answer_error(lane->pending.newest, reason);
    while (lane->waiting.newest) answer_error(lane->waiting.newest, reason);
}
