/* One peer: ICE, DTLS, SCTP, data channels and media put together on one transport (BUNDLE), still sans-IO.
 *
 * Datagrams are told apart by their first byte (RFC 7983): STUN to ICE, DTLS to DTLS, RTP and RTCP to the media, the
 * rest counted and dropped. DTLS starts when ICE has a path and the role is known; SCTP and the media start when DTLS
 * is connected and the peer's fingerprint matched. One thread at a time.
 *
 * Outgoing application data takes no copy: SCTP writes into the batch's slot, DTLS seals it there.
 */
#ifndef RT_PEER_PEER_H
#define RT_PEER_PEER_H

#include "peer/media.h"
#include "proto/channel.h"
#include "proto/dtls.h"
#include "proto/ice.h"
#include "proto/sctp.h"

typedef struct rt_peer_config {
    rt_random *random;   /* borrowed */
    rt_ice_config ice;   /* `random` is filled in */
    rt_dtls_config dtls; /* `certificate`: a reference is taken; `role` is set by rt_peer_set_dtls_role */
    rt_sctp_config sctp; /* `random` is filled in */
    uint32_t max_channels;
} rt_peer_config;

void rt_peer_config_default(rt_peer_config *config);

typedef struct rt_peer rt_peer;

rt_peer *rt_peer_new(const rt_peer_config *config, rt_time now);
void rt_peer_free(rt_peer *peer);

/* The machines inside, for their commands that need no coordination: ICE candidates and credentials,
 * channel open/send/close/release, sections and frames of the media, statistics. After any of them, drain the
 * peer. NULL: not there yet (dtls before the role is set, sctp and channels while the application section is not
 * negotiated, media before it is started). */
rt_ice *rt_peer_ice(rt_peer *peer);
rt_dtls *rt_peer_dtls(rt_peer *peer);
rt_sctp *rt_peer_sctp(rt_peer *peer);
rt_channels *rt_peer_channels(rt_peer *peer);
rt_media *rt_peer_media(rt_peer *peer);

rt_status rt_peer_add_fingerprint(rt_peer *peer, rt_hash hash, rt_span digest, rt_time now);
/* Another certificate than that of the configuration; a reference is taken. RT_UNEXPECTED after the role is set. */
rt_status rt_peer_set_certificate(rt_peer *peer, rt_certificate *certificate);
/* From a=setup; once. */
rt_status rt_peer_set_dtls_role(rt_peer *peer, rt_dtls_role role, rt_time now);
/* Our own a=sctp-port, 5000 unless it is set; before rt_peer_start_sctp(), afterwards RT_EXISTS. */
rt_status rt_peer_set_sctp_port(rt_peer *peer, uint16_t local_port);
/* The application section: remote a=sctp-port and a=max-message-size. SCTP starts when DTLS is up. */
rt_status rt_peer_start_sctp(rt_peer *peer, uint16_t remote_port, uint32_t remote_max_message_size, rt_time now);
/* The first section of media is negotiated. `random` of `config` is filled in. Its packets flow when DTLS is connected
 * and agreed on an SRTP profile. RT_EXISTS: there is media already; RT_INVALID: no SRTP library, or an MTU below
 * RT_MEDIA_MTU_MIN. */
rt_status rt_peer_start_media(rt_peer *peer, const rt_media_config *config, rt_time now);
/* Says good-bye (SCTP abort is not needed: DTLS close_notify), drops everything queued. Idempotent. The
 * owner drains transmit() once more, then frees. */
void rt_peer_close(rt_peer *peer, rt_time now);

/* One datagram, decrypted in place. DTLS that comes before the role is set and ICE has a path is held back
 * (four datagrams, 8 KiB) and taken up then. */
rt_status rt_peer_receive(rt_peer *peer, uint16_t socket, const rt_addr *from, rt_buffer datagram, rt_time now);
/* Headroom and tailroom of the batch are set inside and 0 afterwards. Returns how many packets were added; 0
 * when there is nothing more. While ICE has no path, DTLS and SCTP keep what they have. */
size_t rt_peer_transmit(rt_peer *peer, rt_batch *out, rt_time now);
/* What a frame for the section of media takes, or (RT_MEDIA_FEEDBACK) a datagram about what was sent; RT_PEER_FETCH
 * steps (base/prefetch.h). */
enum { RT_PEER_FETCH = 1 + RT_MEDIA_FETCH };
void rt_peer_prefetch(const rt_peer *peer, int section, int step);
/* Later than the last transmit's `now`. SCTP's clock stands still while there is no path, so that an
 * association survives until ICE has restarted. */
rt_time rt_peer_deadline(const rt_peer *peer);
void rt_peer_expire(rt_peer *peer, rt_time now);

typedef enum rt_peer_event_type {
    RT_PEER_EVENT_ICE,
    RT_PEER_EVENT_DTLS,
    RT_PEER_EVENT_CHANNEL,
    RT_PEER_EVENT_MEDIA,
} rt_peer_event_type;

typedef struct rt_peer_event {
    rt_peer_event_type type;
    union {
        rt_ice_event ice;
        rt_dtls_event dtls;
        rt_channel_event channel;
        rt_media_event media; /* FRAME: the taker owns the frame */
    };
} rt_peer_event;

bool rt_peer_event_next(rt_peer *peer, rt_peer_event *out, rt_time now);

typedef struct rt_peer_stats {
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received; /* all datagrams (W3C transport) */
    uint64_t unknown;                                                    /* first byte of no known protocol */
    uint64_t early;   /* DTLS that came before its time: held back, or dropped beyond that */
    uint64_t foreign; /* DTLS or SRTP from an address that ICE does not know */
} rt_peer_stats;

void rt_peer_get_stats(const rt_peer *peer, rt_peer_stats *out);

#endif
