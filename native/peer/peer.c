#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

enum { FINGERPRINTS_MAX = 8 }; /* as many as DTLS takes */

void rt_peer_config_default(rt_peer_config *config)
{
    *config = (rt_peer_config){0};
    rt_ice_config_default(&config->ice);
    rt_dtls_config_default(&config->dtls);
    rt_sctp_config_default(&config->sctp);
}

rt_peer *rt_peer_new(const rt_peer_config *config, rt_time now)
{
    (void)now;
    rt_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    rt_ice_config ice = config->ice;
    ice.random = config->random;
    peer->ice = rt_ice_new(&ice);
    if (!peer->ice) {
        free(peer);
        return NULL;
    }
    peer->max_channels = config->max_channels;
    peer->dtls_config = config->dtls;
    peer->dtls_config.certificate = rt_certificate_ref(config->dtls.certificate);
    peer->sctp_config = config->sctp;
    peer->sctp_config.random = config->random;
    peer->random = config->random;
    return peer;
}

void rt_peer_free(rt_peer *peer)
{
    if (!peer)
        return;
    rt_peer_drop_early(peer);
    rt_media_free(peer->media);
    rt_channels_free(peer->channels);
    rt_sctp_free(peer->sctp);
    rt_dtls_free(peer->dtls);
    rt_ice_free(peer->ice);
    rt_certificate_free(peer->dtls_config.certificate);
    free(peer->fingerprints);
    free(peer);
}

rt_ice *rt_peer_ice(rt_peer *peer)
{
    rt_peer_settle_received(peer);
    return peer->ice;
}

rt_dtls *rt_peer_dtls(rt_peer *peer)
{
    return peer->dtls;
}

rt_sctp *rt_peer_sctp(rt_peer *peer)
{
    return peer->sctp;
}

rt_channels *rt_peer_channels(rt_peer *peer)
{
    return peer->channels;
}

rt_media *rt_peer_media(rt_peer *peer)
{
    return peer->media;
}

rt_status rt_peer_add_fingerprint(rt_peer *peer, rt_hash hash, rt_span digest, rt_time now)
{
    if (peer->closed)
        return RT_CLOSED;
    if (peer->dtls)
        return rt_dtls_add_fingerprint(peer->dtls, hash, digest, now);
    if (hash != RT_SHA256 && hash != RT_SHA384 && hash != RT_SHA512)
        return RT_UNSUPPORTED;
    if (digest.size != rt_hash_size(hash))
        return RT_INVALID;
    if (peer->fingerprint_count == FINGERPRINTS_MAX)
        return RT_TOO_LARGE;
    rt_peer_fingerprint *grown = realloc(peer->fingerprints, (peer->fingerprint_count + 1) * sizeof *grown);
    if (!grown)
        return RT_NO_MEMORY;
    peer->fingerprints = grown;
    rt_peer_fingerprint *added = &grown[peer->fingerprint_count++];
    added->hash = hash;
    added->size = (uint8_t)digest.size;
    memcpy(added->digest, digest.data, digest.size);
    return RT_OK;
}

rt_status rt_peer_set_certificate(rt_peer *peer, rt_certificate *certificate)
{
    if (peer->closed)
        return RT_CLOSED;
    if (peer->dtls)
        return RT_UNEXPECTED;
    rt_certificate_ref(certificate);
    rt_certificate_free(peer->dtls_config.certificate);
    peer->dtls_config.certificate = certificate;
    return RT_OK;
}

rt_status rt_peer_set_dtls_role(rt_peer *peer, rt_dtls_role role, rt_time now)
{
    if (peer->closed)
        return RT_CLOSED;
    if (peer->dtls)
        return peer->dtls_config.role == role ? RT_OK : RT_UNEXPECTED;
    peer->dtls_config.role = role;
    rt_dtls *dtls = rt_dtls_new(&peer->dtls_config);
    if (!dtls)
        return RT_SYSTEM;
    for (uint32_t i = 0; i < peer->fingerprint_count; i++) {
        const rt_peer_fingerprint *known = &peer->fingerprints[i];
        rt_status status = rt_dtls_add_fingerprint(dtls, known->hash, rt_span_of(known->digest, known->size), now);
        if (status != RT_OK) {
            rt_dtls_free(dtls);
            return status;
        }
    }
    free(peer->fingerprints);
    peer->fingerprints = NULL;
    peer->dtls = dtls;
    if (peer->channels)
        rt_channels_set_role(peer->channels, role == RT_DTLS_CLIENT, now);
    rt_peer_progress(peer, now);
    return RT_OK;
}

rt_status rt_peer_set_sctp_port(rt_peer *peer, uint16_t local_port)
{
    if (peer->closed)
        return RT_CLOSED;
    if (peer->sctp)
        return RT_EXISTS;
    peer->sctp_config.local_port = local_port;
    return RT_OK;
}

rt_status rt_peer_start_sctp(rt_peer *peer, uint16_t remote_port, uint32_t remote_max_message_size, rt_time now)
{
    if (peer->closed)
        return RT_CLOSED;
    if (peer->sctp)
        return RT_EXISTS;
    peer->sctp_config.remote_port = remote_port;
    rt_sctp *sctp = rt_sctp_new(&peer->sctp_config);
    if (!sctp)
        return RT_NO_MEMORY;
    rt_channels *channels = rt_channels_new(sctp, peer->max_channels);
    if (!channels) {
        rt_sctp_free(sctp);
        return RT_NO_MEMORY;
    }
    rt_sctp_set_remote_max_message_size(sctp, remote_max_message_size);
    peer->sctp = sctp;
    peer->channels = channels;
    if (peer->dtls)
        rt_channels_set_role(channels, peer->dtls_config.role == RT_DTLS_CLIENT, now);
    if (peer->dtls_state >= RT_DTLS_CLOSED)
        rt_channels_end(channels, 0, "the transport is closed");
    rt_peer_progress(peer, now);
    return RT_OK;
}

rt_status rt_peer_start_media(rt_peer *peer, const rt_media_config *config, rt_time now)
{
    if (peer->closed)
        return RT_CLOSED;
    if (peer->media)
        return RT_EXISTS;
    if (!config->srtp || config->mtu < RT_MEDIA_MTU_MIN)
        return RT_INVALID;
    rt_media_config own = *config;
    own.random = peer->random;
    peer->media = rt_media_new(&own, now);
    if (!peer->media)
        return RT_NO_MEMORY;
    rt_peer_progress(peer, now);
    return RT_OK;
}

/* DTLS is connected: the keys of SRTP come out of it (RFC 5764 section 4.2). Without a profile that both know there is
 * no media, and everything else works. */
static void start_media(rt_peer *peer, rt_time now)
{
    uint8_t memory[2 * RT_SRTP_KEYS_MAX];
    rt_srtp_profile profile = (rt_srtp_profile)rt_dtls_srtp_profile(peer->dtls);
    rt_buffer material = rt_buffer_of(memory, rt_srtp_material_size(profile));
    peer->media_started = true;
    if (material.size == 0)
        return;
    if (rt_dtls_export(peer->dtls, rt_span_text("EXTRACTOR-dtls_srtp"), material) == RT_OK)
        (void)rt_media_start(peer->media, profile, rt_buffer_span(material), peer->dtls_config.role == RT_DTLS_CLIENT,
                             now); /* what fails leaves the profile in the statistics at 0 */
    rt_wipe(memory, sizeof memory);
}

static void end_channels(rt_peer *peer)
{
    if (!peer->channels)
        return;
    if (peer->closed)
        rt_channels_end(peer->channels, 0, "");
    else if (peer->dtls_state == RT_DTLS_CLOSED)
        rt_channels_end(peer->channels, 0, "the peer closed the connection");
    else
        rt_channels_end(peer->channels, RT_CHANNEL_FAILED, "the secure transport failed");
}

/* DTLS has changed its state since we looked. */
static void follow_dtls(rt_peer *peer, rt_dtls_state state, rt_time now)
{
    peer->dtls_state = state;
    if (state == RT_DTLS_CONNECTED)
        rt_peer_read_records(peer, now); /* those that came before the fingerprint did */
    else if (state == RT_DTLS_CLOSED || state == RT_DTLS_FAILED)
        end_channels(peer);
}

void rt_peer_progress(rt_peer *peer, rt_time now)
{
    if (!peer->dtls)
        return;
    uint16_t socket;
    rt_addr to;
    if (!peer->dtls_started && !peer->closed && rt_ice_path(peer->ice, &socket, &to)) {
        peer->dtls_started = true;
        (void)rt_dtls_start(peer->dtls, now); /* what fails is an event of DTLS */
        rt_peer_take_early(peer, now);
    }
    rt_dtls_state state = rt_dtls_get_state(peer->dtls);
    if (state == RT_DTLS_CONNECTED && peer->sctp && !peer->sctp_started) {
        peer->sctp_started = true;
        (void)rt_sctp_connect(peer->sctp, now); /* what fails is an event of the association */
    }
    if (state == RT_DTLS_CONNECTED && peer->media && !peer->media_started)
        start_media(peer, now);
    if (state != peer->dtls_state)
        follow_dtls(peer, state, now);
}

void rt_peer_close(rt_peer *peer, rt_time now)
{
    if (peer->closed)
        return;
    peer->closed = true;
    rt_peer_drop_early(peer);
    if (peer->media)
        rt_media_close(peer->media, now);
    if (peer->dtls)
        rt_dtls_close(peer->dtls, now);
    end_channels(peer);
}

bool rt_peer_event_next(rt_peer *peer, rt_peer_event *out, rt_time now)
{
    rt_peer_progress(peer, now);
    /* The lower machine's events first: they are the cause of the upper one's. */
    if (rt_ice_event_next(peer->ice, &out->ice)) {
        out->type = RT_PEER_EVENT_ICE;
        return true;
    }
    if (peer->dtls && rt_dtls_event_next(peer->dtls, &out->dtls)) {
        out->type = RT_PEER_EVENT_DTLS;
        return true;
    }
    if (peer->channels && rt_channels_event(peer->channels, &out->channel, now)) {
        out->type = RT_PEER_EVENT_CHANNEL;
        return true;
    }
    if (peer->media && rt_media_event_next(peer->media, &out->media, now)) {
        out->type = RT_PEER_EVENT_MEDIA;
        return true;
    }
    return false;
}

void rt_peer_get_stats(const rt_peer *peer, rt_peer_stats *out)
{
    *out = peer->stats;
}
