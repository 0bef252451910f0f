#include "proto/ice_internal.h"

bool rt_ice_may_check(const rt_ice *ice, const rt_ice_session *session)
{
    return session == ice->now && session->remote_ufrag && !ice->config.lite && !ice->failed;
}

/* The pace is a virtual clock that each check advances by Ta; it may run ahead of the real one by a burst. */
rt_time rt_ice_pace_due(const rt_ice *ice)
{
    return ice->paced - (BURST - 1) * ice->config.pacing;
}

void rt_ice_pace(rt_ice *ice, rt_time now)
{
    ice->paced = rt_time_max(ice->paced, now) + ice->config.pacing;
}

static rt_time first_interval(const rt_ice *ice)
{
    if (ice->round_trip == 0)
        return ice->config.rto;
    return rt_time_min(ice->config.rto, rt_time_max(2 * ice->round_trip, RETRY_MIN));
}

void rt_ice_begin_exchange(rt_ice *ice, rt_ice_exchange *exchange, rt_time now)
{
    *exchange = (rt_ice_exchange){
        .active = true,
        .controlling = ice->controlling,
        .begun = now,
        .sent = RT_NEVER,
        .due = now,
        .interval = first_interval(ice),
    };
    rt_random_fill(ice->config.random, exchange->id, sizeof exchange->id);
}

void rt_ice_count_try(rt_ice_exchange *exchange, rt_time now)
{
    exchange->repeated = exchange->sent != RT_NEVER;
    if (exchange->tries < UINT8_MAX)
        exchange->tries++;
    exchange->sent = now;
    exchange->due = now + exchange->interval;
    exchange->interval = rt_time_max(exchange->interval, rt_time_min(2 * exchange->interval, RETRY_MAX));
}

/* The exchange is replaced before its answer came; the answer may still come. */
static void give_up_exchange(rt_ice_link *link, const rt_ice_exchange *exchange)
{
    if (!exchange->active)
        return;
    memcpy(link->earlier[1], link->earlier[0], RT_STUN_TRANSACTION);
    memcpy(link->earlier[0], exchange->id, RT_STUN_TRANSACTION);
    if (link->earlier_count < 2)
        link->earlier_count++;
}

void rt_ice_nominate(rt_ice *ice, rt_ice_link *link, rt_time now)
{
    give_up_exchange(link, &link->check);
    rt_ice_begin_exchange(ice, &link->check, now);
    link->check.use_candidate = link->nominating = true;
}

/* RFC 8445 section 8.1.2: the check list is done with; what is under way is not sent again. */
static void stop_other_checks(rt_ice *ice)
{
    rt_ice_session *session = ice->now;
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        if (link == session->selected)
            continue;
        give_up_exchange(link, &link->check);
        link->check.active = link->triggered = link->nominating = false;
        if (link->stats.state == RT_ICE_PAIR_IN_PROGRESS)
            link->stats.state = RT_ICE_PAIR_WAITING;
    }
}

static void select_link(rt_ice *ice, rt_ice_link *link)
{
    link->stats.nominated = true;
    link->nominating = link->wanted = false;
    if (ice->now->selected == link)
        return;
    ice->now->selected = link;
    ice->stats.selected_pair_changes++;
    stop_other_checks(ice);
}

/* A peer of RFC 5245 may nominate several (aggressive nomination): the best of them counts, unless the one
 * in use has stopped to answer. */
void rt_ice_accept_nomination(rt_ice *ice, rt_ice_link *link, rt_time now)
{
    const rt_ice_link *selected = ice->now->selected;
    link->wanted = false;
    if (selected && selected != link) {
        bool silent = selected->first_unanswered != RT_NEVER && now - selected->first_unanswered > RT_SECONDS(1);
        if (selected->stats.priority >= link->stats.priority && !silent)
            return;
    }
    select_link(ice, link);
}

void rt_ice_switch_role(rt_ice *ice, bool controlling)
{
    if (ice->controlling == controlling)
        return;
    ice->controlling = controlling;
    ice->role_changed = true;
    for (uint32_t i = 0; i < ice->now->link_count; i++) {
        rt_ice_link *link = ice->now->links[i];
        if (link->nominating)
            link->check.active = false;
        link->nominating = link->wanted = false;
    }
    rt_ice_rank_links(ice);
}

static size_t write_request(const rt_ice *ice, const rt_ice_session *session, const rt_ice_link *link,
                            const rt_ice_exchange *exchange, rt_buffer out)
{
    uint8_t username[2 * RT_ICE_UFRAG_MAX];
    rt_writer name = rt_writer_of(rt_buffer_of(username, sizeof username));
    rt_write_span(&name, rt_span_text(session->remote_ufrag));
    rt_write8(&name, ':');
    rt_write_span(&name, rt_span_text(session->ufrag));

    rt_writer w = rt_stun_begin(out, RT_STUN_REQUEST, RT_STUN_BINDING, exchange->id);
    rt_stun_add(&w, RT_STUN_USERNAME, rt_span_of(username, rt_writer_size(&name)));
    rt_stun_add32(&w, RT_STUN_PRIORITY, rt_ice_priority(RT_ICE_PRFLX, session->preferences[link->base]));
    rt_stun_add64(&w, exchange->controlling ? RT_STUN_ICE_CONTROLLING : RT_STUN_ICE_CONTROLLED, ice->tie_breaker);
    if (exchange->use_candidate)
        rt_stun_add(&w, RT_STUN_USE_CANDIDATE, (rt_span){0});
    rt_stun_sign(&w, RT_SHA1, session->remote_sha1);
    rt_stun_add_fingerprint(&w);
    return rt_stun_end(&w);
}

static bool send_request(rt_ice *ice, const rt_ice_session *session, rt_ice_link *link, rt_ice_exchange *exchange,
                         rt_batch *out, rt_time now)
{
    enum { ROOM = 640 }; /* both user name fragments at their longest take 513 of it */
    uint8_t *room = rt_batch_reserve(out, ROOM);
    if (!room)
        return false;
    size_t size = write_request(ice, session, link, exchange, rt_buffer_of(room, ROOM));
    rt_ice_count_try(exchange, now);
    if (size == 0)
        return true; /* the MAC failed: as good as a lost packet */
    out->socket = link->socket;
    out->to = link->remote;
    rt_batch_commit(out, size);
    link->stats.requests_sent++;
    link->stats.last_packet_sent = now;
    return true;
}

/* One check of a link, a new exchange unless one is under way in the same role. */
static bool send_check(rt_ice *ice, rt_ice_link *link, rt_batch *out, rt_time now)
{
    rt_ice_exchange *check = &link->check;
    if (!check->active || check->controlling != ice->controlling) {
        give_up_exchange(link, check);
        rt_ice_begin_exchange(ice, check, now);
        check->use_candidate = link->nominating;
    }
    if (!send_request(ice, ice->now, link, check, out, now))
        return false;
    link->triggered = false;
    if (link->stats.state != RT_ICE_PAIR_SUCCEEDED)
        link->stats.state = RT_ICE_PAIR_IN_PROGRESS;
    return true;
}

/* Consent (RFC 7675 section 5.1): each check is a new transaction; while it is not answered it is sent
 * again as any STUN request is. It repeats the nomination, for a peer that has not taken it in. */
static bool send_consent(rt_ice *ice, const rt_ice_session *session, rt_ice_link *link, rt_batch *out, rt_time now)
{
    rt_ice_exchange *consent = &link->consent;
    if (!consent->active || now - consent->begun >= ice->config.keepalive * 4 / 5) {
        rt_time interval = consent->active ? consent->interval : 0;
        give_up_exchange(link, consent);
        rt_ice_begin_exchange(ice, consent, now);
        consent->interval = rt_time_max(interval, ice->config.rto);
        consent->use_candidate = link == ice->now->selected && ice->controlling;
    }
    if (!send_request(ice, session, link, consent, out, now))
        return false;
    link->stats.consent_requests_sent++;
    link->consent_due = consent->due;
    if (link->first_unanswered == RT_NEVER)
        link->first_unanswered = now;
    return true;
}

static bool send_consents(rt_ice *ice, rt_ice_session *session, rt_batch *out, rt_time now)
{
    for (uint32_t i = 0; session && i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        if (link->consent_due <= now && !send_consent(ice, session, link, out, now))
            return false;
    }
    return true;
}

bool rt_ice_send_checks(rt_ice *ice, rt_batch *out, rt_time now)
{
    rt_ice_session *session = ice->now;
    if (!send_consents(ice, ice->old, out, now) || !send_consents(ice, session, out, now))
        return false;
    if (!rt_ice_may_check(ice, session))
        return true;
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        bool again =
            link->check.active && link->check.due <= now && (link->nominating || link->check.tries < MAX_TRIES);
        if (link->triggered && !link->check.active)
            rt_ice_pace(ice, now); /* does not wait for its turn, but takes one */
        if ((link->triggered || again) && !send_check(ice, link, out, now))
            return false;
    }
    while (!session->selected && rt_ice_pace_due(ice) <= now) {
        rt_ice_link *link = rt_ice_next_link(session);
        if (!link)
            break;
        if (!send_check(ice, link, out, now))
            return false;
        rt_ice_pace(ice, now);
    }
    return true;
}

static rt_ice_exchange *find_exchange(rt_ice_link *link, const uint8_t *id, bool *earlier)
{
    *earlier = false;
    if (link->check.active && memcmp(link->check.id, id, RT_STUN_TRANSACTION) == 0)
        return &link->check;
    if (link->consent.active && memcmp(link->consent.id, id, RT_STUN_TRANSACTION) == 0)
        return &link->consent;
    for (int i = 0; i < link->earlier_count; i++)
        *earlier = *earlier || memcmp(link->earlier[i], id, RT_STUN_TRANSACTION) == 0;
    return NULL;
}

static rt_ice_link *find_asked(rt_ice *ice, const uint8_t *id, rt_ice_session **session, rt_ice_exchange **exchange)
{
    rt_ice_session *sessions[] = {ice->now, ice->old};
    for (int s = 0; s < 2 && sessions[s]; s++) {
        for (uint32_t i = 0; i < sessions[s]->link_count; i++) {
            bool earlier;
            *exchange = find_exchange(sessions[s]->links[i], id, &earlier);
            if (*exchange || earlier) {
                *session = sessions[s];
                return sessions[s]->links[i];
            }
        }
    }
    return NULL;
}

static void measure(rt_ice *ice, rt_ice_link *link, const rt_ice_exchange *exchange, rt_time now)
{
    if (exchange->repeated)
        return;
    rt_time sample = rt_time_max(now - exchange->sent, 1);
    link->stats.current_round_trip = sample;
    link->stats.total_round_trip += sample;
    ice->round_trip = ice->round_trip ? (7 * ice->round_trip + sample) / 8 : sample;
}

/* The address that the peer sees us with (section 7.2.5.3.1): a local candidate that we know, or a new
 * peer-reflexive one. FFmpeg's answers do not say it: then the address that we sent from. */
static uint32_t mapped_local(rt_ice *ice, const rt_ice_link *link, const rt_addr *mapped)
{
    rt_ice_session *session = ice->now;
    const rt_ice_candidate *base = &session->locals[link->base];
    if (mapped->family == 0)
        return link->base;
    int found = rt_ice_find_local(session, mapped, link->socket);
    if (found >= 0)
        return (uint32_t)found;
    rt_ice_candidate local = {
        .address = *mapped,
        .related = base->address,
        .priority = rt_ice_priority(RT_ICE_PRFLX, session->preferences[link->base]),
        .type = RT_ICE_PRFLX,
        .socket = link->socket,
    };
    rt_ice_number_foundation(ice, &local);
    found = rt_ice_add_local(ice, &local, session->preferences[link->base]);
    return found >= 0 ? (uint32_t)found : link->base;
}

static void succeed(rt_ice *ice, rt_ice_link *link, const rt_stun *stun, rt_time now)
{
    rt_ice_session *session = ice->now;
    link->stats.local = mapped_local(ice, link, &stun->mapped);
    link->triggered = false;
    if (!link->nominating)
        link->check.active = false;
    if (link->stats.state == RT_ICE_PAIR_SUCCEEDED)
        return;
    link->stats.state = RT_ICE_PAIR_SUCCEEDED;
    if (session->first_valid == RT_NEVER)
        session->first_valid = now;
    rt_ice_thaw_like(session, link);
}

static void fail(rt_ice *ice, rt_ice_link *link)
{
    link->check.active = link->nominating = link->wanted = false;
    link->stats.state = RT_ICE_PAIR_FAILED;
    if (link == ice->now->selected)
        ice->failed = true; /* the peer withdrew its consent */
}

static rt_status take_error(rt_ice *ice, rt_ice_session *session, rt_ice_link *link, rt_ice_exchange *exchange,
                            const rt_stun *stun)
{
    if (!exchange)
        return RT_OK;
    exchange->active = false;
    if (stun->error == RT_STUN_ROLE_CONFLICT && session == ice->now) {
        /* Section 7.2.5.1: the other role, unless we have it by now, and the check again. */
        if (exchange->controlling == ice->controlling && !ice->remote_lite)
            rt_ice_switch_role(ice, !ice->controlling);
        link->triggered = true;
        if (link->stats.state == RT_ICE_PAIR_IN_PROGRESS)
            link->stats.state = RT_ICE_PAIR_WAITING;
        return RT_OK;
    }
    if (exchange == &link->check && session == ice->now)
        fail(ice, link);
    else if (stun->error == RT_STUN_FORBIDDEN && session == ice->now)
        fail(ice, link); /* RFC 7675 section 5.1 */
    else
        exchange->active = true; /* an odd answer to a consent check is none */
    return RT_OK;
}

rt_status rt_ice_take_answer(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, rt_time now)
{
    rt_ice_session *session;
    rt_ice_exchange *exchange;
    rt_ice_link *link = find_asked(ice, stun->transaction, &session, &exchange);
    if (!link || !session->remote_sha1) {
        ice->stats.unexpected++;
        return RT_UNEXPECTED;
    }
    if (rt_stun_verify(stun, RT_SHA1, session->remote_sha1) != RT_OK) {
        ice->stats.unauthenticated++;
        return RT_UNAUTHENTICATED;
    }
    if (stun->unknown_count) {
        ice->stats.malformed++;
        return RT_MALFORMED;
    }
    link->stats.responses_received++;
    link->stats.last_packet_received = link->last_heard = now;
    if (stun->class == RT_STUN_ERROR)
        return take_error(ice, session, link, exchange, stun);
    if (link->socket != socket || !rt_addr_equal(&link->remote, from)) {
        /* Section 7.2.5.2.1: the path is not symmetric. */
        if (session == ice->now && link->stats.state == RT_ICE_PAIR_IN_PROGRESS)
            fail(ice, link);
        return RT_UNEXPECTED;
    }
    link->last_answer = now;
    link->first_unanswered = RT_NEVER;
    if (link->consent_due != RT_NEVER)
        link->consent_due = 0; /* to be drawn anew */
    bool nominated = exchange == &link->check && exchange->use_candidate && exchange->controlling && ice->controlling;
    if (exchange) {
        measure(ice, link, exchange, now);
        exchange->active = false;
    }
    if (session != ice->now)
        return RT_OK;
    succeed(ice, link, stun, now);
    if (nominated)
        select_link(ice, link);
    else if (link->wanted && !ice->controlling)
        rt_ice_accept_nomination(ice, link, now);
    return RT_OK;
}
