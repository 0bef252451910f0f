#include "proto/ice_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* RFC 8445 section 5.1.2.1, component 1. */
uint32_t rt_ice_priority(rt_ice_type type, uint16_t preference)
{
    static const uint8_t types[] = {
        [RT_ICE_HOST] = 126, [RT_ICE_SRFLX] = 100, [RT_ICE_PRFLX] = 110, [RT_ICE_RELAY] = 0};
    return (uint32_t)types[type] << 24 | (uint32_t)preference << 8 | 255;
}

/* RFC 8445 section 6.1.2.3: G is the controlling agent's candidate, D the controlled one's. */
uint64_t rt_ice_pair_priority(bool controlling, uint32_t local, uint32_t remote)
{
    uint64_t g = controlling ? local : remote, d = controlling ? remote : local;
    return ((g < d ? g : d) << 32) + 2 * (g > d ? g : d) + (g > d);
}

/* Room for one more element; doubles from four. */
static void *grow(void *array, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return array;
    uint32_t more = *room < 4 ? 4 : 2 * *room;
    void *grown = realloc(array, more * size);
    if (grown)
        *room = more;
    return grown;
}

int rt_ice_find_local(const rt_ice_session *session, const rt_addr *address, uint16_t socket)
{
    for (uint32_t i = 0; i < session->local_count; i++) {
        if (session->locals[i].socket == socket && rt_addr_equal(&session->locals[i].address, address))
            return (int)i;
    }
    return -1;
}

int rt_ice_find_host(const rt_ice_session *session, uint16_t socket, uint8_t family)
{
    for (uint32_t i = 0; i < session->local_count; i++) {
        const rt_ice_candidate *local = &session->locals[i];
        if (local->type == RT_ICE_HOST && local->socket == socket && local->address.family == family)
            return (int)i;
    }
    return -1;
}

int rt_ice_find_remote(const rt_ice_session *session, const rt_addr *address, rt_ice_transport transport)
{
    for (uint32_t i = 0; i < session->remote_count; i++) {
        if (session->remotes[i].transport == transport && rt_addr_equal(&session->remotes[i].address, address))
            return (int)i;
    }
    return -1;
}

/* The same for candidates of one type, base address and server (section 5.1.1.3), else a new number. */
void rt_ice_number_foundation(rt_ice *ice, rt_ice_candidate *candidate)
{
    const rt_ice_session *session = ice->now;
    const rt_addr *base = candidate->type == RT_ICE_HOST ? &candidate->address : &candidate->related;
    for (uint32_t i = 0; i < session->local_count; i++) {
        const rt_ice_candidate *other = &session->locals[i];
        const rt_addr *other_base = other->type == RT_ICE_HOST ? &other->address : &other->related;
        if (other->type == candidate->type && rt_addr_same_ip(base, other_base) && other->server == candidate->server) {
            memcpy(candidate->foundation, other->foundation, sizeof candidate->foundation);
            return;
        }
    }
    snprintf(candidate->foundation, sizeof candidate->foundation, "%u", ++ice->next_foundation);
}

int rt_ice_add_local(rt_ice *ice, const rt_ice_candidate *candidate, uint16_t preference)
{
    rt_ice_session *session = ice->now;
    if (session->local_count == MAX_LOCALS)
        return -1;
    uint32_t room = session->local_room;
    rt_ice_candidate *locals = grow(session->locals, session->local_count, &room, sizeof *locals);
    if (!locals)
        return -1;
    session->locals = locals;
    uint16_t *preferences = realloc(session->preferences, room * sizeof *preferences);
    if (!preferences)
        return -1;
    session->preferences = preferences;
    session->local_room = room;
    session->locals[session->local_count] = *candidate;
    session->preferences[session->local_count] = preference;
    return (int)session->local_count++;
}

int rt_ice_store_remote(rt_ice *ice, const rt_ice_candidate *candidate)
{
    rt_ice_session *session = ice->now;
    if (session->remote_count >= ice->config.max_remote_candidates) {
        ice->stats.candidates_refused++;
        return -1;
    }
    rt_ice_candidate *remotes = grow(session->remotes, session->remote_count, &session->remote_room, sizeof *remotes);
    if (!remotes)
        return -1;
    session->remotes = remotes;
    remotes[session->remote_count] = *candidate;
    return (int)session->remote_count++;
}

rt_ice_link *rt_ice_find_link(const rt_ice_session *session, uint16_t socket, const rt_addr *remote)
{
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        if (link->socket == socket && rt_addr_equal(&link->remote, remote))
            return link;
    }
    return NULL;
}

void rt_ice_group_link(rt_ice *ice, rt_ice_link *link)
{
    const rt_ice_session *session = ice->now;
    const char *local = session->locals[link->base].foundation,
               *remote = session->remotes[link->stats.remote].foundation;
    for (uint32_t i = 0; i < session->link_count; i++) {
        const rt_ice_link *other = session->links[i];
        if (other != link && strcmp(session->locals[other->base].foundation, local) == 0 &&
            strcmp(session->remotes[other->stats.remote].foundation, remote) == 0) {
            link->foundation = other->foundation;
            return;
        }
    }
    link->foundation = ++ice->next_link_foundation;
}

void rt_ice_thaw_like(rt_ice_session *session, const rt_ice_link *link)
{
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *other = session->links[i];
        if (other->stats.state == RT_ICE_PAIR_FROZEN && other->foundation == link->foundation)
            other->stats.state = RT_ICE_PAIR_WAITING;
    }
}

/* State of a new link (RFC 8838 section 12): frozen while another of its foundation is being checked. */
static rt_ice_pair_state first_state(const rt_ice_session *session, const rt_ice_link *link)
{
    rt_ice_pair_state state = RT_ICE_PAIR_WAITING;
    for (uint32_t i = 0; i < session->link_count; i++) {
        const rt_ice_link *other = session->links[i];
        if (other->foundation != link->foundation)
            continue;
        if (other->stats.state == RT_ICE_PAIR_SUCCEEDED)
            return RT_ICE_PAIR_WAITING;
        if (other->stats.state == RT_ICE_PAIR_WAITING || other->stats.state == RT_ICE_PAIR_IN_PROGRESS)
            state = RT_ICE_PAIR_FROZEN;
    }
    return state;
}

/* A foundation is busy until the first request of its link in progress had time to be answered. */
static bool foundation_busy(const rt_ice_session *session, const rt_ice_link *link)
{
    for (uint32_t i = 0; i < session->link_count; i++) {
        const rt_ice_link *other = session->links[i];
        if (other->stats.state == RT_ICE_PAIR_IN_PROGRESS && other->check.tries < 2 &&
            other->foundation == link->foundation)
            return true;
    }
    return false;
}

rt_ice_link *rt_ice_next_link(rt_ice_session *session)
{
    rt_ice_link *waiting = NULL, *frozen = NULL;
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        if (link->stats.state == RT_ICE_PAIR_WAITING) {
            if (!waiting || link->stats.priority > waiting->stats.priority)
                waiting = link;
        } else if (link->stats.state == RT_ICE_PAIR_FROZEN && !waiting) {
            if ((!frozen || link->stats.priority > frozen->stats.priority) && !foundation_busy(session, link))
                frozen = link;
        }
    }
    return waiting ? waiting : frozen;
}

rt_ice_link *rt_ice_best_valid(const rt_ice_session *session)
{
    rt_ice_link *best = NULL;
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        if (link->stats.state == RT_ICE_PAIR_SUCCEEDED && (!best || link->stats.priority > best->stats.priority))
            best = link;
    }
    return best;
}

void rt_ice_rank_links(rt_ice *ice)
{
    rt_ice_session *session = ice->now;
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        link->stats.priority = rt_ice_pair_priority(ice->controlling, session->locals[link->base].priority,
                                                    session->remotes[link->stats.remote].priority);
    }
}

/* Section 6.1.2.2, and what cannot work: link-local pairs with link-local (IPv6), loopback only with itself. */
static bool can_pair(const rt_ice_candidate *local, const rt_ice_candidate *remote)
{
    if (local->type != RT_ICE_HOST || remote->transport != RT_ICE_UDP ||
        local->address.family != remote->address.family)
        return false;
    if (local->address.family == 6 && rt_addr_is_link_local(&local->address) != rt_addr_is_link_local(&remote->address))
        return false;
    return !rt_addr_is_loopback(&local->address) || rt_addr_is_loopback(&remote->address);
}

/* When the list is full, the lowest link that is not yet checked gives way to a better one. */
static bool make_room(rt_ice *ice, uint64_t priority)
{
    rt_ice_session *session = ice->now;
    if (session->link_count < ice->config.max_pairs)
        return true;
    uint32_t lowest = session->link_count;
    for (uint32_t i = 0; i < session->link_count; i++) {
        const rt_ice_link *link = session->links[i];
        if (link->stats.state == RT_ICE_PAIR_SUCCEEDED || link->check.active || link == session->selected)
            continue;
        if (lowest == session->link_count || link->stats.priority < session->links[lowest]->stats.priority)
            lowest = i;
    }
    ice->stats.candidates_refused++;
    if (lowest == session->link_count || session->links[lowest]->stats.priority >= priority)
        return false;
    rt_ice_drop_replies(ice, NULL, session->links[lowest]);
    free(session->links[lowest]);
    session->links[lowest] = session->links[--session->link_count];
    return true;
}

rt_ice_link *rt_ice_add_link(rt_ice *ice, uint32_t base, uint32_t remote, bool works)
{
    rt_ice_session *session = ice->now;
    const rt_ice_candidate *local = &session->locals[base], *other = &session->remotes[remote];
    if (!works && !can_pair(local, other))
        return NULL;
    rt_addr to = other->address;
    if (to.scope == 0 && rt_addr_is_link_local(&to))
        to.scope = local->address.scope; /* signalled without a zone: ours */
    rt_ice_link *link = rt_ice_find_link(session, local->socket, &to);
    if (link)
        return link;
    uint64_t priority = rt_ice_pair_priority(ice->controlling, local->priority, other->priority);
    if (!make_room(ice, priority))
        return NULL;
    rt_ice_link **links = grow(session->links, session->link_count, &session->link_room, sizeof *links);
    if (!links)
        return NULL;
    session->links = links;
    link = malloc(sizeof *link);
    if (!link)
        return NULL;
    *link = (rt_ice_link){
        .stats = {.id = ++ice->next_link,
                  .local = base,
                  .remote = remote,
                  .priority = priority,
                  .last_packet_sent = RT_NEVER,
                  .last_packet_received = RT_NEVER},
        .remote = to,
        .socket = local->socket,
        .base = (uint16_t)base,
        .consent_due = RT_NEVER,
        .first_unanswered = RT_NEVER,
    };
    rt_ice_group_link(ice, link);
    link->stats.state = first_state(session, link);
    links[session->link_count++] = link;
    return link;
}

void rt_ice_pair_local(rt_ice *ice, uint32_t local)
{
    for (uint32_t i = 0; i < ice->now->remote_count; i++)
        (void)rt_ice_add_link(ice, local, i, false);
}

void rt_ice_pair_remote(rt_ice *ice, uint32_t remote)
{
    for (uint32_t i = 0; i < ice->now->local_count; i++)
        (void)rt_ice_add_link(ice, i, remote, false);
}
