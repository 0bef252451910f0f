/* Congestion control under hostile feedback: a script of packets sent, transport-wide feedback with any bytes, REMB,
 * report blocks, pauses. Whatever comes in, the target stays within its limits and probes come to an end. */
#include "base/span.h"
#include "expect.h"
#include "proto/bandwidth.h"
#include "proto/estimate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const rt_bandwidth *bandwidth, uint64_t min, uint64_t max)
{
    rt_bandwidth_stats stats;
    rt_bandwidth_get_stats(bandwidth, &stats);
    expect(stats.target >= min && (!max || stats.target <= max));
    expect(stats.target == rt_bandwidth_target(bandwidth));
    expect(rt_bandwidth_pacing_rate(bandwidth) >= stats.target);
    expect(stats.state >= -1 && stats.state <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_reader in = rt_reader_of(rt_span_of(data, size));
    rt_bandwidth_config config;
    rt_bandwidth_config_default(&config);
    config.max = rt_read8(&in) & 1 ? 3000000 : 0;
    rt_time now = RT_SECONDS(1);
    rt_bandwidth *bandwidth = rt_bandwidth_new(&config, now);
    rt_estimate *estimate = rt_estimate_new(config.min, config.start, config.max);
    expect(bandwidth && estimate);
    uint16_t sequence = 0;
    bool probing = false;
    for (int sent = 0; rt_reader_left(&in) && sent < 100000;) {
        uint8_t operation = rt_read8(&in), argument = rt_read8(&in);
        switch (operation % 8) {
        case 0:
        case 1:
            for (int i = 0; i < argument; i++, sent++) {
                rt_bandwidth_sent(bandwidth, sequence++, 100u + argument * 5u, probing, now);
                now += RT_US(operation * 4);
            }
            break;
        case 2: {
            uint8_t length = rt_read8(&in);
            rt_rtcp_twcc twcc = {
                .base = (uint16_t)(argument & 1 ? rt_read16(&in) : sequence - argument),
                .count = argument & 2 ? rt_read16(&in) : argument,
                .reference = argument & 4 ? (int32_t)rt_read24(&in) : (int32_t)(now / RT_MS(64)) & 0xFFFFFF,
                .body = rt_read_span(&in, length),
            };
            (void)rt_bandwidth_twcc(bandwidth, &twcc, now);
            break;
        }
        case 3: rt_bandwidth_remb(bandwidth, (uint64_t)rt_read32(&in) << (argument & 31), now); break;
        case 4: rt_bandwidth_report(bandwidth, argument, RT_MS(rt_read16(&in)), now); break;
        case 5: {
            uint64_t rate = 0;
            size_t bytes = rt_bandwidth_probe(bandwidth, &rate, now);
            expect(bytes < 1u << 20 && (bytes > 0) == (rate > 0));
            probing = bytes > 0;
            break;
        }
        case 6:
            now += RT_MS(argument) * (operation & 64 ? 10 : 1);
            if (rt_bandwidth_deadline(bandwidth) <= now) {
                rt_bandwidth_expire(bandwidth, now);
                expect(rt_bandwidth_deadline(bandwidth) > now);
            }
            break;
        case 7:
            rt_estimate_abs_send_time(estimate, rt_read24(&in), now + RT_MS((int8_t)argument), operation * 8u);
            expect(!rt_estimate_bitrate(estimate) || rt_estimate_bitrate(estimate) >= config.min);
            break;
        }
        check(bandwidth, config.min, config.max);
    }
    rt_estimate_free(estimate);
    rt_bandwidth_free(bandwidth);
    return 0;
}
