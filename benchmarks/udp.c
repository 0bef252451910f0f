/* What a UDP packet of 1200 bytes costs through io/udp, sender and receiver in one thread, over loopback.
 *
 *   usage: udp MMSG GSO GRO PACKETS BURST     (flags 0 or 1)
 *
 * Prints seconds of wall time, seconds of CPU time and packets received. Built and run by bench_worker.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "io/udp.h"

enum { SIZE = 1200, BURST_MAX = 256 };

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static rt_socket open_socket(const rt_socket_options *options)
{
    rt_addr address;
    rt_socket s;
    rt_addr_parse_ip("127.0.0.1", 9, 0, &address);
    if (rt_socket_open(&s, &address, 0, 0, 0, options) != RT_OK) {
        perror("socket");
        exit(1);
    }
    return s;
}

int main(int argc, char **argv)
{
    static uint8_t memory[BURST_MAX * SIZE];
    rt_packet packets[BURST_MAX];
    rt_batch batch;
    rt_inbox inbox;
    rt_udp_counters counters = {0};
    if (argc != 6)
        return 2;
    rt_socket_options options = {atoi(argv[1]), atoi(argv[2]), atoi(argv[3]), 4 << 20};
    uint64_t total = strtoull(argv[4], NULL, 10);
    int burst = atoi(argv[5]);
    if (burst < 1 || burst > BURST_MAX || rt_inbox_init(&inbox) != RT_OK)
        return 2;
    rt_socket a = open_socket(&options), b = open_socket(&options);
    rt_batch_init(&batch, rt_buffer_of(memory, sizeof memory), packets, BURST_MAX);
    batch.to = b.address;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    while (counters.datagrams_received < total) {
        rt_batch_reset(&batch);
        for (int i = 0; i < burst; i++) {
            rt_batch_reserve(&batch, SIZE)[0] = (uint8_t)i;
            rt_batch_commit(&batch, SIZE);
        }
        rt_udp_send(&a, packets, batch.count, &counters);
        do
            rt_udp_receive(&b, &inbox, &counters);
        while (inbox.count);
    }
    printf("%.9f %.9f %llu\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
           (unsigned long long)counters.datagrams_received);
    rt_socket_close(&a);
    rt_socket_close(&b);
    rt_inbox_free(&inbox);
    return 0;
}
