/* Many RTP packets at once into a table of flat rows: what an analysis or a numpy array wants.
 *
 * Pure functions; the table is the caller's. Any thread.
 */
#ifndef RT_WIRE_RTP_BATCH_H
#define RT_WIRE_RTP_BATCH_H

#include "wire/rtp.h"

/* Without holes. What a packet has not is 0; all is 0 for a packet that is malformed. */
typedef struct rt_rtp_row {
    uint64_t capture_time;  /* NTP */
    int64_t capture_offset; /* NTP units */
    uint32_t timestamp;
    uint32_t ssrc;
    uint32_t payload_offset;
    uint32_t payload_size; /* without padding */
    uint32_t present;      /* as in rt_rtp_values */
    uint32_t abs_send_time;
    uint32_t descriptor_offset; /* dependency descriptor */
    uint32_t descriptor_size;
    uint16_t sequence;
    uint16_t transport_sequence;
    uint16_t playout_min, playout_max; /* 10 ms */
    uint8_t valid;                     /* 0: malformed */
    uint8_t payload_type;
    uint8_t marker;
    uint8_t padding;
    uint8_t csrc_count;
    uint8_t voice;
    int8_t audio_level; /* dBov, -127..0 */
    uint8_t orientation;
    char mid[RT_RTP_TEXT_MAX], rid[RT_RTP_TEXT_MAX], repaired_rid[RT_RTP_TEXT_MAX]; /* zeros behind */
} rt_rtp_row;

/* One row for each packet; returns how many are valid. `map` NULL: no extensions are read. Offsets count from
 * `origin`, memory that all packets lie in; NULL: from the start of each packet. A packet whose extensions are
 * malformed is so altogether. Packets have less than 4 GB. */
size_t rt_rtp_read_rows(const rt_span *packets, size_t count, const rt_rtp_extension_map *map, const uint8_t *origin,
                        rt_rtp_row *out);

#endif
