#include "base/prefetch.h"
#include "proto/ice_internal.h"

#include <stdlib.h>

void rt_ice_config_default(rt_ice_config *config)
{
    *config = (rt_ice_config){
        .max_pairs = 100,
        .max_remote_candidates = 64,
        .pacing = RT_MS(50),
        .rto = RT_MS(500),
        .keepalive = RT_SECONDS(5),
        .disconnected_after = RT_SECONDS(5),
        .failed_after = RT_SECONDS(30),
        .no_candidates_after = RT_SECONDS(15),
    };
}

rt_ice *rt_ice_new(const rt_ice_config *config)
{
    rt_ice *ice = calloc(1, sizeof *ice);
    if (!ice)
        return NULL;
    ice->config = *config;
    ice->controlling = config->controlling && !config->lite;
    ice->tie_breaker = rt_random64(config->random);
    ice->deadline = RT_NEVER;
    ice->now = rt_ice_session_new(ice);
    if (!ice->now) {
        free(ice);
        return NULL;
    }
    return ice;
}

void rt_ice_free(rt_ice *ice)
{
    if (!ice)
        return;
    rt_ice_session_free(ice, ice->now);
    rt_ice_session_free(ice, ice->old);
    free(ice);
}

const char *rt_ice_local_ufrag(const rt_ice *ice)
{
    return ice->now->ufrag;
}

const char *rt_ice_local_pwd(const rt_ice *ice)
{
    return ice->now->pwd;
}

rt_status rt_ice_set_controlling(rt_ice *ice, bool controlling)
{
    if (ice->begun)
        return ice->controlling == controlling ? RT_OK : RT_UNEXPECTED;
    if (ice->config.lite && controlling)
        return RT_INVALID;
    ice->controlling = controlling;
    rt_ice_rank_links(ice);
    return RT_OK;
}

bool rt_ice_controlling(const rt_ice *ice)
{
    return ice->controlling;
}

void rt_ice_set_remote_lite(rt_ice *ice, bool lite)
{
    ice->remote_lite = lite;
    if (lite && !ice->config.lite)
        rt_ice_switch_role(ice, true);
}

rt_status rt_ice_add_host(rt_ice *ice, uint16_t socket, const rt_addr *address, uint16_t preference, rt_time now)
{
    if ((address->family != 4 && address->family != 6) || address->port == 0 || rt_addr_is_any(address))
        return RT_INVALID;
    if (rt_ice_find_local(ice->now, address, socket) >= 0)
        return RT_EXISTS;
    rt_ice_candidate host = {
        .address = *address,
        .priority = rt_ice_priority(RT_ICE_HOST, preference),
        .type = RT_ICE_HOST,
        .socket = socket,
    };
    rt_ice_number_foundation(ice, &host);
    int local = rt_ice_add_local(ice, &host, preference);
    if (local < 0)
        return RT_AGAIN;
    ice->now->gathering = RT_ICE_GATHERING;
    rt_ice_pair_local(ice, (uint32_t)local);
    rt_ice_query_host(ice, (uint32_t)local, now);
    rt_ice_update(ice, now);
    return RT_OK;
}

rt_status rt_ice_add_server(rt_ice *ice, uint16_t server, const rt_addr *address, rt_time now)
{
    rt_ice_session *session = ice->now;
    if ((address->family != 4 && address->family != 6) || address->port == 0 || rt_addr_is_any(address))
        return RT_INVALID;
    if (session->server_count == MAX_SERVERS)
        return RT_AGAIN;
    for (uint32_t i = 0; i < session->server_count; i++) {
        if (rt_addr_equal(&session->servers[i].address, address))
            return RT_EXISTS;
    }
    session->servers[session->server_count] = (rt_ice_server){.address = *address, .number = server};
    session->gathering = RT_ICE_GATHERING;
    rt_ice_query_server(ice, session->server_count++, now);
    rt_ice_update(ice, now);
    return RT_OK;
}

void rt_ice_end_of_local(rt_ice *ice, rt_time now)
{
    ice->now->local_ended = true;
    if (ice->now->gathering == RT_ICE_GATHER_NEW)
        ice->now->gathering = RT_ICE_GATHERING;
    rt_ice_update(ice, now);
}

/* A peer-reflexive candidate turns out to be a signalled one: its true type and priority count from now. */
static void complete_remote(rt_ice *ice, uint32_t index, const rt_ice_candidate *signalled)
{
    rt_ice_session *session = ice->now;
    rt_ice_candidate *known = &session->remotes[index];
    if (known->type != RT_ICE_PRFLX)
        return;
    rt_addr address = known->address; /* with the zone that it was seen with */
    *known = *signalled;
    known->address = address;
    for (uint32_t i = 0; i < session->link_count; i++) {
        if (session->links[i]->stats.remote == index)
            rt_ice_group_link(ice, session->links[i]);
    }
    rt_ice_rank_links(ice);
}

rt_status rt_ice_add_remote(rt_ice *ice, const rt_ice_candidate *candidate, rt_time now)
{
    const rt_addr *address = &candidate->address;
    if ((address->family != 4 && address->family != 6) || rt_addr_is_any(address) || candidate->type > RT_ICE_RELAY ||
        !memchr(candidate->foundation, 0, sizeof candidate->foundation))
        return RT_INVALID;
    if (address->port == 0)
        return RT_INVALID;
    int known = rt_ice_find_remote(ice->now, address, candidate->transport);
    if (known >= 0) {
        complete_remote(ice, (uint32_t)known, candidate);
        rt_ice_update(ice, now);
        return RT_OK;
    }
    int remote = rt_ice_store_remote(ice, candidate);
    if (remote < 0)
        return RT_AGAIN;
    if (candidate->transport != RT_ICE_UDP)
        return RT_UNSUPPORTED;
    rt_ice_pair_remote(ice, (uint32_t)remote);
    rt_ice_update(ice, now);
    return RT_OK;
}

void rt_ice_end_of_remote(rt_ice *ice, rt_time now)
{
    ice->now->remote_ended = true;
    rt_ice_update(ice, now);
}

rt_status rt_ice_receive(rt_ice *ice, uint16_t socket, const rt_addr *from, rt_span datagram, rt_time now)
{
    rt_stun stun;
    if (!rt_stun_is(datagram)) {
        ice->stats.unexpected++;
        return RT_UNEXPECTED;
    }
    rt_status status = rt_stun_parse(datagram, &stun);
    if (status != RT_OK) {
        ice->stats.malformed++;
        return RT_MALFORMED;
    }
    switch (stun.class) {
    case RT_STUN_REQUEST: status = rt_ice_take_request(ice, socket, from, &stun, now); break;
    case RT_STUN_INDICATION: return RT_OK; /* a keepalive of RFC 8445 section 11: its arrival was its purpose */
    case RT_STUN_SUCCESS:
    case RT_STUN_ERROR:
        if (!rt_ice_take_query_answer(ice, socket, from, &stun, now, &status))
            status = rt_ice_take_answer(ice, socket, from, &stun, now);
        break;
    }
    rt_ice_update(ice, now);
    return status;
}

size_t rt_ice_transmit(rt_ice *ice, rt_batch *out, rt_time now)
{
    if (now < ice->deadline)
        return 0;
    uint32_t before = out->count;
    uint16_t socket = out->socket;
    rt_addr to = out->to;
    if (rt_ice_send_replies(ice, out, now) && rt_ice_send_checks(ice, out, now))
        (void)rt_ice_send_queries(ice, out, now);
    out->socket = socket;
    out->to = to;
    rt_ice_update(ice, now);
    return out->count - before;
}

rt_time rt_ice_deadline(const rt_ice *ice)
{
    return ice->deadline;
}

void rt_ice_expire(rt_ice *ice, rt_time now)
{
    if (now < ice->deadline)
        return;
    rt_ice_expire_links(ice, now);
    rt_ice_expire_queries(ice, now);
    rt_ice_update(ice, now);
}

bool rt_ice_path(const rt_ice *ice, uint16_t *socket, rt_addr *to)
{
    if (!ice->path)
        return false;
    *socket = ice->path->socket;
    *to = ice->path->remote;
    return true;
}

void rt_ice_prefetch(const rt_ice *ice, int step)
{
    if (step == 0) {
        RT_PREFETCH_FROM(ice, rt_ice, now, old);
        RT_PREFETCH_FROM(ice, rt_ice, path, role_changed);
        return;
    }
    RT_PREFETCH_FROM(ice->now, rt_ice_session, local_count, local_announced);
    RT_PREFETCH_FROM(ice->now, rt_ice_session, server_count, gathering_told);
    if (ice->path)
        RT_PREFETCH_FROM(ice->path, rt_ice_link, stats, socket);
}

static rt_ice_link *find_known(const rt_ice *ice, uint16_t socket, const rt_addr *from)
{
    if (ice->path && ice->path->socket == socket && rt_addr_equal(&ice->path->remote, from))
        return ice->path;
    rt_ice_link *link = rt_ice_find_link(ice->now, socket, from);
    return link || !ice->old ? link : rt_ice_find_link(ice->old, socket, from);
}

bool rt_ice_knows(const rt_ice *ice, uint16_t socket, const rt_addr *from)
{
    return find_known(ice, socket, from) != NULL;
}

void rt_ice_count_data(rt_ice *ice, uint16_t socket, const rt_addr *remote, bool sent, uint32_t packets, size_t bytes,
                       rt_time now)
{
    rt_ice_link *link = find_known(ice, socket, remote);
    if (!link)
        return;
    if (sent) {
        link->stats.packets_sent += packets;
        link->stats.bytes_sent += bytes;
        link->stats.last_packet_sent = now;
        return;
    }
    link->stats.packets_received += packets;
    link->stats.bytes_received += bytes;
    link->stats.last_packet_received = link->last_heard = now;
    if (ice->state == RT_ICE_DISCONNECTED)
        rt_ice_update(ice, now);
}

rt_ice_state rt_ice_get_state(const rt_ice *ice)
{
    return ice->state;
}

rt_ice_gathering rt_ice_get_gathering(const rt_ice *ice)
{
    return ice->now->gathering;
}

/* Gathering begins, candidates in between, errors, then it completes: in this order. */
static bool gathering_event(rt_ice *ice, rt_ice_event *out)
{
    rt_ice_session *session = ice->now;
    if (session->gathering_told == RT_ICE_GATHER_NEW && session->gathering != RT_ICE_GATHER_NEW) {
        session->gathering_told = out->gathering = RT_ICE_GATHERING;
        out->type = RT_ICE_EVENT_GATHERING;
        return true;
    }
    while (session->local_announced < session->local_count) {
        const rt_ice_candidate *local = &session->locals[session->local_announced++];
        if (local->type == RT_ICE_PRFLX)
            continue; /* the peer knows it: it has seen it */
        out->type = RT_ICE_EVENT_CANDIDATE;
        out->candidate = *local;
        return true;
    }
    if (rt_ice_server_event(ice, out))
        return true;
    if (session->gathering_told != session->gathering) {
        session->gathering_told = out->gathering = session->gathering;
        out->type = RT_ICE_EVENT_GATHERING;
        return true;
    }
    return false;
}

bool rt_ice_event_next(rt_ice *ice, rt_ice_event *out)
{
    *out = (rt_ice_event){0};
    if (gathering_event(ice, out))
        return true;
    if (ice->role_changed) {
        ice->role_changed = false;
        out->type = RT_ICE_EVENT_ROLE;
        return true;
    }
    if (ice->path_changed) {
        ice->path_changed = false;
        out->type = RT_ICE_EVENT_SELECTED;
        return true;
    }
    if (ice->state_count) {
        out->type = RT_ICE_EVENT_STATE;
        out->state = ice->states[ice->state_first];
        ice->state_first = (ice->state_first + 1) % MAX_STATES;
        ice->state_count--;
        return true;
    }
    return false;
}
