#include "plugins.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "hooks.h"
#include "events.h"
#include "host.h"
#include "key_reads.h"
#include "log.h"
#include "memory.h"
#include "server_events.h"
#include "subscription.h"

static PluginStatus *plugins;
static int plugin_count;
static bool host_was_ready; /* it has said what its plugins do */

/* ===== Attaching ===== */

/* NULL when a lane can serve it. */
static const char *problem_of(const Command *command) {
    if (!command || !command->route) return "it is not in the route table";
    return command->hook ? hooks_problem() : NULL;
}

static bool is_name(const char *name, Slice slice) {
    return strlen(name) == slice.length && memcmp(name, slice.bytes, slice.length) == 0;
}

/* Key events that this server does not have: the plugin would wait in vain. */
static uint32_t put_event_problems(Buffer *problems, const Lane *lane, Slice plugin) {
    uint32_t count = 0;
    for (const Subscription *s = lane->subscriptions; s; s = s->next) {
        for (int i = 0; s->kind == SUBSCRIPTION_KEYS && is_name(s->plugin, plugin) && i < s->event_count; i++) {
            bool is_hit = strcmp(s->events[i], EVENT_KEY_HIT) == 0;
            const char *problem = is_hit ? key_reads_problem() : events_problem(s->events[i]);
            if (!problem) continue;
            char name[80];
            snprintf(name, sizeof(name), "event %.64s", s->events[i]);
            buffer_put_cstring(problems, name);
            buffer_put_cstring(problems, problem);
            count++;
        }
    }
    return count;
}

/* A plugin whose rules cannot hold must not pass for one that guards. */
static uint32_t put_rule_problems(Buffer *problems, Slice plugin) {
    uint32_t count = 0;
    const RouteTable *table = command_routes();
    for (int i = 0; hooks_problem() && table && i < table->rule_count; i++) {
        const RouteRule *rule = &table->rules[i];
        if (!rule->plugin || !is_name(rule->plugin, plugin)) continue;
        char name[ROUTE_NAME_MAX + 8];
        snprintf(name, sizeof(name), "rule %s", rule->name);
        buffer_put_cstring(problems, name);
        buffer_put_cstring(problems, hooks_problem());
        count++;
    }
    return count;
}

void plugins_attach(Lane *lane, const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    Slice plugin = reader_string(&reader);
    reader_string(&reader); /* version: STATUS tells it */
    uint32_t count = reader_count(&reader, 6);
    Buffer problems = {0};
    uint32_t problem_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        Slice name = reader_string(&reader);
        uint16_t code = reader_u16(&reader);
        Command *command = command_named((const char *)name.bytes, name.length);
        const char *problem = problem_of(command);
        if (!problem) {
            command_attach(command, lane, code);
            continue;
        }
        buffer_put_string(&problems, name.bytes, name.length);
        buffer_put_cstring(&problems, problem);
        problem_count++;
    }
    problem_count += put_rule_problems(&problems, plugin);
    subscriptions_read(lane, plugin, &reader);
    problem_count += put_event_problems(&problems, lane, plugin);
    size_t begun = frame_begin(&lane->out, FRAME_ATTACHED, 0, 0, frame->id);
    buffer_put_u32(&lane->out, problem_count);
    buffer_put(&lane->out, buffer_front(&problems), buffer_length(&problems));
    frame_end(&lane->out, begun);
    lane_written(lane);
    buffer_free(&problems);
    server_events_attached(lane, plugin);
}

void plugins_detach(Lane *lane, const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    Slice plugin = reader_string(&reader), reason = reader_string(&reader);
    char *name = memory_copy_string((const char *)plugin.bytes, plugin.length);
    char *why = memory_copy_string((const char *)reason.bytes, reason.length);
    /* The supervisor speaks for a plugin whose own lane cannot any more. */
    command_detach(lane->kind == LANE_CONTROL ? NULL : lane, name, why);
    for (Lane *served = lane_list; served; served = served->next) {
        if (lane->kind == LANE_CONTROL || served == lane) subscriptions_end(served, name);
    }
    memory_free(name);
    memory_free(why);
}

/* ===== State ===== */

static void forget_plugins(void) {
    for (int i = 0; i < plugin_count; i++) {
        memory_free(plugins[i].name);
        memory_free(plugins[i].version);
        memory_free(plugins[i].reason);
    }
    memory_free(plugins);
    plugins = NULL;
    plugin_count = 0;
}

static char *copy_slice(Slice slice) {
    return memory_copy_string((const char *)slice.bytes, slice.length);
}

void plugins_take_status(const Frame *frame) {
    Reader reader = reader_of(frame->body, frame->body_length);
    uint32_t count = reader_count(&reader, 17);
    forget_plugins();
    plugins = memory_zalloc(sizeof(PluginStatus) * (count ? count : 1));
    for (uint32_t i = 0; i < count; i++) {
        PluginStatus *plugin = &plugins[plugin_count++];
        plugin->name = copy_slice(reader_string(&reader));
        plugin->version = copy_slice(reader_string(&reader));
        plugin->state = reader_u8(&reader);
        plugin->restarts = reader_u32(&reader);
        plugin->reason = copy_slice(reader_string(&reader));
        /* Not a detach: this comes over another lane than the plugin's ATTACH and may be older. */
        if (plugin->state != 1) command_explain(plugin->name, *plugin->reason ? plugin->reason : "plugin is starting");
    }
    host_was_ready = true;
}

void plugins_forget(void) {
    forget_plugins();
    host_was_ready = false;
}

const PluginStatus *plugins_list(int *count) {
    *count = plugin_count;
    return plugins;
}

const char *plugin_state_name(const PluginStatus *plugin) {
    static const char *const names[] = {"loading", "active", "disabled", "failed", "unloading"};
    return plugin->state < sizeof(names) / sizeof(names[0]) ? names[plugin->state] : "unknown";
}

const char *plugins_down_reason(void) {
    static char reason[640];
    if (*host_problem()) {
        snprintf(reason, sizeof(reason), "%s", host_problem());
        return reason;
    }
    return host_was_ready ? "no plugin serves this command now" : "plugin host is starting";
}

/* ===== Routes ===== */

/* Commands may be created by it (MODULE LOAD), so it waits for the end of the loop. */
static struct {
    bool asked;
    uint64_t id;
} routes_question;

void plugins_take_routes(const Frame *frame) {
    routes_question.asked = true;
    routes_question.id = frame->id;
}

static uint32_t put_problem(Buffer *problems, const char *command, const char *problem) {
    buffer_put_cstring(problems, command);
    buffer_put_cstring(problems, problem);
    return 1;
}

/* Registers what is new in the route table; returns how many problems were written. */
static uint32_t register_new_commands(RedisModuleCtx *ctx, Buffer *problems) {
    static const char too_late[] = "a running server takes no further subcommands for a command that is there: restart "
                                   "the server; until then it can be run through FERRITE.CALL";
    uint32_t count = 0;
    const RouteTable *table = command_routes();
    for (int i = 0; table && i < table->plugin_count; i++) {
        char error[512];
        const char *plugin = table->plugins[i].name;
        if (!command_is_missing(plugin) || command_register_later(ctx, plugin, error, sizeof(error))) continue;
        for (Command *command = command_list; command; command = command->next) {
            if (!command->route || command->registered || strcmp(command->route->plugin, plugin) != 0) continue;
            const char *problem = command_comes_too_late(command) ? too_late : error;
            log_line(LOG_WARNING, "command %s of plugin %s: %s", command->route->name, plugin, problem);
            count += put_problem(problems, command->route->name, problem);
        }
    }
    return count;
}

void plugins_before_sleep(RedisModuleCtx *ctx) {
    if (!routes_question.asked) return;
    routes_question.asked = false;
    Lane *lane = lane_control();
    if (!lane) return;
    char error[512];
    Buffer problems = {0};
    uint32_t count = command_read_routes(error, sizeof(error)) ? register_new_commands(ctx, &problems)
                                                               : put_problem(&problems, "", error);
    size_t begun = frame_begin(&lane->out, FRAME_ROUTES_READ, 0, 0, routes_question.id);
    buffer_put_u32(&lane->out, count);
    buffer_put(&lane->out, buffer_front(&problems), buffer_length(&problems));
    frame_end(&lane->out, begun);
    lane_written(lane);
    buffer_free(&problems);
}
