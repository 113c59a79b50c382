/* The server tells each connection that it accepts, and each client with a connection that ends. The second are more:
 * also those that it turned away without a word (protected mode, a TLS handshake that failed), and its own link to a
 * primary. So the clients that were told as connected are remembered, with their address, which a socket that is gone
 * does not have any more. */
#include "client_events.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "module.h"
#include "notice.h"

typedef struct Known {
    char address[64];
} Known;

static RedisModuleDict *known_clients; /* id (8 bytes, the highest first) -> Known; NULL while nobody listens */
static uint64_t first_known;           /* ids below were given before anybody listened */

static void put_key(uint8_t key[8], uint64_t id) {
    for (int i = 7; i >= 0; i--, id >>= 8) key[i] = (uint8_t)id;
}

static void remember(uint64_t id, const char *address) {
    if (!known_clients) {
        known_clients = RedisModule_CreateDict(NULL);
        first_known = id;
    }
    uint8_t key[8];
    put_key(key, id);
    Known *known = memory_zalloc(sizeof(Known));
    snprintf(known->address, sizeof(known->address), "%s", address);
    if (RedisModule_DictSetC(known_clients, key, sizeof(key), known) != REDISMODULE_OK) memory_free(known);
}

/* The caller's to free. */
static Known *take_out(uint64_t id) {
    uint8_t key[8];
    put_key(key, id);
    Known *known = NULL;
    if (known_clients) RedisModule_DictDelC(known_clients, key, sizeof(key), &known);
    return known;
}

void client_events_forget(void) {
    if (!known_clients) return;
    RedisModuleDictIter *at = RedisModule_DictIteratorStartC(known_clients, "^", NULL, 0);
    void *known;
    while (RedisModule_DictNextC(at, NULL, &known)) memory_free(known);
    RedisModule_DictIteratorStop(at);
    RedisModule_FreeDict(NULL, known_clients);
    known_clients = NULL;
}

/* As in CLIENT LIST; "" where the socket does not know it any more. */
static void address_of(const RedisModuleClientInfo *info, char *address, size_t size) {
    *address = '\0';
    if (info->flags & REDISMODULE_CLIENTINFO_FLAG_UNIXSOCKET) {
        snprintf(address, size, "unix");
    } else if (info->port) {
        snprintf(address, size, strchr(info->addr, ':') ? "[%s]:%u" : "%s:%u", info->addr, info->port);
    }
}

static void put_string(Notice *notice, const char *name, RedisModuleString *string) {
    if (!string) return;
    size_t length;
    const char *text = RedisModule_StringPtrLen(string, &length);
    notice_put(notice, name, text, length);
    RedisModule_FreeString(NULL, string);
}

static void tell(const char *event, const RedisModuleClientInfo *info, const char *address, RedisModuleString *user) {
    Notice notice = {.kind = SUBSCRIPTION_CLIENTS, .event = event};
    notice_put_number(&notice, "id", info->id);
    notice_put_text(&notice, "address", address);
    notice_put_number(&notice, "tls", info->flags & REDISMODULE_CLIENTINFO_FLAG_SSL ? 1 : 0);
    notice_put_number(&notice, "db", info->db);
    put_string(&notice, "user", user);
    put_string(&notice, "name", RedisModule_GetClientNameById(module_context, info->id));
    notice_send(&notice);
}

static void on_connect(const RedisModuleClientInfo *info) {
    char address[sizeof(((Known *)0)->address)];
    address_of(info, address, sizeof(address));
    remember(info->id, address);
    tell("connect", info, address, NULL); /* its user is not known before it has logged in */
}

static void on_disconnect(const RedisModuleClientInfo *info) {
    Known *known = take_out(info->id);
    bool before = !known_clients || info->id < first_known;
    /* The link to a primary has no user. */
    RedisModuleString *user = RedisModule_GetClientUserNameById(module_context, info->id);
    if ((known || before) && user) {
        char address[sizeof(known->address)];
        address_of(info, address, sizeof(address));
        tell("disconnect", info, known ? known->address : address, user);
    } else if (user) {
        RedisModule_FreeString(NULL, user);
    }
    if (known) memory_free(known);
}

void client_events_take(RedisModuleCtx *ctx, RedisModuleEvent event, uint64_t subevent, void *data) {
    (void)ctx, (void)event; /* the context is of the client itself: nothing may be run in it */
    if (subevent == REDISMODULE_SUBEVENT_CLIENT_CHANGE_CONNECTED)
        on_connect(data);
    else
        on_disconnect(data);
}
