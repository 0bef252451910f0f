/* RTCP packets: compound and reduced-size (RFC 3550 section 6, RFC 5506), SR, RR, SDES, BYE, APP; feedback
 * (RFC 4585, 5104): NACK, PLI, FIR, REMB, transport-wide feedback, RFC 8888; XR (RFC 3611): RRTR, DLRR.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |V=2|P| RC/FMT  |      PT       |       length in words - 1     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    SSRC of the packet's sender                |
 *
 * Reading: rt_rtcp_next() walks the packets of a datagram; rt_rtcp_..._read() looks into one; lists inside are
 * walked by index or iterator, so nothing is allocated. Writing: every rt_rtcp_write_...() appends one whole
 * packet to a writer, or nothing: what does not fit sets the writer's `failed`. Pure functions; spans borrow from
 * the datagram.
 */
#ifndef RT_WIRE_RTCP_H
#define RT_WIRE_RTCP_H

#include "base/span.h"
#include "base/status.h"

enum { /* packet types */
       RT_RTCP_SR = 200,
       RT_RTCP_RR = 201,
       RT_RTCP_SDES = 202,
       RT_RTCP_BYE = 203,
       RT_RTCP_APP = 204,
       RT_RTCP_RTPFB = 205, /* transport layer feedback */
       RT_RTCP_PSFB = 206,  /* payload-specific feedback */
       RT_RTCP_XR = 207,
};

enum { /* formats of RTPFB and PSFB */
       RT_RTPFB_NACK = 1,
       RT_RTPFB_CCFB = 11, /* RFC 8888 */
       RT_RTPFB_TWCC = 15,
       RT_PSFB_PLI = 1,
       RT_PSFB_FIR = 4,
       RT_PSFB_AFB = 15, /* application layer: REMB */
};

typedef struct rt_rtcp { /* one packet of a compound */
    uint8_t type;
    uint8_t count; /* RC, SC or FMT */
    rt_span body;  /* behind the first word, without padding */
} rt_rtcp;

/* The next packet; false at the end. A datagram that breaks the format sets `status` to RT_MALFORMED, and ends.
 * Begin with rt_reader_of(datagram). */
bool rt_rtcp_next(rt_reader *datagram, rt_rtcp *out, rt_status *status);
/* Any packet, its body already in network order. A body that does not end on a word gets padding. */
void rt_rtcp_write(rt_writer *out, uint8_t type, uint8_t count, rt_span body);

/* ---- SR and RR ---- */

typedef struct rt_rtcp_block { /* report block, RFC 3550 section 6.4.1 */
    uint32_t ssrc;
    uint8_t fraction_lost; /* of 256 */
    int32_t lost;          /* cumulative, 24 bits signed */
    uint32_t highest;      /* extended highest sequence number */
    uint32_t jitter;       /* clock units */
    uint32_t last_sr;      /* middle 32 bits of its NTP time; 0: none yet */
    uint32_t delay;        /* since that one, in 1/65536 s */
} rt_rtcp_block;

typedef struct rt_rtcp_report { /* SR or RR */
    uint32_t ssrc;
    bool sender; /* SR: the next four fields */
    uint64_t ntp;
    uint32_t rtp_time, packets, bytes;
    uint8_t blocks; /* 0..31 */
    rt_span block_bytes;
} rt_rtcp_report;

rt_status rt_rtcp_report_read(const rt_rtcp *packet, rt_rtcp_report *out);
void rt_rtcp_report_block(const rt_rtcp_report *report, uint8_t index, rt_rtcp_block *out);
/* `blocks` of `report` says how many; up to 31. */
void rt_rtcp_write_report(rt_writer *out, const rt_rtcp_report *report, const rt_rtcp_block *blocks);

/* ---- SDES, BYE, APP ---- */

enum { RT_SDES_CNAME = 1, RT_SDES_MID = 15, RT_SDES_RID = 12, RT_SDES_REPAIRED_RID = 13 };

typedef struct rt_rtcp_item {
    uint32_t ssrc;
    uint8_t type;
    rt_span text;
} rt_rtcp_item;

/* Items of all chunks one after the other. Begin with `*at` = 0 (opaque). */
bool rt_rtcp_sdes_next(const rt_rtcp *packet, uint64_t *at, rt_rtcp_item *out, rt_status *status);
void rt_rtcp_write_cname(rt_writer *out, uint32_t ssrc, rt_span cname);
/* The same for any items, those of one SSRC together; 31 SSRCs and 255 bytes of text at most. */
void rt_rtcp_write_sdes(rt_writer *out, const rt_rtcp_item *items, size_t count);

/* How many SSRCs leave; each by rt_load32(sources.data + 4 * i). `reason` may be empty. */
rt_status rt_rtcp_bye_read(const rt_rtcp *packet, rt_span *sources, rt_span *reason);
/* 31 sources and 255 bytes at most. */
void rt_rtcp_write_bye(rt_writer *out, const uint32_t *sources, uint8_t count, rt_span reason);

typedef struct rt_rtcp_app { /* RFC 3550 section 6.7; its subtype is the packet's `count` */
    uint32_t ssrc;
    uint8_t name[4];
    rt_span data;
} rt_rtcp_app;
rt_status rt_rtcp_app_read(const rt_rtcp *packet, rt_rtcp_app *out);
/* Data that does not end on a word gets padding. */
void rt_rtcp_write_app(rt_writer *out, uint8_t subtype, const rt_rtcp_app *app);

/* ---- feedback ---- */

typedef struct rt_rtcp_feedback { /* what RTPFB and PSFB share */
    uint32_t sender, media;
    rt_span fci;
} rt_rtcp_feedback;

rt_status rt_rtcp_feedback_read(const rt_rtcp *packet, rt_rtcp_feedback *out);

/* NACK: (PID, BLP) pairs. Reads up to `max` sequence numbers, in order; returns how many there were in all. */
size_t rt_rtcp_nack_read(const rt_rtcp_feedback *feedback, uint16_t *out, size_t max);
/* `sequences` in ascending serial order. Ends before a writer is full: returns how many were taken. */
size_t rt_rtcp_write_nack(rt_writer *out, uint32_t sender, uint32_t media, const uint16_t *sequences, size_t count);

void rt_rtcp_write_pli(rt_writer *out, uint32_t sender, uint32_t media);

typedef struct rt_rtcp_fir {
    uint32_t ssrc;
    uint8_t sequence;
} rt_rtcp_fir;
size_t rt_rtcp_fir_count(const rt_rtcp_feedback *feedback);
void rt_rtcp_fir_read(const rt_rtcp_feedback *feedback, size_t index, rt_rtcp_fir *out);
/* Nothing is written for no entries. */
void rt_rtcp_write_fir(rt_writer *out, uint32_t sender, const rt_rtcp_fir *entries, size_t count);

typedef struct rt_rtcp_remb {
    uint64_t bitrate; /* bit/s; written rounded down to 18 bits of mantissa */
    uint8_t count;
    rt_span sources; /* 4 bytes each */
} rt_rtcp_remb;
/* RT_UNSUPPORTED: another application's feedback. */
rt_status rt_rtcp_remb_read(const rt_rtcp_feedback *feedback, rt_rtcp_remb *out);
void rt_rtcp_write_remb(rt_writer *out, uint32_t sender, uint64_t bitrate, const uint32_t *sources, uint8_t count);

/* ---- transport-wide feedback ---- */

typedef struct rt_twcc_packet {
    uint16_t sequence;
    bool received;
    int32_t delta; /* if received: 250 us since the one received before (the first: since the reference time) */
} rt_twcc_packet;

typedef struct rt_rtcp_twcc {
    uint16_t base, count;
    int32_t reference; /* 64 ms, 24 bits signed */
    uint8_t feedback;  /* counter of feedback packets */
    rt_span body;      /* chunks and deltas */
} rt_rtcp_twcc;

/* RT_MALFORMED also for a count of 0. */
rt_status rt_rtcp_twcc_read(const rt_rtcp_feedback *feedback, rt_rtcp_twcc *out);
/* All `count` packets into `out`, which has room for `count`. RT_MALFORMED: chunks or deltas do not fit. */
rt_status rt_rtcp_twcc_packets(const rt_rtcp_twcc *twcc, rt_twcc_packet *out);
/* Writes as many of the packets (consecutive sequence numbers; the first one received) as fit the writer and the
 * format; returns how many. Deltas must fit 16 bits: it ends before one that does not, and the caller begins anew
 * there. */
size_t rt_rtcp_write_twcc(rt_writer *out, uint32_t sender, uint32_t media, int32_t reference, uint8_t feedback,
                          const rt_twcc_packet *packets, size_t count);

/* ---- RFC 8888 ---- */

typedef struct rt_ccfb_packet {
    uint32_t ssrc;
    uint16_t sequence;
    bool received; /* else the next two are 0 */
    uint8_t ecn;
    uint16_t offset; /* arrival before the report, 1/1024 s; 0x1FFE: that or more, 0x1FFF: after the report */
} rt_ccfb_packet;
/* Walks all metric blocks; begin with `*at` = 0 (opaque). `timestamp`: of the report, NTP middle. */
bool rt_rtcp_ccfb_next(const rt_rtcp_feedback *feedback, uint64_t *at, rt_ccfb_packet *out, rt_status *status);
rt_status rt_rtcp_ccfb_timestamp(const rt_rtcp_feedback *feedback, uint32_t *timestamp);
/* Packets ordered by SSRC, then by sequence number (a gap begins another metric block). Returns how many were taken:
 * fewer where the writer is full. */
size_t rt_rtcp_write_ccfb(rt_writer *out, uint32_t sender, const rt_ccfb_packet *packets, size_t count,
                          uint32_t timestamp);

/* ---- XR ---- */

enum { RT_XR_RRTR = 4, RT_XR_DLRR = 5 };

typedef struct rt_xr_dlrr {
    uint32_t ssrc, last_rr, delay;
} rt_xr_dlrr;

typedef struct rt_xr_block {
    uint8_t type;      /* RT_XR_...; others are passed over by the caller */
    uint8_t specific;  /* the byte behind the type */
    uint64_t ntp;      /* RRTR */
    size_t dlrr_count; /* DLRR */
    rt_span body;
} rt_xr_block;
/* Begin with `*at` = 0 (opaque). The packet's sender is the first word of its body. */
bool rt_rtcp_xr_next(const rt_rtcp *packet, size_t *at, rt_xr_block *out, rt_status *status);
void rt_rtcp_xr_dlrr(const rt_xr_block *block, size_t index, rt_xr_dlrr *out);
void rt_rtcp_write_rrtr(rt_writer *out, uint32_t sender, uint64_t ntp);
void rt_rtcp_write_dlrr(rt_writer *out, uint32_t sender, const rt_xr_dlrr *entries, size_t count);

#endif
