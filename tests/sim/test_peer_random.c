/* Seeded random lives of two peers: channels of all kinds, messages of all sizes, loss, reordering, copies,
 * closes, ICE restarts. Each ends with every reliable message delivered once and in its order, and every
 * channel closed on both sides.
 *
 *     test_peer_random [COUNT [FIRST_SEED]]
 */
#include "peer_world.h"

enum { LANES = 8, MESSAGES = 64 };

typedef struct sent_message {
    uint32_t size;
    bool binary;
} sent_message;

/* One direction of a channel. */
typedef struct flow {
    sent_message sent[MESSAGES];
    uint32_t count;
    uint32_t next;       /* ordered: no message before it may come any more */
    bool seen[MESSAGES]; /* unordered */
    uint32_t received;
    bool rejected; /* closed while messages of this direction were refused */
} flow;

typedef struct lane {
    rt_channel_options options;
    uint32_t handle[2];
    bool open[2], closed[2], closing[2];
    flow flows[2]; /* by sender */
} lane;

typedef struct play {
    uint64_t seed;
    rt_random random;
    world *w;
    lane lanes[LANES];
    uint32_t lane_count;
    uint64_t bytes;
} play;

#define REQUIRE(p, condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "seed %" PRIu64 ", at %.3f s: %s:%d: not true: %s\n", (p)->seed,                           \
                    (double)(p)->w->now / 1e9, __FILE__, __LINE__, #condition);                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static bool reliable(const lane *l)
{
    return l->options.max_retransmits < 0 && l->options.max_lifetime_ms < 0;
}

/* The bytes of a message follow from where it is from; from four bytes on its number leads. */
static void fill(uint8_t *data, uint32_t size, uint32_t which, int sender, uint32_t number)
{
    for (uint32_t i = 0; i < size; i++)
        data[i] = (uint8_t)(number * 31 + which * 17 + (uint32_t)sender * 7 + i + (i >> 8) * 3);
    if (size >= 4)
        rt_store32(data, number);
}

static bool matches(const flow *f, uint32_t number, const rt_channel_event *event, uint32_t which, int sender)
{
    static uint8_t expected[262144];
    const sent_message *m = &f->sent[number];
    if (event->message->size != m->size || event->binary != m->binary)
        return false;
    fill(expected, m->size, which, sender, number);
    return memcmp(expected, event->message->data, m->size) == 0;
}

static void receive(play *p, int receiver, uint32_t which, const rt_channel_event *event)
{
    lane *l = &p->lanes[which];
    flow *f = &l->flows[1 - receiver];
    uint32_t number;
    if (reliable(l) && l->options.ordered) {
        number = f->next;
    } else {
        REQUIRE(p, event->message->size >= 4);
        number = rt_load32(event->message->data);
    }
    REQUIRE(p, number < f->count);
    REQUIRE(p, matches(f, number, event, which, 1 - receiver));
    if (l->options.ordered)
        REQUIRE(p, number >= f->next);
    REQUIRE(p, !f->seen[number]);
    f->seen[number] = true;
    f->next = number + 1;
    f->received++;
}

static uint32_t lane_of(play *p, int which, uint32_t handle)
{
    for (uint32_t i = 0; i < p->lane_count; i++) {
        if (p->lanes[i].handle[which] == handle)
            return i;
    }
    REQUIRE(p, !"an event of a channel that nobody opened");
    return 0;
}

static void listen(station *s, const rt_channel_event *event)
{
    play *p = s->context;
    int which = (int)(s - s->w->s);
    switch (event->type) {
    case RT_CHANNEL_EVENT_INCOMING: {
        rt_channel_info info;
        CHECK_EQ(rt_channel_get(rt_peer_channels(s->peer), event->handle, &info), RT_OK);
        REQUIRE(p, info.label.size == 1 && info.label.data[0] < p->lane_count);
        lane *l = &p->lanes[info.label.data[0]];
        l->handle[which] = event->handle;
        l->open[which] = true;
        REQUIRE(p, info.ordered == l->options.ordered && info.max_retransmits == l->options.max_retransmits);
        break;
    }
    case RT_CHANNEL_EVENT_OPEN: p->lanes[lane_of(p, which, event->handle)].open[which] = true; break;
    case RT_CHANNEL_EVENT_MESSAGE: receive(p, which, lane_of(p, which, event->handle), event); break;
    case RT_CHANNEL_EVENT_CLOSING: p->lanes[lane_of(p, which, event->handle)].closing[which] = true; break;
    case RT_CHANNEL_EVENT_CLOSED:
        if (event->error)
            fprintf(stderr, "station %d, channel %u: %s\n", which, event->handle, event->text);
        REQUIRE(p, event->error == 0);
        p->lanes[lane_of(p, which, event->handle)].closed[which] = true;
        break;
    default: break;
    }
}

/* ---- what may happen ---- */

static void open_lane(play *p)
{
    if (p->lane_count == LANES)
        return;
    uint8_t label = (uint8_t)p->lane_count;
    lane *l = &p->lanes[p->lane_count++];
    uint32_t kind = rt_random_below(&p->random, 8);
    l->options = (rt_channel_options){
        .label = {&label, 1},
        .ordered = rt_random_below(&p->random, 3) > 0,
        .id = RT_CHANNEL_ID_NONE,
        .max_retransmits = kind == 0 ? (int32_t)rt_random_below(&p->random, 3) : -1,
        .max_lifetime_ms = kind == 1 ? (int32_t)rt_random_below(&p->random, 200) : -1,
        .priority = (uint16_t)(128u << rt_random_below(&p->random, 4)),
    };
    int first = (int)rt_random_below(&p->random, 2);
    if (rt_random_below(&p->random, 4) == 0) { /* negotiated: both sides make it */
        l->options.negotiated = true;
        l->options.id = (uint16_t)(100 + label);
        REQUIRE(p,
                rt_channel_open(channels_of(p->w, 1 - first), &l->options, &l->handle[1 - first], p->w->now) == RT_OK);
    }
    REQUIRE(p, rt_channel_open(channels_of(p->w, first), &l->options, &l->handle[first], p->w->now) == RT_OK);
}

static uint32_t some_size(play *p, bool numbered)
{
    static const uint32_t limits[] = {4, 100, 1200, 5000, 40000, 262144};
    if (p->bytes > 400000)
        return numbered ? 4 : rt_random_below(&p->random, 8);
    uint32_t size = rt_random_below(&p->random, limits[rt_random_below(&p->random, 6)] + 1);
    return numbered && size < 4 ? 4 : size;
}

static void send_some(play *p)
{
    if (p->lane_count == 0)
        return;
    static uint8_t data[262144];
    uint32_t which = rt_random_below(&p->random, p->lane_count);
    lane *l = &p->lanes[which];
    int sender = (int)rt_random_below(&p->random, 2);
    flow *f = &l->flows[sender];
    uint32_t burst = 1 + rt_random_below(&p->random, 10);
    for (uint32_t i = 0; i < burst && f->count < MESSAGES && l->open[sender] && !l->closing[sender]; i++) {
        sent_message m = {some_size(p, !reliable(l) || !l->options.ordered), rt_random_below(&p->random, 2)};
        fill(data, m.size, which, sender, f->count);
        f->sent[f->count++] = m; /* it may arrive before send returns to us */
        rt_status status = rt_channel_send(channels_of(p->w, sender), l->handle[sender], rt_span_of(data, m.size),
                                           m.binary, p->w->now);
        if (status != RT_OK) {
            REQUIRE(p, status == RT_AGAIN);
            f->count--;
            return;
        }
        p->bytes += m.size;
    }
}

static void close_lane(play *p, uint32_t which, int side)
{
    lane *l = &p->lanes[which];
    if (l->handle[side] == 0)
        return;
    l->closing[side] = true;
    REQUIRE(p, rt_channel_close(channels_of(p->w, side), l->handle[side], p->w->now) == RT_OK);
}

static void restart_ice(play *p)
{
    world *w = p->w;
    for (int i = 0; i < 2; i++) {
        rt_ice *ice = rt_peer_ice(w->s[i].peer);
        rt_ice_restart(ice, w->now);
        REQUIRE(p, rt_ice_add_host(ice, 0, &w->s[i].address, 65535, w->now) == RT_OK);
        rt_ice_end_of_local(ice, w->now);
    }
    int first = (int)rt_random_below(&p->random, 2);
    world_describe(w, first);
    world_run(w, w->now + RT_MS(rt_random_below(&p->random, 100)));
    world_describe(w, 1 - first);
}

static double chance(play *p, double top)
{
    return rt_random_below(&p->random, 2) ? top * rt_random_below(&p->random, 1000) / 1000 : 0;
}

/* Broken bytes only when connected: a handshake in the clear cannot survive them, UDP's checksum must. */
static void weather(play *p, bool connected)
{
    world_path(p->w, &(net_path){
                         .delay = RT_US(rt_random_below(&p->random, 50000)),
                         .jitter = RT_US(rt_random_below(&p->random, 5000)),
                         .loss = chance(p, 0.08),
                         .reorder = chance(p, 0.1),
                         .reorder_delay = RT_MS(5),
                         .duplicate = chance(p, 0.05),
                         .corrupt = connected ? chance(p, 0.02) : 0,
                         .truncate = connected ? chance(p, 0.02) : 0,
                         .bandwidth = rt_random_below(&p->random, 2) ? 20e6 : 0,
                         .queue = 60000,
                     });
}

static bool all_settled(world *w)
{
    play *p = w->s[0].context;
    for (uint32_t i = 0; i < p->lane_count; i++) {
        lane *l = &p->lanes[i];
        for (int k = 0; k < 2; k++) {
            if (l->handle[k] && !l->closed[k])
                return false;
        }
    }
    return true;
}

static void check_flows(play *p)
{
    for (uint32_t i = 0; i < p->lane_count; i++) {
        lane *l = &p->lanes[i];
        for (int sender = 0; sender < 2 && reliable(l); sender++)
            REQUIRE(p, l->flows[sender].received == l->flows[sender].count);
    }
}

static void run(uint64_t seed)
{
    play play = {.seed = seed}, *p = &play;
    rt_random_init_number(&p->random, seed ^ 0x5eed);
    world *w = p->w = world_new(seed);
    for (int i = 0; i < 2; i++) {
        w->s[i].listen = listen;
        w->s[i].context = p;
    }
    weather(p, false);
    bool answerer_client = rt_random_below(&p->random, 2);
    world_describe(w, 0);
    world_start(w, 1, answerer_client);
    world_run(w, w->now + RT_MS(rt_random_below(&p->random, 300)));
    world_describe(w, 1);
    world_start(w, 0, !answerer_client);
    if (rt_random_below(&p->random, 2))
        open_lane(p); /* before there is a connection */
    REQUIRE(p, world_until(w, world_is_connected, RT_SECONDS(60)));

    uint32_t acts = 20 + rt_random_below(&p->random, 60);
    for (uint32_t i = 0; i < acts; i++) {
        uint32_t act = rt_random_below(&p->random, 40);
        if (act < 6)
            open_lane(p);
        else if (act == 6)
            weather(p, true);
        else if (act == 7)
            restart_ice(p);
        else if (act == 8 && p->lane_count)
            close_lane(p, rt_random_below(&p->random, p->lane_count), (int)rt_random_below(&p->random, 2));
        else
            send_some(p);
        if (rt_random_below(&p->random, 2))
            world_run(w, w->now + RT_US(rt_random_below(&p->random, 40000)));
        else
            world_flush(w);
    }
    world_run(w, w->now + RT_MS(rt_random_below(&p->random, 400)));
    for (uint32_t i = 0; i < p->lane_count; i++) {
        uint32_t sides = 1 + rt_random_below(&p->random, 3);
        for (int side = 0; side < 2; side++) {
            if (sides >> side & 1 || (p->lanes[i].handle[side] && !p->lanes[i].handle[1 - side]))
                close_lane(p, i, side);
        }
    }
    REQUIRE(p, world_until(w, all_settled, RT_SECONDS(120)));
    check_flows(p);

    world_path(w, &(net_path){.delay = RT_MS(1)});
    world_run(w, w->now + RT_MS(500));
    uint32_t closer = rt_random_below(&p->random, 2);
    rt_peer_close(w->s[closer].peer, w->now);
    world_run(w, w->now + RT_MS(100));
    REQUIRE(p, w->s[0].disconnected == 1 && w->s[1].disconnected == 1);
    world_free(w);
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    printf("seeds %" PRIu64 " to %" PRIu64 "\n", first, first + count - 1);
    for (unsigned long i = 0; i < count; i++)
        run(first + i);
    check_passed = (int)count;
    CHECK_MAIN_END;
}
