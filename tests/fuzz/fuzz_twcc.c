/* Arrivals in any order and at any pace; reports into writers of any size. Each report can be read, begins with a
 * packet that was received, and reports come to an end. */
#include "expect.h"
#include "proto/twcc.h"
#include "wire/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PACKETS = 65536, ENOUGH = 10000 };

static bool report(rt_twcc *twcc, size_t room, rt_time now)
{
    static rt_twcc_packet packets[PACKETS];
    uint8_t memory[1500];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, room));
    if (!rt_twcc_feedback(twcc, &w, 1, now))
        return false;
    rt_reader reader = rt_reader_of(rt_span_of(memory, rt_writer_size(&w)));
    rt_rtcp packet;
    rt_rtcp_feedback feedback;
    rt_rtcp_twcc read;
    rt_status status = RT_OK;
    expect(rt_rtcp_next(&reader, &packet, &status) && packet.count == RT_RTPFB_TWCC);
    expect(rt_rtcp_feedback_read(&packet, &feedback) == RT_OK && rt_rtcp_twcc_read(&feedback, &read) == RT_OK);
    expect(rt_rtcp_twcc_packets(&read, packets) == RT_OK && packets[0].received);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_reader in = rt_reader_of(rt_span_of(data, size));
    rt_twcc *twcc = rt_twcc_new();
    expect(twcc);
    rt_time now = RT_SECONDS(1000);
    uint16_t sequence = 65000;
    while (rt_reader_left(&in)) {
        uint8_t operation = rt_read8(&in);
        switch (operation & 7) {
        default: rt_twcc_arrived(twcc, sequence++, 5, 1000, now); break;
        case 3: sequence = (uint16_t)(sequence + (int8_t)rt_read8(&in)); break;
        case 4: sequence = rt_read16(&in); break;
        case 5: now += RT_US(operation >> 3) * 100; break;
        case 6: now += RT_MS(operation >> 3) * 500; break;
        case 7:
            for (int i = 0; report(twcc, 24 + (size_t)(operation >> 3) * 40, now); i++)
                expect(i < ENOUGH);
            break;
        }
    }
    now += RT_SECONDS(1);
    for (int i = 0; report(twcc, 1500, now); i++)
        expect(i < ENOUGH);
    expect(rt_twcc_deadline(twcc) == RT_NEVER);
    rt_twcc_free(twcc);
    return 0;
}
