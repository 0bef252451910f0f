#include "proto/ice_internal.h"

rt_ice_link *rt_ice_active(const rt_ice_session *session)
{
    return session->selected ? session->selected : rt_ice_best_valid(session);
}

/* A lite agent sends no consent checks; it counts the peer's, which come every 1.2 keepalives at the latest. */
static rt_time silent_since(const rt_ice *ice, const rt_ice_link *link)
{
    return ice->config.lite ? link->last_answer + ice->config.keepalive * 6 / 5 : link->first_unanswered;
}

/* Two lite agents: neither checks, the best pair is taken on trust (RFC 8445 section 6.1.1). */
static bool unchecked(const rt_ice *ice)
{
    return ice->config.lite && ice->remote_lite;
}

static rt_time disconnected_at(const rt_ice *ice, const rt_ice_link *link)
{
    rt_time since = unchecked(ice) ? RT_NEVER : silent_since(ice, link);
    return since == RT_NEVER ? RT_NEVER : rt_time_max(since, link->last_heard) + ice->config.disconnected_after;
}

static rt_time expires_at(const rt_ice *ice, const rt_ice_link *link)
{
    return unchecked(ice) ? RT_NEVER : link->last_answer + ice->config.failed_after;
}

static void expire_link(rt_ice *ice, rt_ice_session *session, rt_ice_link *link, rt_time now)
{
    bool current = session == ice->now;
    if (current && link->check.active && !link->nominating && link->check.due <= now &&
        link->check.tries >= MAX_TRIES) {
        link->check.active = link->wanted = false;
        if (link->stats.state == RT_ICE_PAIR_IN_PROGRESS)
            link->stats.state = RT_ICE_PAIR_FAILED;
    }
    if (link->stats.state != RT_ICE_PAIR_SUCCEEDED)
        return;
    if (now >= expires_at(ice, link)) {
        /* Consent is lost (RFC 7675 section 5.1), or, on a link that was not used, was never renewed. */
        link->stats.state = RT_ICE_PAIR_FAILED;
        link->check.active = link->nominating = false;
        link->consent_due = RT_NEVER;
        if (current && link == session->selected)
            ice->failed = true;
        else if (link == session->selected)
            session->selected = NULL;
    }
    if (link->nominating && now - link->check.begun >= NOMINATION_PATIENCE) {
        /* It worked before and does not now: another valid link, if there is one, may do better. */
        link->stats.state = RT_ICE_PAIR_FAILED;
        if (rt_ice_best_valid(session)) {
            link->nominating = link->check.active = false;
            link->triggered = true;
        } else {
            link->stats.state = RT_ICE_PAIR_SUCCEEDED;
            link->check.begun = now;
        }
    }
}

void rt_ice_expire_links(rt_ice *ice, rt_time now)
{
    rt_ice_session *sessions[] = {ice->now, ice->old};
    for (int s = 0; s < 2 && sessions[s]; s++) {
        for (uint32_t i = 0; i < sessions[s]->link_count; i++)
            expire_link(ice, sessions[s], sessions[s]->links[i], now);
    }
}

static bool unresolved(const rt_ice_link *link)
{
    return link->stats.state == RT_ICE_PAIR_FROZEN || link->stats.state == RT_ICE_PAIR_WAITING ||
           link->stats.state == RT_ICE_PAIR_IN_PROGRESS;
}

static bool better_unresolved(const rt_ice_session *session, const rt_ice_link *best)
{
    for (uint32_t i = 0; i < session->link_count; i++) {
        const rt_ice_link *link = session->links[i];
        if (unresolved(link) && link->stats.priority > best->stats.priority)
            return true;
    }
    return false;
}

static bool nominating(const rt_ice_session *session)
{
    for (uint32_t i = 0; i < session->link_count; i++) {
        if (session->links[i]->nominating)
            return true;
    }
    return false;
}

/* Regular nomination (RFC 8445 section 8.1.1): the best valid link, at once when nothing better can come
 * of the checks or when it is direct, else after a short wait. Data flows on it meanwhile. */
static void consider_nomination(rt_ice *ice, rt_time now, rt_time *deadline)
{
    rt_ice_session *session = ice->now;
    if (!ice->controlling || session->selected || !rt_ice_may_check(ice, session))
        return;
    rt_ice_link *best = rt_ice_best_valid(session);
    if (!best || nominating(session))
        return;
    bool direct = session->locals[best->stats.local].type == RT_ICE_HOST &&
                  session->remotes[best->stats.remote].type == RT_ICE_HOST;
    rt_time settled = session->first_valid + SETTLE;
    if (direct || now >= settled || !better_unresolved(session, best))
        rt_ice_nominate(ice, best, now);
    else
        *deadline = rt_time_min(*deadline, settled);
}

static void select_unchecked(rt_ice *ice, rt_time now)
{
    rt_ice_session *session = ice->now;
    rt_ice_link *best = NULL;
    for (uint32_t i = 0; i < session->link_count && session->remote_ufrag; i++) {
        if (!best || session->links[i]->stats.priority > best->stats.priority)
            best = session->links[i];
    }
    if (!best || best == session->selected)
        return;
    best->stats.state = RT_ICE_PAIR_SUCCEEDED;
    rt_ice_accept_nomination(ice, best, now);
}

/* The next consent check of the link that data uses; none for the others. */
static void schedule_consent(rt_ice *ice, rt_ice_session *session, rt_ice_link *active, rt_time now)
{
    for (uint32_t i = 0; i < session->link_count; i++) {
        rt_ice_link *link = session->links[i];
        if (link != active || ice->config.lite)
            link->consent_due = RT_NEVER;
        else if (link->consent_due == RT_NEVER || link->consent_due == 0)
            link->consent_due = now + ice->config.keepalive / 1000 * (800 + rt_random_below(ice->config.random, 401));
    }
}

static rt_ice_link *find_path(rt_ice *ice, rt_time now)
{
    rt_ice_link *path = ice->failed ? NULL : rt_ice_active(ice->now);
    schedule_consent(ice, ice->now, path, now);
    if (ice->old) {
        bool replaced = ice->now->selected != NULL || ice->failed;
        rt_ice_link *last = replaced ? NULL : rt_ice_active(ice->old);
        schedule_consent(ice, ice->old, last, now);
        if (!path)
            path = last;
    }
    return path;
}

/* Nothing is left that could connect us, and patience is over (RFC 8863). */
static rt_time gives_up_at(const rt_ice *ice)
{
    const rt_ice_session *session = ice->now;
    rt_time patience = ice->config.lite ? ice->config.failed_after : ice->config.no_candidates_after;
    bool ended = session->remote_ended && session->gathering == RT_ICE_GATHER_COMPLETE;
    if (ended || ice->config.lite)
        return rt_time_max(session->begun + patience, session->last_busy);
    return session->last_busy + patience;
}

static rt_ice_state find_state(rt_ice *ice, rt_time now, rt_time *deadline)
{
    rt_ice_session *session = ice->now;
    if (ice->failed)
        return RT_ICE_FAILED;
    rt_ice_link *active = rt_ice_active(session);
    if (active) {
        session->last_busy = now;
        rt_time silent = disconnected_at(ice, active);
        if (silent <= now)
            return RT_ICE_DISCONNECTED;
        *deadline = rt_time_min(*deadline, silent);
        bool completed = session->selected && session->remote_ended && session->gathering == RT_ICE_GATHER_COMPLETE;
        return completed ? RT_ICE_COMPLETED : RT_ICE_CONNECTED;
    }
    if (ice->path) { /* of the session before the restart */
        rt_time silent = disconnected_at(ice, ice->path);
        if (silent > now) {
            *deadline = rt_time_min(*deadline, silent);
            return RT_ICE_CONNECTED;
        }
        return RT_ICE_CHECKING;
    }
    if (!session->remote_ufrag)
        return ice->begun ? RT_ICE_CHECKING : RT_ICE_NEW;
    for (uint32_t i = 0; i < session->link_count && !ice->config.lite; i++) {
        if (unresolved(session->links[i])) {
            session->last_busy = now;
            return RT_ICE_CHECKING;
        }
    }
    rt_time end = gives_up_at(ice);
    if (end <= now)
        return RT_ICE_FAILED;
    *deadline = rt_time_min(*deadline, end);
    return RT_ICE_CHECKING;
}

static void tell_state(rt_ice *ice, rt_ice_state state)
{
    if (state == ice->state)
        return;
    ice->state = state;
    if (ice->state_count == MAX_STATES) {
        ice->state_first = (ice->state_first + 1) % MAX_STATES;
        ice->state_count--;
    }
    ice->states[(ice->state_first + ice->state_count++) % MAX_STATES] = state;
}

static rt_time link_deadline(const rt_ice *ice, const rt_ice_link *link, bool may_check)
{
    rt_time deadline = link->consent_due;
    if (link->consent_due != RT_NEVER || (ice->config.lite && link->stats.state == RT_ICE_PAIR_SUCCEEDED))
        deadline = rt_time_min(deadline, expires_at(ice, link));
    if (!may_check)
        return deadline;
    if (link->triggered)
        return 0;
    if (link->check.active)
        deadline = rt_time_min(deadline, link->check.due);
    if (link->nominating)
        deadline = rt_time_min(deadline, link->check.begun + NOMINATION_PATIENCE);
    return deadline;
}

static rt_time find_deadline(rt_ice *ice)
{
    rt_time deadline = rt_ice_query_deadline(ice);
    rt_ice_session *sessions[] = {ice->now, ice->old};
    if (ice->reply_count)
        return 0;
    for (int s = 0; s < 2 && sessions[s]; s++) {
        bool may_check = rt_ice_may_check(ice, sessions[s]);
        for (uint32_t i = 0; i < sessions[s]->link_count; i++)
            deadline = rt_time_min(deadline, link_deadline(ice, sessions[s]->links[i], may_check));
        if (may_check && !sessions[s]->selected && rt_ice_next_link(sessions[s]))
            deadline = rt_time_min(deadline, rt_ice_pace_due(ice));
    }
    return deadline;
}

void rt_ice_update(rt_ice *ice, rt_time now)
{
    rt_time deadline = RT_NEVER;
    rt_ice_update_gathering(ice);
    consider_nomination(ice, now, &deadline);
    if (unchecked(ice))
        select_unchecked(ice, now);
    rt_ice_link *path = find_path(ice, now);
    if (path != ice->path) {
        ice->path = path;
        ice->path_changed = true;
    }
    tell_state(ice, find_state(ice, now, &deadline));
    ice->deadline = rt_time_min(deadline, find_deadline(ice));
}
