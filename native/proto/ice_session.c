#include "proto/ice_internal.h"

#include <stdlib.h>

static char *copy_text(rt_span text)
{
    char *copy = malloc(text.size + 1);
    if (copy) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = 0;
    }
    return copy;
}

static void free_text(char *text)
{
    if (text)
        rt_wipe(text, strlen(text));
    free(text);
}

/* Without memory the session keeps what it has. */
static rt_status set_local(rt_ice_session *session, rt_span ufrag, rt_span pwd)
{
    char *new_ufrag = copy_text(ufrag), *new_pwd = copy_text(pwd);
    rt_hmac *hmac = rt_hmac_new(RT_SHA1, pwd);
    if (!new_ufrag || !new_pwd || !hmac) {
        free_text(new_ufrag);
        free_text(new_pwd);
        rt_hmac_free(hmac);
        return RT_NO_MEMORY;
    }
    free_text(session->ufrag);
    free_text(session->pwd);
    rt_hmac_free(session->local_sha1);
    rt_hmac_free(session->local_sha256); /* of the password before; made anew when it is used */
    session->local_sha256 = NULL;
    session->ufrag = new_ufrag;
    session->pwd = new_pwd;
    session->local_sha1 = hmac;
    return RT_OK;
}

static rt_ice_session *session_of(rt_span ufrag, rt_span pwd)
{
    rt_ice_session *session = calloc(1, sizeof *session);
    if (session && set_local(session, ufrag, pwd) != RT_OK) {
        free(session);
        return NULL;
    }
    if (session)
        session->first_valid = RT_NEVER;
    return session;
}

rt_ice_session *rt_ice_session_new(rt_ice *ice)
{
    char ufrag[UFRAG_SIZE + 1] = {0}, pwd[PWD_SIZE + 1] = {0};
    rt_random_text(ice->config.random, ufrag, UFRAG_SIZE);
    rt_random_text(ice->config.random, pwd, PWD_SIZE);
    rt_ice_session *session = session_of(rt_span_text(ufrag), rt_span_text(pwd));
    rt_wipe(pwd, sizeof pwd);
    return session;
}

void rt_ice_session_free(rt_ice *ice, rt_ice_session *session)
{
    if (!session)
        return;
    rt_ice_drop_replies(ice, session, NULL);
    for (uint32_t i = 0; i < session->link_count; i++) {
        if (ice->path == session->links[i])
            ice->path = NULL;
        free(session->links[i]);
    }
    rt_hmac_free(session->local_sha1);
    rt_hmac_free(session->local_sha256);
    rt_hmac_free(session->remote_sha1);
    free_text(session->ufrag);
    free_text(session->pwd);
    free_text(session->remote_ufrag);
    free_text(session->remote_pwd);
    free(session->locals);
    free(session->preferences);
    free(session->remotes);
    free(session->links);
    free(session->queries);
    rt_wipe(session, sizeof *session);
    free(session);
}

rt_status rt_ice_session_set_remote(rt_ice_session *session, rt_span ufrag, rt_span pwd)
{
    char *new_ufrag = copy_text(ufrag), *new_pwd = copy_text(pwd);
    rt_hmac *hmac = rt_hmac_new(RT_SHA1, pwd);
    if (!new_ufrag || !new_pwd || !hmac) {
        free(new_ufrag);
        free(new_pwd);
        rt_hmac_free(hmac);
        return RT_NO_MEMORY;
    }
    session->remote_ufrag = new_ufrag;
    session->remote_pwd = new_pwd;
    session->remote_sha1 = hmac;
    return RT_OK;
}

/* MESSAGE-INTEGRITY-SHA256 is rare: its context is made when the first peer asks for it. */
rt_hmac *rt_ice_session_key(rt_ice_session *session, rt_hash hash)
{
    if (hash == RT_SHA1)
        return session->local_sha1;
    if (!session->local_sha256)
        session->local_sha256 = rt_hmac_new(RT_SHA256, rt_span_text(session->pwd));
    return session->local_sha256;
}

/* `session` replaces the current one, which stays as the old one if data flows there. */
static void replace_session(rt_ice *ice, rt_ice_session *session)
{
    bool works = rt_ice_active(ice->now) && !ice->failed;
    if (works || ice->failed) {
        rt_ice_session_free(ice, ice->old);
        ice->old = NULL;
    }
    if (works)
        ice->old = ice->now;
    else
        rt_ice_session_free(ice, ice->now);
    ice->now = session;
    ice->failed = false;
}

static bool valid_text(rt_span text, size_t least, size_t most)
{
    if (text.size < least || text.size > most)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == ':')
            return false;
    }
    return true;
}

/* The peer restarted: the same local credentials and hosts, nothing of the old remote side. */
static rt_ice_session *session_for_restarted_peer(rt_ice *ice)
{
    const rt_ice_session *now = ice->now;
    rt_ice_session *session = session_of(rt_span_text(now->ufrag), rt_span_text(now->pwd));
    if (!session)
        return NULL;
    session->locals = calloc(now->local_count + 1, sizeof *session->locals);
    session->preferences = calloc(now->local_count + 1, sizeof *session->preferences);
    if (!session->locals || !session->preferences) {
        rt_ice_session_free(ice, session);
        return NULL;
    }
    session->local_room = now->local_count + 1;
    for (uint32_t i = 0; i < now->local_count; i++) {
        if (now->locals[i].type == RT_ICE_PRFLX)
            continue;
        session->locals[session->local_count] = now->locals[i];
        session->preferences[session->local_count++] = now->preferences[i];
    }
    session->local_announced = session->local_count;
    session->local_ended = now->local_ended;
    session->gathering = session->gathering_told = now->gathering;
    session->remote_restarted = true;
    return session;
}

/* RFC 8839 section 5.4: ice-char. Of others' we are more tolerant. */
static bool valid_own_text(rt_span text, size_t least, size_t most)
{
    if (text.size < least || text.size > most)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '+' && c != '/')
            return false;
    }
    return true;
}

rt_status rt_ice_set_local_credentials(rt_ice *ice, rt_span ufrag, rt_span pwd)
{
    if (!valid_own_text(ufrag, 4, RT_ICE_UFRAG_MAX - 1) || !valid_own_text(pwd, 22, RT_ICE_PWD_MAX - 1))
        return RT_INVALID;
    if (ice->begun || ice->now->local_count > 0)
        return RT_UNEXPECTED;
    return set_local(ice->now, ufrag, pwd);
}

rt_status rt_ice_set_remote_credentials(rt_ice *ice, rt_span ufrag, rt_span pwd, rt_time now)
{
    if (!valid_text(ufrag, 4, RT_ICE_UFRAG_MAX - 1) || !valid_text(pwd, 22, RT_ICE_PWD_MAX - 1))
        return RT_INVALID;
    rt_ice_session *session = ice->now;
    if (session->remote_ufrag) {
        if (rt_span_equal(ufrag, rt_span_text(session->remote_ufrag)) &&
            rt_span_equal(pwd, rt_span_text(session->remote_pwd)))
            return RT_OK;
        session = session_for_restarted_peer(ice);
        if (!session)
            return RT_NO_MEMORY;
    }
    rt_status status = rt_ice_session_set_remote(session, ufrag, pwd);
    if (status != RT_OK) {
        if (session != ice->now)
            rt_ice_session_free(ice, session);
        return status;
    }
    if (session != ice->now)
        replace_session(ice, session);
    session->begun = session->last_busy = now;
    ice->begun = true;
    rt_ice_update(ice, now);
    return RT_OK;
}

void rt_ice_restart(rt_ice *ice, rt_time now)
{
    rt_ice_session *last = ice->now;
    rt_ice_session *session = rt_ice_session_new(ice);
    if (!session)
        return; /* goes on with the old credentials, which the owner will signal again */
    if (last->remote_restarted && !rt_ice_active(last)) {
        /* This answers the peer's restart: what it has signalled so far is for the new session. */
        session->remote_ufrag = last->remote_ufrag;
        session->remote_pwd = last->remote_pwd;
        session->remote_sha1 = last->remote_sha1;
        session->remotes = last->remotes;
        session->remote_count = last->remote_count;
        session->remote_room = last->remote_room;
        session->remote_ended = last->remote_ended;
        last->remote_ufrag = last->remote_pwd = NULL;
        last->remote_sha1 = NULL;
        last->remotes = NULL;
        last->remote_count = last->remote_room = 0;
    }
    session->begun = session->last_busy = now;
    replace_session(ice, session);
    rt_ice_update(ice, now);
}
