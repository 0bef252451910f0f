/* Data Channel Establishment Protocol (RFC 8832): the two messages that open a channel in band.
 *
 * Pure functions over spans. They check lengths and the channel type; whether a message fits the state of
 * its stream is for proto/channel to say.
 */
#ifndef RT_WIRE_DCEP_H
#define RT_WIRE_DCEP_H

#include "base/span.h"
#include "base/status.h"

/* SCTP payload protocol identifiers of data channels (RFC 8831 section 8). */
enum {
    RT_PPID_DCEP = 50,
    RT_PPID_STRING = 51,
    RT_PPID_BINARY_PARTIAL = 52, /* deprecated: all but the last part of a message (section 6.6) */
    RT_PPID_BINARY = 53,
    RT_PPID_STRING_PARTIAL = 54, /* deprecated */
    RT_PPID_STRING_EMPTY = 56,   /* SCTP knows no empty message: one byte that means none */
    RT_PPID_BINARY_EMPTY = 57,
};

typedef enum rt_dcep_type { RT_DCEP_ACK = 0x02, RT_DCEP_OPEN = 0x03 } rt_dcep_type;

/* RFC 8832 section 5.1:
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------+---------------+-------------------------------+
 *   |  type = 0x03  | channel type  |           priority            |
 *   +---------------+---------------+-------------------------------+
 *   |      reliability: retransmissions, or life time in ms         |
 *   +-------------------------------+-------------------------------+
 *   |         label length          |        protocol length        |
 *   +-------------------------------+-------------------------------+
 *   |  label, then protocol, without padding                        |
 *
 * Channel type: 0x00 reliable, 0x01 limited retransmissions, 0x02 limited life time; 0x80 added: unordered.
 */
#define RT_DCEP_OPEN_HEADER 12

typedef enum rt_dcep_reliability {
    RT_DCEP_RELIABLE = 0,
    RT_DCEP_RETRANSMITS = 1,
    RT_DCEP_LIFETIME = 2,
} rt_dcep_reliability;

typedef struct rt_dcep_open {
    rt_dcep_reliability reliability;
    bool unordered;
    uint16_t priority;
    uint32_t parameter; /* of the reliability; 0 when reliable */
    rt_span label;      /* borrowed from the message */
    rt_span protocol;
} rt_dcep_open;

/* The first byte; 0 for an empty message. */
static inline uint8_t rt_dcep_type_of(rt_span message)
{
    return message.size ? message.data[0] : 0;
}

/* RT_MALFORMED when a length does not fit (bytes behind the protocol included), RT_UNSUPPORTED for a
 * channel type that is not assigned. */
rt_status rt_dcep_read_open(rt_span message, rt_dcep_open *out);

static inline size_t rt_dcep_open_size(const rt_dcep_open *open)
{
    return RT_DCEP_OPEN_HEADER + open->label.size + open->protocol.size;
}

/* RT_TOO_LARGE when it does not fit, RT_INVALID when a text is longer than 65535 bytes. */
rt_status rt_dcep_write_open(rt_writer *writer, const rt_dcep_open *open);

/* RFC 8832 section 5.2: the type is the whole message. */
rt_status rt_dcep_read_ack(rt_span message);

#endif
