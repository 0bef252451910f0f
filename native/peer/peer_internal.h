/* What the files of a peer share: peer.c holds its life, peer_path.c the way of datagrams in and out.
 *
 *   datagram in     first byte -> ICE | DTLS -> record -> SCTP -> channels | SRTP -> media
 *   datagrams out   ICE | DTLS flights and alerts | media, protected in the batch | SCTP packets, sealed in the batch
 */
#ifndef RT_PEER_INTERNAL_H
#define RT_PEER_INTERNAL_H

#include "peer/peer.h"

typedef struct rt_peer_early { /* a DTLS datagram held back */
    struct rt_peer_early *next;
    rt_addr from;
    uint16_t socket;
    uint16_t size;
    uint8_t data[];
} rt_peer_early;

typedef struct rt_peer_fingerprint {
    rt_hash hash;
    uint8_t size;
    uint8_t digest[RT_HASH_MAX];
} rt_peer_fingerprint;

typedef struct rt_peer_burst { /* application datagrams since ICE was last told of them */
    rt_addr from;
    uint16_t socket;
    uint32_t packets;
    size_t bytes;
    rt_time last;
} rt_peer_burst;

struct rt_peer {
    rt_ice *ice;
    rt_dtls *dtls; /* once the role is known */
    rt_sctp *sctp; /* once the application section is negotiated */
    rt_channels *channels;
    rt_media *media; /* once a section of media is negotiated */

    bool dtls_started;
    bool sctp_started;
    bool media_started;
    bool closed;
    rt_dtls_state dtls_state; /* as last acted upon */
    rt_peer_burst received;
    rt_peer_stats stats;

    rt_peer_early *early; /* oldest first */
    uint32_t early_count;
    size_t early_bytes;

    /* For the machines that are made later. */
    rt_peer_fingerprint *fingerprints; /* until there is DTLS */
    uint32_t fingerprint_count;
    uint32_t max_channels;
    rt_dtls_config dtls_config;
    rt_sctp_config sctp_config;
    rt_random *random;
};

/* peer.c: starts and ends what depends on the state of the machine below. Cheap when nothing changed. */
void rt_peer_progress(rt_peer *peer, rt_time now);

/* peer_path.c */
void rt_peer_settle_received(rt_peer *peer);           /* tells ICE of the burst */
void rt_peer_read_records(rt_peer *peer, rt_time now); /* what DTLS has opened goes to the association */
void rt_peer_take_early(rt_peer *peer, rt_time now);
void rt_peer_drop_early(rt_peer *peer);

#endif
