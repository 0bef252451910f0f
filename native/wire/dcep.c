#include "wire/dcep.h"

enum { UNORDERED = 0x80 };

rt_status rt_dcep_read_open(rt_span message, rt_dcep_open *out)
{
    rt_reader r = rt_reader_of(message);
    uint8_t type = rt_read8(&r);
    uint8_t channel_type = rt_read8(&r);
    uint16_t priority = rt_read16(&r);
    uint32_t parameter = rt_read32(&r);
    uint16_t label_size = rt_read16(&r);
    uint16_t protocol_size = rt_read16(&r);
    rt_span label = rt_read_span(&r, label_size);
    rt_span protocol = rt_read_span(&r, protocol_size);
    if (!rt_reader_ok(&r) || rt_reader_left(&r) != 0 || type != RT_DCEP_OPEN)
        return RT_MALFORMED;

    uint8_t reliability = channel_type & (uint8_t)~UNORDERED;
    if (reliability > RT_DCEP_LIFETIME)
        return RT_UNSUPPORTED;
    *out = (rt_dcep_open){
        .reliability = (rt_dcep_reliability)reliability,
        .unordered = (channel_type & UNORDERED) != 0,
        .priority = priority,
        .parameter = reliability == RT_DCEP_RELIABLE ? 0 : parameter, /* ignored then (RFC 8832 section 5.1) */
        .label = label,
        .protocol = protocol,
    };
    return RT_OK;
}

rt_status rt_dcep_write_open(rt_writer *writer, const rt_dcep_open *open)
{
    if (open->label.size > UINT16_MAX || open->protocol.size > UINT16_MAX)
        return RT_INVALID;
    if (rt_writer_left(writer) < rt_dcep_open_size(open))
        return RT_TOO_LARGE;
    rt_write8(writer, RT_DCEP_OPEN);
    rt_write8(writer, (uint8_t)(open->reliability | (open->unordered ? UNORDERED : 0)));
    rt_write16(writer, open->priority);
    rt_write32(writer, open->reliability == RT_DCEP_RELIABLE ? 0 : open->parameter);
    rt_write16(writer, (uint16_t)open->label.size);
    rt_write16(writer, (uint16_t)open->protocol.size);
    rt_write_span(writer, open->label);
    rt_write_span(writer, open->protocol);
    return RT_OK;
}

rt_status rt_dcep_read_ack(rt_span message)
{
    return message.size == 1 && message.data[0] == RT_DCEP_ACK ? RT_OK : RT_MALFORMED;
}
