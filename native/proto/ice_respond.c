#include "proto/ice_internal.h"

#include <stdio.h>

void rt_ice_drop_replies(rt_ice *ice, const rt_ice_session *session, const rt_ice_link *link)
{
    for (uint32_t i = 0; i < ice->reply_count; i++) {
        rt_ice_reply *reply = &ice->replies[(ice->reply_first + i) % MAX_REPLIES];
        if (session && reply->session == session) {
            reply->to.family = 0; /* skipped when its turn comes */
            reply->link = NULL;
        }
        if (link && reply->link == link)
            reply->link = NULL;
    }
}

static rt_ice_reply *queue_reply(rt_ice *ice, uint16_t socket, const rt_addr *to, const rt_stun *stun, uint16_t code)
{
    if (ice->reply_count == MAX_REPLIES)
        return NULL;
    rt_ice_reply *reply = &ice->replies[(ice->reply_first + ice->reply_count++) % MAX_REPLIES];
    *reply = (rt_ice_reply){.to = *to, .socket = socket, .code = code, .hash = RT_SHA1};
    memcpy(reply->transaction, stun->transaction, RT_STUN_TRANSACTION);
    return reply;
}

static const char *reason(uint16_t code)
{
    switch (code) {
    case RT_STUN_BAD_REQUEST: return "Bad Request";
    case RT_STUN_UNAUTHENTICATED: return "Unauthenticated";
    case RT_STUN_UNKNOWN_ATTRIBUTE: return "Unknown Attribute";
    case RT_STUN_ROLE_CONFLICT: return "Role Conflict";
    }
    return "";
}

/* An error that cannot be signed (RFC 8489 section 9.1.3) goes to whoever claims to be the source: so never
 * more bytes than came in, and never so many that the peer's own requests find no room. */
static rt_status refuse_unsigned(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, uint16_t code)
{
    size_t size = RT_STUN_HEADER + 8 + strlen(reason(code)) + 3 + 8;
    ice->stats.unauthenticated++;
    if (size <= stun->message.size && ice->reply_count < MAX_REPLIES / 2)
        (void)queue_reply(ice, socket, from, stun, code);
    return RT_UNAUTHENTICATED;
}

static size_t write_reply(rt_ice_reply *reply, rt_buffer out)
{
    bool success = reply->code == 0;
    rt_writer w = rt_stun_begin(out, success ? RT_STUN_SUCCESS : RT_STUN_ERROR, RT_STUN_BINDING, reply->transaction);
    if (success)
        rt_stun_add_address(&w, RT_STUN_XOR_MAPPED_ADDRESS, &reply->to);
    else
        rt_stun_add_error(&w, reply->code, reason(reply->code));
    if (reply->unknown_count)
        rt_stun_add_unknown(&w, reply->unknown, reply->unknown_count);
    if (reply->session)
        rt_stun_sign(&w, reply->hash, rt_ice_session_key(reply->session, reply->hash));
    rt_stun_add_fingerprint(&w);
    return rt_stun_end(&w);
}

bool rt_ice_send_replies(rt_ice *ice, rt_batch *out, rt_time now)
{
    enum { ROOM = 192 };
    for (; ice->reply_count; ice->reply_count--, ice->reply_first = (ice->reply_first + 1) % MAX_REPLIES) {
        rt_ice_reply *reply = &ice->replies[ice->reply_first];
        if (reply->to.family == 0)
            continue;
        uint8_t *room = rt_batch_reserve(out, ROOM);
        if (!room)
            return false;
        size_t size = write_reply(reply, rt_buffer_of(room, ROOM));
        if (size == 0)
            continue; /* the MAC failed: as good as a lost packet */
        out->socket = reply->socket;
        out->to = reply->to;
        rt_batch_commit(out, size);
        if (reply->link) {
            reply->link->stats.responses_sent++;
            reply->link->stats.last_packet_sent = now;
        }
    }
    return true;
}

/* Which session a USERNAME ("ours:theirs") is for: both parts decide, then ours alone. */
static rt_ice_session *session_for(const rt_ice *ice, rt_span username)
{
    const uint8_t *colon = username.size ? memchr(username.data, ':', username.size) : NULL;
    if (!colon)
        return NULL;
    rt_span ours = rt_span_of(username.data, (size_t)(colon - username.data));
    rt_span theirs = rt_span_of(colon + 1, username.size - ours.size - 1);
    rt_ice_session *sessions[] = {ice->now, ice->old}, *found = NULL;
    for (int i = 0; i < 2 && sessions[i]; i++) {
        if (!rt_span_equal(ours, rt_span_text(sessions[i]->ufrag)))
            continue;
        if (sessions[i]->remote_ufrag && rt_span_equal(theirs, rt_span_text(sessions[i]->remote_ufrag)))
            return sessions[i];
        if (!found)
            found = sessions[i];
    }
    return found;
}

/* RFC 8445 section 7.3.1.1. False: we keep our role and the request is answered with 487. */
static bool settle_roles(rt_ice *ice, const rt_stun *stun)
{
    bool conflict = ice->controlling ? stun->has_controlling : stun->has_controlled;
    if (!conflict || ice->config.lite || ice->remote_lite)
        return true;
    bool keep = ice->controlling == (ice->tie_breaker >= stun->tie_breaker);
    if (keep)
        return false;
    rt_ice_switch_role(ice, !ice->controlling);
    return true;
}

/* The link that a request came in on; a source that was not signalled is a peer-reflexive candidate
 * (section 7.3.1.3). NULL when a limit forbids it. */
static rt_ice_link *link_of(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun)
{
    rt_ice_session *session = ice->now;
    rt_ice_link *link = rt_ice_find_link(session, socket, from);
    if (link)
        return link;
    int host = rt_ice_find_host(session, socket, from->family);
    if (host < 0 || from->port == 0)
        return NULL;
    int remote = rt_ice_find_remote(session, from, RT_ICE_UDP);
    if (remote < 0) {
        rt_ice_candidate candidate = {
            .address = *from,
            .type = RT_ICE_PRFLX,
            .priority = stun->has_priority ? stun->priority : rt_ice_priority(RT_ICE_PRFLX, 0),
        };
        snprintf(candidate.foundation, sizeof candidate.foundation, "prflx%u", ++ice->next_foundation);
        remote = rt_ice_store_remote(ice, &candidate);
    }
    return remote < 0 ? NULL : rt_ice_add_link(ice, (uint32_t)host, (uint32_t)remote, true);
}

/* A triggered check (section 7.3.1.4). One that is under way is sent again rather than replaced: that has
 * the same effect, and both answers count. */
static void trigger(rt_ice_link *link, rt_time now)
{
    if (link->stats.state == RT_ICE_PAIR_IN_PROGRESS && link->check.active) {
        link->check.tries = 0;
        link->check.due = rt_time_min(link->check.due, rt_time_max(now, rt_time_after(RESEND_MIN, link->check.sent)));
        return;
    }
    link->stats.state = RT_ICE_PAIR_WAITING;
    link->triggered = true;
}

static void take_authenticated(rt_ice *ice, rt_ice_link *link, const rt_stun *stun, rt_time now)
{
    bool nominated = stun->use_candidate && !ice->controlling;
    if (ice->failed)
        return;
    if (ice->config.lite) { /* it has no checks of its own: being reached is all the proof it gets */
        link->stats.state = RT_ICE_PAIR_SUCCEEDED;
        link->last_answer = now;
        ice->now->first_valid = rt_time_min(ice->now->first_valid, now);
        if (nominated)
            rt_ice_accept_nomination(ice, link, now);
        return;
    }
    if (link->stats.state == RT_ICE_PAIR_SUCCEEDED) {
        if (nominated)
            rt_ice_accept_nomination(ice, link, now);
        return;
    }
    link->wanted = link->wanted || nominated;
    if (!ice->now->selected || nominated)
        trigger(link, now);
}

rt_status rt_ice_take_request(rt_ice *ice, uint16_t socket, const rt_addr *from, const rt_stun *stun, rt_time now)
{
    if (stun->method != RT_STUN_BINDING) {
        ice->stats.unexpected++;
        return RT_UNEXPECTED;
    }
    if (!stun->username.data || (!stun->integrity && !stun->integrity256))
        return refuse_unsigned(ice, socket, from, stun, RT_STUN_BAD_REQUEST);
    rt_ice_session *session = session_for(ice, stun->username);
    if (!session)
        return refuse_unsigned(ice, socket, from, stun, RT_STUN_UNAUTHENTICATED);
    rt_hash hash = stun->integrity256 ? RT_SHA256 : RT_SHA1;
    rt_hmac *key = rt_ice_session_key(session, hash);
    if (!key)
        return RT_NO_MEMORY;
    if (rt_stun_verify(stun, hash, key) != RT_OK)
        return refuse_unsigned(ice, socket, from, stun, RT_STUN_UNAUTHENTICATED);

    rt_ice_reply *reply = queue_reply(ice, socket, from, stun, 0);
    if (!reply)
        return RT_AGAIN;
    reply->session = session;
    reply->hash = hash;
    if (stun->unknown_count) {
        reply->code = RT_STUN_UNKNOWN_ATTRIBUTE;
        reply->unknown_count = stun->unknown_count < RT_STUN_UNKNOWN_MAX ? stun->unknown_count : RT_STUN_UNKNOWN_MAX;
        memcpy(reply->unknown, stun->unknown, sizeof reply->unknown);
        return RT_UNSUPPORTED;
    }
    bool current = session == ice->now;
    if (current && !settle_roles(ice, stun)) {
        reply->code = RT_STUN_ROLE_CONFLICT;
        return RT_OK;
    }
    rt_ice_link *link = current ? link_of(ice, socket, from, stun) : rt_ice_find_link(session, socket, from);
    if (!link)
        return RT_OK;
    reply->link = link;
    link->stats.requests_received++;
    link->stats.last_packet_received = link->last_heard = now;
    if (current)
        take_authenticated(ice, link, stun, now);
    return RT_OK;
}
