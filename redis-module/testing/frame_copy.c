#include "frame_copy.h"

#include <stdlib.h>
#include <string.h>

/* A layout: 1 2 4 8 = u8 u16 u32 u64, s = str, v = str that holds a value, [..] = list, {..} = list that is not empty.
 * A digit in brackets behind a number is what it may be at most: "1(4)". */
typedef struct FrameLayout {
    FrameType type;
    FrameSender sender;
    uint8_t flags; /* that may be set */
    uint16_t code_min, code_max;
    const char *body;
} FrameLayout;

static const FrameLayout layouts[] = {
    {FRAME_HELLO, SENT_BY_HOST, 0, 1, 1, "1(1)4ss"},
    {FRAME_WELCOME, SENT_BY_MODULE, 7, 1, 1, "[ss]"},
    {FRAME_PING, SENT_BY_HOST, 0, 0, 0, ""},
    {FRAME_PING, SENT_BY_MODULE, 0, 0, 0, ""},
    {FRAME_PONG, SENT_BY_HOST, 0, 0, 0, ""},
    {FRAME_PONG, SENT_BY_MODULE, 0, 0, 0, ""},
    {FRAME_STATE, SENT_BY_MODULE, 7, 0, 0, ""},
    {FRAME_SETTINGS, SENT_BY_MODULE, 0, 0, 0, "[ss]"},
    {FRAME_ATTACH, SENT_BY_HOST, 0, 0, 0, "ss[s2][41(3)1[s][s]]"},
    {FRAME_ATTACHED, SENT_BY_MODULE, 0, 0, 0, "[ss]"},
    {FRAME_DETACH, SENT_BY_HOST, 0, 0, 0, "ss"},
    {FRAME_STATUS, SENT_BY_HOST, 0, 0, 0, "[ss1(4)4s]"},
    {FRAME_ROUTES, SENT_BY_HOST, 0, 0, 0, ""},
    {FRAME_ROUTES_READ, SENT_BY_MODULE, 0, 0, 0, "[ss]"},
    {FRAME_INVOKE, SENT_BY_MODULE, 127, 0, 0xffff, "841(3)84s[s][v]"},
    {FRAME_RESULT, SENT_BY_HOST, 6, 0, OUTCOME_REWRITE, NULL}, /* its flags decide */
    {FRAME_CANCEL, SENT_BY_MODULE, 0, 1, 4, ""},
    {FRAME_CALL, SENT_BY_HOST, 7, 0, 0, "8s4{{s}}"},
    {FRAME_CALL_RESULT, SENT_BY_MODULE, 0, 0, 1, "[v]"},
    {FRAME_EVENT, SENT_BY_MODULE, 0, 0, 0, "841(4)1(7)8ss[4]"},
    {FRAME_GAP, SENT_BY_MODULE, 0, 0, 0, ""},
    {FRAME_NOTICE, SENT_BY_MODULE, 0, 1, 3, "8s[ss][4]"},
    {FRAME_EMIT, SENT_BY_HOST, 0, 0, 8, NULL}, /* its strings have rules */
};

static const char *after_list(const char *layout) {
    int depth = 0;
    do {
        depth += *layout == '[' || *layout == '{';
        depth -= *layout == ']' || *layout == '}';
        layout++;
    } while (depth > 0);
    return layout;
}

/* The fewest bytes that an item of a list takes up; `layout` is behind the opening bracket. */
static size_t smallest(const char *layout) {
    size_t size = 0;
    while (*layout && *layout != ']' && *layout != '}') {
        bool list = *layout == '[' || *layout == '{';
        if (list || *layout == 's' || *layout == 'v') {
            size += 4;
        } else if (*layout == '(') {
            layout += 2;
        } else {
            size += (size_t)(*layout - '0');
        }
        layout = list ? after_list(layout) : layout + 1;
    }
    return size;
}

typedef struct Copy {
    Reader reader;
    Buffer *out;
    CheckValue *check;
    bool wrong;
} Copy;

static void copy_number(Copy *copy, int size, int max) {
    uint64_t value = 0;
    if (size == 1) buffer_put_u8(copy->out, (uint8_t)(value = reader_u8(&copy->reader)));
    if (size == 2) buffer_put_u16(copy->out, (uint16_t)(value = reader_u16(&copy->reader)));
    if (size == 4) buffer_put_u32(copy->out, (uint32_t)(value = reader_u32(&copy->reader)));
    if (size == 8) buffer_put_u64(copy->out, value = reader_u64(&copy->reader));
    if (max >= 0 && value > (uint64_t)max) copy->wrong = true;
}

static void copy_string(Copy *copy, bool is_value) {
    Slice slice = reader_string(&copy->reader);
    buffer_put_string(copy->out, slice.bytes, slice.length);
    if (is_value && !copy->reader.failed && copy->check && !copy->check(slice, 0)) copy->wrong = true;
}

static void copy_items(Copy *copy, const char *layout);

static void copy_list(Copy *copy, const char *layout) {
    uint32_t count = reader_count(&copy->reader, smallest(layout + 1));
    if (count == 0 && *layout == '{') copy->wrong = true;
    buffer_put_u32(copy->out, count);
    for (uint32_t i = 0; i < count && !copy->reader.failed; i++) copy_items(copy, layout + 1);
}

static void copy_items(Copy *copy, const char *layout) {
    while (*layout && *layout != ']' && *layout != '}') {
        if (*layout == '[' || *layout == '{') {
            copy_list(copy, layout);
            layout = after_list(layout);
        } else if (*layout == 's' || *layout == 'v') {
            copy_string(copy, *layout++ == 'v');
        } else {
            bool limited = layout[1] == '(';
            copy_number(copy, *layout - '0', limited ? layout[2] - '0' : -1);
            layout += limited ? 4 : 1;
        }
    }
}

static void copy_result(Copy *copy, const Frame *frame) {
    Slice reply = reader_string(&copy->reader);
    buffer_put_string(copy->out, reply.bytes, reply.length);
    uint32_t slots = 0;
    if (frame->flags & RESULT_HAS_COMMIT) {
        Reader ahead = copy->reader;
        slots = reader_count(&ahead, 8);
        copy_list(copy, "[{s}]");
    }
    if (frame->flags & RESULT_HAS_ASSUMED) copy_list(copy, "[v]");
    if (copy->reader.failed) return;
    bool is_empty = frame->code == OUTCOME_AGAIN || frame->code == OUTCOME_CONTINUE;
    if (is_empty ? reply.length > 0 : copy->check && !copy->check(reply, slots)) copy->wrong = true;
}

static bool is_event_name(Slice name) {
    static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    char text[65] = {0};
    if (name.length < 1 || name.length > 64) return false;
    memcpy(text, name.bytes, name.length);
    return strspn(text, first) > 0 && strspn(text, others) == name.length;
}

static void copy_emit(Copy *copy) {
    copy_string(copy, false);
    Slice name = reader_string(&copy->reader);
    buffer_put_string(copy->out, name.bytes, name.length);
    uint8_t format = reader_u8(&copy->reader);
    buffer_put_u8(copy->out, format);
    Slice payload = reader_string(&copy->reader);
    buffer_put_string(copy->out, payload.bytes, payload.length);
    bool fits = format == 0 ? payload.length == 0 : format <= 2 && payload.length <= 1048576;
    if (!copy->reader.failed && !(is_event_name(name) && fits)) copy->wrong = true;
}

bool frame_copy(const Frame *frame, FrameSender sender, Buffer *out, CheckValue *check) {
    const FrameLayout *layout = NULL;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        if (layouts[i].type == (FrameType)frame->type && layouts[i].sender == sender) layout = &layouts[i];
    }
    if (!layout || (frame->flags & ~layout->flags)) return false;
    if (frame->code < layout->code_min || frame->code > layout->code_max) return false;
    size_t begun = frame_begin(out, (FrameType)frame->type, frame->flags, frame->code, frame->id);
    Copy copy = {.reader = reader_of(frame->body, frame->body_length), .out = out, .check = check};
    if (layout->body)
        copy_items(&copy, layout->body);
    else if (frame->type == FRAME_EMIT)
        copy_emit(&copy);
    else
        copy_result(&copy, frame);
    frame_end(out, begun);
    return !copy.wrong && reader_done(&copy.reader);
}
