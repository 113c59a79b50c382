#include "wake.h"

#include <string.h>

#include "memory.h"
#include "module.h"

/* ===== Clients that are not blocked on a key ===== */

/* Redis 7.0 lets go of a client without any reply when CLIENT UNBLOCK comes between RM_UnblockClient and the end of the
 * loop: there the call waits for the last moment before the server looks at what was unblocked. By id, since the
 * request can end meanwhile. */
static uint64_t *unblock_soon;
static size_t unblock_count, unblock_room;

void wake_let_go(Request *request) {
    if (request->by_key || request->unblocked) return;
    request->unblocked = true;
    RedisModule_UnblockClient(request->client, request);
}

static void unblock_before_sleep(Request *request) {
    if (unblock_count == unblock_room) {
        unblock_room = unblock_room ? unblock_room * 2 : 64;
        unblock_soon = memory_realloc(unblock_soon, unblock_room * sizeof(*unblock_soon));
    }
    unblock_soon[unblock_count++] = request_id(request);
}

void wake_before_sleep(void) {
    for (size_t i = 0; i < unblock_count; i++) {
        Request *request = request_find(unblock_soon[i]);
        if (request) wake_let_go(request);
    }
    unblock_count = 0;
}

/* ===== All ===== */

/* Before the server sleeps it has served the clients of ready keys already: what is signalled then waits for the next
 * loop. */
static bool keys_were_served;

void wake_keys_served(bool served) {
    keys_were_served = served;
}

void wake_request(Request *request) {
    if (request->sync) {
        request->answered = true;
    } else if (!request->client) {
        return; /* not blocked yet: who starts it looks at its state */
    } else if (request->by_key) {
        RedisModule_SelectDb(module_context, request->db);
        RedisModule_SignalKeyAsReady(module_context, request->wake_name);
        if (keys_were_served) loop_soon();
    } else {
        RedisModule_BlockedClientMeasureTimeEnd(request->client);
        if (RedisModule_BlockClientSetPrivateData)
            wake_let_go(request);
        else
            unblock_before_sleep(request);
    }
}

void wake_with_error(Request *request, const char *code_and_text) {
    request_drop_result(request);
    request->failure = memory_copy_string(code_and_text, strlen(code_and_text));
    request_set_state(request, REQUEST_ANSWERED);
    wake_request(request);
}

void wake_free_all(void) {
    memory_free(unblock_soon);
    unblock_soon = NULL;
    unblock_count = unblock_room = 0;
}
