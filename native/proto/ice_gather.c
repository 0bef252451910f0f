#include "proto/ice_internal.h"

#include <stdio.h>
#include <stdlib.h>

static void add_query(rt_ice *ice, uint32_t server, uint32_t local, rt_time now)
{
    rt_ice_session *session = ice->now;
    const rt_addr *to = &session->servers[server].address, *base = &session->locals[local].address;
    if (to->family != base->family || (rt_addr_is_loopback(base) && !rt_addr_is_loopback(to)))
        return; /* no way there */
    if (base->family == 6 && rt_addr_is_link_local(base) != rt_addr_is_link_local(to))
        return;
    if (session->query_count == session->query_room) {
        uint32_t room = session->query_room ? 2 * session->query_room : 4;
        rt_ice_query *queries = room <= MAX_QUERIES ? realloc(session->queries, room * sizeof *queries) : NULL;
        if (!queries)
            return; /* more servers times hosts than are worth asking */
        session->queries = queries;
        session->query_room = room;
    }
    rt_ice_query *query = &session->queries[session->query_count++];
    *query = (rt_ice_query){.server = (uint8_t)server, .local = (uint16_t)local};
    rt_ice_begin_exchange(ice, &query->exchange, now);
    query->exchange.interval = ice->config.rto;
}

void rt_ice_query_host(rt_ice *ice, uint32_t local, rt_time now)
{
    for (uint32_t i = 0; i < ice->now->server_count; i++)
        add_query(ice, i, local, now);
}

void rt_ice_query_server(rt_ice *ice, uint32_t server, rt_time now)
{
    for (uint32_t i = 0; i < ice->now->local_count; i++) {
        if (ice->now->locals[i].type == RT_ICE_HOST)
            add_query(ice, server, i, now);
    }
}

/* Answered queries go again now and then, so that NATs keep the bindings until there is a path. */
static bool due(const rt_ice *ice, const rt_ice_query *query, rt_time now)
{
    if (query->failed || query->exchange.due > now || query->exchange.tries >= QUERY_TRIES)
        return false;
    return !query->answered || (!ice->path && ice->state != RT_ICE_FAILED);
}

bool rt_ice_send_queries(rt_ice *ice, rt_batch *out, rt_time now)
{
    rt_ice_session *session = ice->now;
    for (uint32_t i = 0; i < session->query_count; i++) {
        rt_ice_query *query = &session->queries[i];
        if (!due(ice, query, now))
            continue;
        if (query->exchange.tries == 0) {
            if (rt_ice_pace_due(ice) > now)
                continue;
            rt_ice_pace(ice, now);
        }
        uint8_t *room = rt_batch_reserve(out, RT_STUN_HEADER + 8);
        if (!room)
            return false;
        rt_writer w =
            rt_stun_begin(rt_buffer_of(room, RT_STUN_HEADER + 8), RT_STUN_REQUEST, RT_STUN_BINDING, query->exchange.id);
        rt_stun_add_fingerprint(&w);
        rt_ice_count_try(&query->exchange, now);
        out->socket = session->locals[query->local].socket;
        out->to = session->servers[query->server].address;
        rt_batch_commit(out, rt_stun_end(&w));
    }
    return true;
}

/* A server-reflexive candidate, unless there is no NAT or another server has shown the same. */
static void discover(rt_ice *ice, const rt_ice_query *query, const rt_addr *mapped)
{
    rt_ice_session *session = ice->now;
    const rt_ice_candidate *base = &session->locals[query->local];
    uint16_t preference = session->preferences[query->local];
    if (mapped->family != base->address.family || rt_ice_find_local(session, mapped, base->socket) >= 0)
        return;
    rt_ice_candidate candidate = {
        .address = *mapped,
        .related = base->address,
        .priority = rt_ice_priority(RT_ICE_SRFLX, preference),
        .type = RT_ICE_SRFLX,
        .socket = base->socket,
        .server = session->servers[query->server].number,
    };
    rt_ice_number_foundation(ice, &candidate);
    (void)rt_ice_add_local(ice, &candidate, preference); /* beyond MAX_LOCALS it is not offered */
}

/* 300 with ALTERNATE-SERVER (RFC 8489 section 10): followed once, within the family. */
static bool redirect(rt_ice *ice, rt_ice_query *query, const rt_stun *stun, rt_time now)
{
    rt_ice_server *server = &ice->now->servers[query->server];
    if (server->redirected || stun->error != RT_STUN_TRY_ALTERNATE || stun->alternate.family != server->address.family)
        return false;
    server->redirected = true;
    server->address = stun->alternate;
    rt_ice_begin_exchange(ice, &query->exchange, now);
    return true;
}

bool rt_ice_take_query_answer(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, rt_time now,
                              rt_status *status)
{
    rt_ice_session *session = ice->now;
    for (uint32_t i = 0; i < session->query_count; i++) {
        rt_ice_query *query = &session->queries[i];
        rt_ice_server *server = &session->servers[query->server];
        if (!query->exchange.active || memcmp(query->exchange.id, stun->transaction, RT_STUN_TRANSACTION) != 0)
            continue;
        if (!rt_addr_equal(from, &server->address) || socket != session->locals[query->local].socket) {
            ice->stats.unexpected++;
            *status = RT_UNEXPECTED;
            return true;
        }
        *status = RT_OK;
        if (stun->class == RT_STUN_ERROR) {
            if (!redirect(ice, query, stun, now)) {
                server->code = stun->error;
                query->failed = !query->answered;
            }
            return true;
        }
        if (!query->answered && stun->mapped.family)
            discover(ice, query, &stun->mapped);
        query->answered = true;
        rt_ice_begin_exchange(ice, &query->exchange, now); /* the next one, to refresh the binding */
        query->exchange.due = now + REFRESH;
        return true;
    }
    return false;
}

void rt_ice_expire_queries(rt_ice *ice, rt_time now)
{
    rt_ice_session *session = ice->now;
    for (uint32_t i = 0; i < session->query_count; i++) {
        rt_ice_query *query = &session->queries[i];
        if (query->exchange.tries < QUERY_TRIES || query->exchange.due > now)
            continue;
        if (query->answered) { /* the refresh was lost: the next one */
            rt_ice_begin_exchange(ice, &query->exchange, now);
            query->exchange.due = now + REFRESH;
        } else {
            query->failed = true;
        }
    }
}

static bool all_done(const rt_ice_session *session, int server, bool *answered)
{
    for (uint32_t i = 0; i < session->query_count; i++) {
        const rt_ice_query *query = &session->queries[i];
        if (server >= 0 && query->server != server)
            continue;
        if (!query->answered && !query->failed)
            return false;
        *answered = *answered || query->answered;
    }
    return true;
}

rt_time rt_ice_query_deadline(const rt_ice *ice)
{
    const rt_ice_session *session = ice->now;
    rt_time deadline = RT_NEVER;
    for (uint32_t i = 0; i < session->query_count; i++) {
        const rt_ice_query *query = &session->queries[i];
        if (query->failed || (query->answered && (ice->path || ice->state == RT_ICE_FAILED)))
            continue;
        rt_time at = query->exchange.due;
        if (query->exchange.tries == 0)
            at = rt_time_max(at, rt_ice_pace_due(ice));
        deadline = rt_time_min(deadline, at);
    }
    return deadline;
}

void rt_ice_update_gathering(rt_ice *ice)
{
    rt_ice_session *session = ice->now;
    bool answered = false;
    if (session->gathering == RT_ICE_GATHERING && session->local_ended && all_done(session, -1, &answered))
        session->gathering = RT_ICE_GATHER_COMPLETE;
}

/* One for each server that has not answered anybody. */
bool rt_ice_server_event(rt_ice *ice, rt_ice_event *out)
{
    rt_ice_session *session = ice->now;
    for (uint32_t i = 0; i < session->server_count && session->local_ended; i++) {
        rt_ice_server *server = &session->servers[i];
        bool answered = false;
        if (server->reported || !all_done(session, (int)i, &answered))
            continue;
        server->reported = true;
        if (answered)
            continue;
        out->type = RT_ICE_EVENT_CANDIDATE_ERROR;
        out->server = server->number;
        out->code = server->code ? server->code : 701;
        snprintf(out->text, sizeof out->text, "%s",
                 server->code ? "the STUN server refused" : "the STUN server did not answer");
        return true;
    }
    return false;
}
