#include "proto/dtls_internal.h"

#include <stdlib.h>

#define ENTRY 4         /* type, epoch, size of the message that follows */
#define FRAGMENT_MIN 48 /* shorter pieces of a message go into the next datagram */

bool rt_dtls_flight_append(rt_dtls_flight *flight, uint8_t type, uint8_t epoch, rt_span message)
{
    size_t need = flight->size + ENTRY + message.size;
    if (message.size > UINT16_MAX)
        return false;
    if (need > flight->capacity) {
        size_t capacity = need > 1024 ? need + 1024 : need;
        uint8_t *data = realloc(flight->data, capacity);
        if (!data)
            return false;
        flight->data = data;
        flight->capacity = capacity;
    }
    uint8_t *entry = flight->data + flight->size;
    entry[0] = type;
    entry[1] = epoch;
    rt_store16(entry + 2, (uint16_t)message.size);
    memcpy(entry + ENTRY, message.data, message.size);
    flight->size = need;
    return true;
}

void rt_dtls_flight_clear(rt_dtls_flight *flight)
{
    free(flight->data);
    *flight = (rt_dtls_flight){0};
}

void rt_dtls_flight_rewind(rt_dtls_flight *flight)
{
    flight->at = 0;
    flight->offset = 0;
}

/* One fragment (RFC 6347 section 4.2.3) of a handshake message: its header with the piece's place.
 *
 *   +------+-------------+---------+----------------+----------------+---------
 *   | type | length (24) | number  |  offset (24)   |  length (24)   | bytes
 *   +------+-------------+---------+----------------+----------------+---------
 */
static void write_fragment(uint8_t *payload, const uint8_t *message, size_t offset, size_t size)
{
    memcpy(payload, message, 6);
    rt_store24(payload + 6, (uint32_t)offset);
    rt_store24(payload + 9, (uint32_t)size);
    memcpy(payload + HANDSHAKE_HEADER, message + HANDSHAKE_HEADER + offset, size);
}

/* One more record into the datagram; false when nothing more fits, or no key is left to seal it with. */
static bool put_record(rt_dtls *dtls, rt_writer *datagram)
{
    rt_dtls_flight *flight = &dtls->flight;
    const uint8_t *entry = flight->data + flight->at, *message = entry + ENTRY;
    uint8_t type = entry[0], epoch = entry[1];
    size_t message_size = rt_load16(entry + 2);
    size_t header = type == CONTENT_HANDSHAKE ? HANDSHAKE_HEADER : 0;
    size_t left = message_size - header - flight->offset;
    size_t overhead = rt_dtls_record_overhead(epoch) + header;
    size_t room = rt_writer_left(datagram);
    if (room < overhead || (room - overhead < left && room - overhead < FRAGMENT_MIN))
        return false;

    size_t size = left < room - overhead ? left : room - overhead;
    uint8_t *record = rt_write_room(datagram, overhead + size);
    uint8_t *payload = record + (epoch ? RT_DTLS_HEADROOM : RECORD_HEADER);
    if (header)
        write_fragment(payload, message, flight->offset, size);
    else
        memcpy(payload, message, size);
    /* Old servers look at the version before they have negotiated one. */
    uint16_t version = header && message[0] == HANDSHAKE_CLIENT_HELLO ? DTLS_1_0 : DTLS_1_2;
    if (rt_dtls_record_seal(dtls, record, type, version, epoch, header + size) != RT_OK) {
        rt_dtls_flight_clear(flight);
        rt_dtls_fail(dtls, -1, "a handshake record could not be encrypted");
        return false;
    }
    flight->offset += size;
    if (size == left) {
        flight->at += ENTRY + message_size;
        flight->offset = 0;
    }
    return true;
}

size_t rt_dtls_flight_transmit(rt_dtls *dtls, size_t mtu, rt_batch *out)
{
    size_t count = 0;
    while (rt_dtls_flight_waits(&dtls->flight)) {
        uint8_t *room = rt_batch_reserve(out, mtu);
        if (!room)
            break;
        rt_writer datagram = rt_writer_of(rt_buffer_of(room, mtu));
        while (rt_dtls_flight_waits(&dtls->flight) && put_record(dtls, &datagram))
            ;
        if (!dtls->flight.data)
            break;
        (void)rt_batch_commit(out, rt_writer_size(&datagram));
        count++;
    }
    return count;
}
