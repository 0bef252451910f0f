/* SCTP packets and chunks on the wire: RFC 9260, with RFC 3758 (FORWARD-TSN), 4820 (PAD), 6525 (RE-CONFIG),
 * 8260 (I-DATA, I-FORWARD-TSN) and 9653 (zero checksum).
 *
 * Pure functions over spans. What is parsed borrows from the packet. A parser answers false for what breaks
 * the grammar and has then not read outside of its span; what a value means is the association's business
 * (proto/sctp.h).
 */
#ifndef RT_WIRE_SCTP_H
#define RT_WIRE_SCTP_H

#include "base/span.h"

/* Common header, RFC 9260 section 3.1.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-------------------------------+-------------------------------+
 *   |          source port          |       destination port        |
 *   +-------------------------------+-------------------------------+
 *   |                       verification tag                        |
 *   +---------------------------------------------------------------+
 *   |              CRC32c, least significant byte first             |
 *   +---------------------------------------------------------------+
 */
#define RT_SCTP_HEADER_SIZE 12

typedef struct rt_sctp_header {
    uint16_t source_port, destination_port;
    uint32_t tag;
    uint32_t checksum; /* as an integer in network byte order; only zero has a meaning of its own */
} rt_sctp_header;

/* The header of a packet that also has room for one chunk header; the reader stands before the chunk. */
bool rt_sctp_read_header(rt_reader *r, rt_sctp_header *out);
/* Header with the checksum zero: right for RFC 9653, else rt_sctp_seal when the packet is complete. */
void rt_sctp_write_header(rt_writer *w, uint16_t source_port, uint16_t destination_port, uint32_t tag);
void rt_sctp_seal(rt_buffer packet);
bool rt_sctp_checksum_ok(rt_span packet);

/* Chunks, RFC 9260 section 3.2: the length counts the header of 4 bytes, not the padding to a multiple of 4.
 *
 *   +---------------+---------------+-------------------------------+
 *   |     type      |     flags     |            length             |
 *   +---------------+---------------+-------------------------------+
 *   |                             value                             |
 *
 * The two high bits of an unknown type say: 00 stop, 01 stop and report, 10 skip, 11 skip and report.
 * Parameters and error causes have the same shape with a type of 16 bits; parameters obey the same two bits.
 */
#define RT_SCTP_CHUNK_HEADER 4

enum {
    RT_SCTP_DATA = 0,
    RT_SCTP_INIT = 1,
    RT_SCTP_INIT_ACK = 2,
    RT_SCTP_SACK = 3,
    RT_SCTP_HEARTBEAT = 4,
    RT_SCTP_HEARTBEAT_ACK = 5,
    RT_SCTP_ABORT = 6,
    RT_SCTP_SHUTDOWN = 7,
    RT_SCTP_SHUTDOWN_ACK = 8,
    RT_SCTP_ERROR = 9,
    RT_SCTP_COOKIE_ECHO = 10,
    RT_SCTP_COOKIE_ACK = 11,
    RT_SCTP_SHUTDOWN_COMPLETE = 14,
    RT_SCTP_I_DATA = 64,
    RT_SCTP_RE_CONFIG = 130,
    RT_SCTP_PAD = 132,
    RT_SCTP_FORWARD_TSN = 192,
    RT_SCTP_I_FORWARD_TSN = 194,
};

enum { /* parameters */
       RT_SCTP_PARAM_HEARTBEAT_INFO = 1,
       RT_SCTP_PARAM_IPV4 = 5,
       RT_SCTP_PARAM_IPV6 = 6,
       RT_SCTP_PARAM_STATE_COOKIE = 7,
       RT_SCTP_PARAM_UNRECOGNIZED = 8,
       RT_SCTP_PARAM_COOKIE_PRESERVATIVE = 9,
       RT_SCTP_PARAM_HOST_NAME = 11,
       RT_SCTP_PARAM_ADDRESS_TYPES = 12,
       RT_SCTP_PARAM_RESET_OUT = 13,
       RT_SCTP_PARAM_RESET_IN = 14,
       RT_SCTP_PARAM_RESET_TSN = 15,
       RT_SCTP_PARAM_RESPONSE = 16,
       RT_SCTP_PARAM_ADD_OUT = 17,
       RT_SCTP_PARAM_ADD_IN = 18,
       RT_SCTP_PARAM_ECN = 0x8000,
       RT_SCTP_PARAM_ZERO_CHECKSUM = 0x8001,
       RT_SCTP_PARAM_EXTENSIONS = 0x8008,
       RT_SCTP_PARAM_FORWARD_TSN = 0xc000,
       RT_SCTP_PARAM_ADAPTATION = 0xc006,
};

enum { /* error causes, RFC 9260 section 3.3.10 */
       RT_SCTP_CAUSE_INVALID_STREAM = 1,
       RT_SCTP_CAUSE_MISSING_PARAMETER = 2,
       RT_SCTP_CAUSE_STALE_COOKIE = 3,
       RT_SCTP_CAUSE_OUT_OF_RESOURCE = 4,
       RT_SCTP_CAUSE_UNRESOLVABLE_ADDRESS = 5,
       RT_SCTP_CAUSE_UNRECOGNIZED_CHUNK = 6,
       RT_SCTP_CAUSE_INVALID_PARAMETER = 7,
       RT_SCTP_CAUSE_UNRECOGNIZED_PARAMETERS = 8,
       RT_SCTP_CAUSE_NO_USER_DATA = 9,
       RT_SCTP_CAUSE_COOKIE_WHILE_SHUTTING_DOWN = 10,
       RT_SCTP_CAUSE_RESTART_WITH_NEW_ADDRESSES = 11,
       RT_SCTP_CAUSE_USER_ABORT = 12,
       RT_SCTP_CAUSE_PROTOCOL_VIOLATION = 13,
};

enum { /* chunk flags */
       RT_SCTP_FLAG_END = 1,
       RT_SCTP_FLAG_BEGIN = 2,
       RT_SCTP_FLAG_UNORDERED = 4,
       RT_SCTP_FLAG_IMMEDIATE = 8, /* RFC 7053: acknowledge at once */
       RT_SCTP_FLAG_REFLECTED = 1, /* T bit of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own */
};

#define RT_SCTP_EDMID_DTLS 1 /* RFC 9653 section 7.2: the lower layer is DTLS */

typedef struct rt_sctp_chunk {
    uint8_t type;
    uint8_t flags;
    rt_span value; /* without header and padding */
} rt_sctp_chunk;

typedef struct rt_sctp_param {
    uint16_t type;
    rt_span value;
} rt_sctp_param;

/* The next one; false at the end, or, with r->failed, when its length does not fit. Padding that is missing
 * at the very end is forgiven. */
bool rt_sctp_next_chunk(rt_reader *r, rt_sctp_chunk *out);
bool rt_sctp_next_param(rt_reader *r, rt_sctp_param *out);

/* Writing: open, write the value, close. A parameter pads the one before it and not itself, so that the
 * chunk's length comes out without the last padding; closing a chunk pads it. */
uint8_t *rt_sctp_open_chunk(rt_writer *w, uint8_t type, uint8_t flags);
void rt_sctp_close_chunk(rt_writer *w, uint8_t *chunk);
uint8_t *rt_sctp_open_param(rt_writer *w, uint16_t type);
void rt_sctp_close_param(rt_writer *w, uint8_t *param);
void rt_sctp_write_chunk(rt_writer *w, uint8_t type, uint8_t flags, rt_span value);
void rt_sctp_write_param(rt_writer *w, uint16_t type, rt_span value);

static inline size_t rt_sctp_padded(size_t size)
{
    return (size + 3) & ~(size_t)3;
}

/* DATA, RFC 9260 section 3.3.1          I-DATA, RFC 8260 section 2.1
 *
 *   +-------+-------+---------------+     +-------+-------+---------------+
 *   |   0   |...IUBE|    length     |     |  64   |...IUBE|    length     |
 *   +-------+-------+---------------+     +-------+-------+---------------+
 *   |              TSN              |     |              TSN              |
 *   +---------------+---------------+     +---------------+---------------+
 *   |    stream     |      SSN      |     |    stream     |   reserved    |
 *   +---------------+---------------+     +---------------+---------------+
 *   |      payload protocol id      |     |              MID              |
 *   +-------------------------------+     +-------------------------------+
 *   |           user data           |     |   B: protocol id, else FSN    |
 *                                         +-------------------------------+
 *                                         |           user data           |
 */
#define RT_SCTP_DATA_HEADER 16
#define RT_SCTP_I_DATA_HEADER 20

typedef struct rt_sctp_data {
    uint32_t tsn;
    uint16_t stream;
    uint8_t flags;
    bool interleaved;  /* I-DATA */
    uint32_t mid;      /* message identifier; the SSN in DATA */
    uint32_t fsn;      /* fragment in the message, I-DATA only */
    uint32_t protocol; /* in I-DATA known in the first fragment only */
    rt_span payload;
} rt_sctp_data;

/* False also for an empty payload, whose cause is RT_SCTP_CAUSE_NO_USER_DATA. */
bool rt_sctp_parse_data(const rt_sctp_chunk *chunk, rt_sctp_data *out);
void rt_sctp_write_data(rt_writer *w, const rt_sctp_data *data);

/* INIT and INIT ACK, RFC 9260 sections 3.3.2 and 3.3.3.
 *
 *   +---------------------------------------------------------------+
 *   |                         initiate tag                          |
 *   +---------------------------------------------------------------+
 *   |               advertised receiver window credit               |
 *   +-------------------------------+-------------------------------+
 *   |       outbound streams        |        inbound streams        |
 *   +-------------------------------+-------------------------------+
 *   |                          initial TSN                          |
 *   +---------------------------------------------------------------+
 *   |                          parameters                           |
 */
#define RT_SCTP_INIT_SIZE 16

typedef struct rt_sctp_init {
    uint32_t tag;
    uint32_t window;
    uint16_t streams_out, streams_in;
    uint32_t tsn;
    rt_span params;
} rt_sctp_init;

bool rt_sctp_parse_init(const rt_sctp_chunk *chunk, rt_sctp_init *out);
/* The fixed part, into an open chunk; parameters follow. */
void rt_sctp_write_init(rt_writer *w, const rt_sctp_init *init);

/* SACK, RFC 9260 section 3.3.4. A gap-ack block counts from the cumulative TSN: 2 is the lowest start.
 *
 *   +---------------------------------------------------------------+
 *   |                        cumulative TSN                         |
 *   +---------------------------------------------------------------+
 *   |               advertised receiver window credit               |
 *   +-------------------------------+-------------------------------+
 *   |        number of gaps         |     number of duplicates      |
 *   +-------------------------------+-------------------------------+
 *   |           gap start           |            gap end            | ...
 *   +-------------------------------+-------------------------------+
 *   |                         duplicate TSN                         | ...
 */
typedef struct rt_sctp_sack {
    uint32_t cumulative_tsn;
    uint32_t window;
    uint16_t gap_count, duplicate_count;
    const uint8_t *gaps, *duplicates; /* as they stand in the packet */
} rt_sctp_sack;

typedef struct rt_sctp_gap {
    uint16_t start, end;
} rt_sctp_gap;

#define RT_SCTP_SACK_SIZE 16 /* with chunk header, without blocks */

bool rt_sctp_parse_sack(const rt_sctp_chunk *chunk, rt_sctp_sack *out);
void rt_sctp_write_sack(rt_writer *w, uint32_t cumulative_tsn, uint32_t window, const rt_sctp_gap *gaps,
                        size_t gap_count, const uint32_t *duplicates, size_t duplicate_count);

static inline rt_sctp_gap rt_sctp_sack_gap(const rt_sctp_sack *sack, size_t i)
{
    return (rt_sctp_gap){rt_load16(sack->gaps + 4 * i), rt_load16(sack->gaps + 4 * i + 2)};
}

static inline uint32_t rt_sctp_sack_duplicate(const rt_sctp_sack *sack, size_t i)
{
    return rt_load32(sack->duplicates + 4 * i);
}

/* FORWARD TSN, RFC 3758 section 3.2       I-FORWARD-TSN, RFC 8260 section 2.3.1
 *
 *   +-------------------------------+     +-------------------------------+
 *   |      new cumulative TSN       |     |      new cumulative TSN       |
 *   +---------------+---------------+     +---------------+-------------+-+
 *   |    stream     |      SSN      | ... |    stream     |  reserved   |U|
 *   +---------------+---------------+     +---------------+-------------+-+
 *                                         |              MID              | ...
 */
typedef struct rt_sctp_forward {
    uint32_t cumulative_tsn;
    bool interleaved;
    size_t count;
    const uint8_t *skipped; /* as they stand in the packet */
} rt_sctp_forward;

typedef struct rt_sctp_skip {
    uint16_t stream;
    bool unordered;
    uint32_t mid; /* the last one skipped; the SSN without interleaving */
} rt_sctp_skip;

bool rt_sctp_parse_forward(const rt_sctp_chunk *chunk, rt_sctp_forward *out);
rt_sctp_skip rt_sctp_forward_skip(const rt_sctp_forward *forward, size_t i);
/* Writes as many skips as fit; the caller orders them so that those left out are least needed. */
void rt_sctp_write_forward(rt_writer *w, bool interleaved, uint32_t cumulative_tsn, const rt_sctp_skip *skips,
                           size_t count);

/* Parameters of RE-CONFIG, RFC 6525 section 4.
 *
 *   outgoing reset (13)                 incoming reset (14)       response (16)
 *   +-----------------------------+     +-------------------+     +-------------------+
 *   |  request sequence number    |     |  request number   |     |  response number  |
 *   +-----------------------------+     +---------+---------+     +-------------------+
 *   |  response sequence number   |     | stream  | ...     |     |      result       |
 *   +-----------------------------+     +---------+---------+     +-------------------+
 *   |  last assigned TSN          |
 *   +--------------+--------------+
 *   |    stream    | ...          |     no streams: all of them
 *
 *   resetting TSNs (15) has a request number only, adding streams (17, 18) two bytes with their number behind.
 */
typedef struct rt_sctp_reset {
    uint32_t request;
    uint32_t response; /* outgoing only */
    uint32_t last_tsn; /* outgoing only */
    uint16_t more;     /* adding streams (17, 18): their number */
    rt_span streams;   /* resets (13, 14): two bytes each */
} rt_sctp_reset;

enum { /* results, RFC 6525 section 4.4 */
       RT_SCTP_RESULT_NOTHING_TO_DO = 0,
       RT_SCTP_RESULT_PERFORMED = 1,
       RT_SCTP_RESULT_DENIED = 2,
       RT_SCTP_RESULT_WRONG_SSN = 3,
       RT_SCTP_RESULT_BUSY = 4, /* a request of the same kind is in progress */
       RT_SCTP_RESULT_BAD_SEQUENCE = 5,
       RT_SCTP_RESULT_IN_PROGRESS = 6,
};

#define RT_SCTP_RESET_OUT_SIZE 16 /* parameter header and fixed part */

bool rt_sctp_parse_reset(const rt_sctp_param *param, rt_sctp_reset *out);
bool rt_sctp_parse_response(const rt_sctp_param *param, uint32_t *response, uint32_t *result);
void rt_sctp_write_response(rt_writer *w, uint32_t response, uint32_t result);

#endif
