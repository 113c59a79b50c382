#include "after.h"

#include <inttypes.h>
#include <stdio.h>

#include "invoke.h"

enum { KEPT_BETWEEN_COMMANDS = 4096 };

static Buffer about;

static void put_number(Buffer *out, uint64_t number) {
    char line[24];
    int length = snprintf(line, sizeof(line), ":%" PRIu64 "\r\n", number);
    buffer_put_string(out, line, (size_t)length);
}

void after_put(Buffer *reads, const CommandOutcome *outcome) {
    buffer_put_u32(reads, 2);
    buffer_put_string(reads, outcome->reply.bytes, outcome->reply.length);
    put_number(reads, outcome->duration);
}

static bool has_room(const Command *command, size_t size) {
    return command->lane && command->route && size <= FRAME_PAYLOAD_MAX && lane_has_room(command->lane, size);
}

static void tell(Command *command, const Arguments *arguments, const CommandCaller *caller,
                 const CommandOutcome *outcome) {
    size_t size = invoke_size(arguments->values, arguments->count) + outcome->reply.length;
    if (!has_room(command, size)) {
        command->overloaded++;
        command->untold++;
        return;
    }
    buffer_empty(&about, KEPT_BETWEEN_COMMANDS);
    buffer_put_u32(&about, 3);
    buffer_put_string(&about, outcome->reply.bytes, outcome->reply.length);
    put_number(&about, outcome->duration);
    put_number(&about, command->untold);
    invoke_tell(command, caller, arguments->values, arguments->count, &about);
    command->untold = 0;
    command->calls++;
}

void after_tell(HookList hooks, const Arguments *arguments, const CommandCaller *caller,
                const CommandOutcome *outcome) {
    for (int i = 0; i < hooks.count; i++) {
        Command *command = hooks.hooks[i];
        if (command->hook && command->hook->kind == HOOK_AFTER) tell(command, arguments, caller, outcome);
    }
}

/* The route table can have changed since it was looked for. */
bool after_is_awaited(const Command *command) {
    return command->hook && command->hook->kind == HOOK_AFTER_WAIT;
}

int after_awaited(HookList hooks) {
    int count = 0;
    for (int i = 0; i < hooks.count; i++) count += after_is_awaited(hooks.hooks[i]);
    return count;
}

void after_free(void) {
    buffer_free(&about);
}
