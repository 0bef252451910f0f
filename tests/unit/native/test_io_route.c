/* io/route: whose datagram is this? */
#include "check.h"
#include "io/route.h"

typedef struct datagram {
    uint8_t data[256];
    size_t size;
} datagram;

static rt_span span_of(const datagram *d)
{
    return rt_span_of(d->data, d->size);
}

static datagram stun(uint16_t type, uint8_t id, const char *username)
{
    datagram d = {0};
    rt_writer w = rt_writer_of(rt_buffer_of(d.data, sizeof d.data));
    size_t size = username ? strlen(username) : 0, padding = (4 - size % 4) % 4;
    rt_write16(&w, type);
    rt_write16(&w, (uint16_t)(username ? 8 + 4 + size + padding : 8));
    rt_write32(&w, 0x2112a442);
    for (int i = 0; i < 12; i++)
        rt_write8(&w, (uint8_t)(id + i));
    rt_write16(&w, 0x8022); /* SOFTWARE before it, with a length to be padded */
    rt_write16(&w, 3);
    rt_write32(&w, 0x61626300);
    if (username) {
        rt_write16(&w, 0x0006);
        rt_write16(&w, (uint16_t)size);
        rt_write_span(&w, rt_span_text(username));
        rt_write_zeros(&w, padding);
    }
    CHECK(rt_writer_ok(&w));
    d.size = rt_writer_size(&w);
    return d;
}

static rt_addr addr(uint16_t port)
{
    rt_addr a;
    CHECK(rt_addr_parse_ip("192.0.2.1", 9, port, &a));
    return a;
}

static const datagram DTLS = {.data = {22, 254, 253}, .size = 40};

static void by_name(void)
{
    rt_routes routes;
    rt_route a = {0}, b = {0};
    rt_addr from = addr(1);
    rt_routes_init(&routes, 42);
    CHECK_EQ(rt_routes_set_ufrag(&routes, &a, &a, rt_span_text("aaaa")), RT_OK);
    CHECK_EQ(rt_routes_set_ufrag(&routes, &b, &b, rt_span_text("bbbb")), RT_OK);
    CHECK_EQ(rt_routes_set_ufrag(&routes, &b, &b, rt_span_text("aaaa")), RT_EXISTS);
    datagram d = stun(0x0001, 1, "bbbb:aaaa");
    CHECK(rt_routes_find(&routes, 0, &from, span_of(&d)) == &b);
    d = stun(0x0001, 1, "aaaa:");
    CHECK(rt_routes_find(&routes, 0, &from, span_of(&d)) == &a);
    const char *strangers[] = {"cccc:aaaa", "aaaa", "", ":aaaa", "aaa:aaaa", "aaaaa:bbbb"};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        d = stun(0x0001, 1, strangers[i]);
        CHECK(rt_routes_find(&routes, 0, &from, span_of(&d)) == NULL);
    }
    d = stun(0x0001, 1, "aaaa:bbbb");
    for (size_t size = 0; size < d.size - 3; size++) { /* cut anywhere: nobody's, and no byte is read beyond */
        uint8_t *cut = malloc(size + (size == 0));
        CHECK(cut);
        memcpy(cut, d.data, size);
        CHECK(rt_routes_find(&routes, 0, &from, rt_span_of(cut, size)) == NULL);
        free(cut);
    }
    CHECK(rt_routes_find(&routes, 0, &from, span_of(&DTLS)) == NULL);

    CHECK_EQ(rt_routes_set_ufrag(&routes, &a, &a, rt_span_text("newa")), RT_OK); /* ICE restart */
    d = stun(0x0001, 1, "aaaa:bbbb");
    CHECK(rt_routes_find(&routes, 0, &from, span_of(&d)) == NULL);
    d = stun(0x0001, 1, "newa:bbbb");
    CHECK(rt_routes_find(&routes, 0, &from, span_of(&d)) == &a);
    rt_routes_remove(&routes, &a);
    CHECK(rt_routes_find(&routes, 0, &from, span_of(&d)) == NULL);
    rt_routes_remove(&routes, &b);
    rt_routes_free(&routes);
}

static void by_source(void)
{
    rt_routes routes;
    rt_route a = {0}, b = {0};
    rt_routes_init(&routes, 43);
    rt_routes_set_ufrag(&routes, &a, &a, rt_span_text("aaaa"));
    rt_routes_set_ufrag(&routes, &b, &b, rt_span_text("bbbb"));
    rt_addr one = addr(1), two = addr(2);
    CHECK_EQ(rt_routes_learn(&routes, &a, &a, 7, &one), RT_OK);
    CHECK_EQ(rt_routes_learn(&routes, &b, &b, 7, &two), RT_OK);
    CHECK(rt_routes_find(&routes, 7, &one, span_of(&DTLS)) == &a);
    CHECK(rt_routes_find(&routes, 7, &two, span_of(&DTLS)) == &b);
    CHECK(rt_routes_find(&routes, 8, &one, span_of(&DTLS)) == NULL); /* another socket */
    datagram d = stun(0x0001, 1, "bbbb:x");                          /* the name goes before the source */
    CHECK(rt_routes_find(&routes, 7, &one, span_of(&d)) == &b);
    d = stun(0x0001, 1, "old!:x"); /* an unknown one does not: the peer may have restarted */
    CHECK(rt_routes_find(&routes, 7, &one, span_of(&d)) == &a);
    CHECK_EQ(rt_routes_learn(&routes, &b, &b, 7, &one), RT_OK); /* it changed hands */
    CHECK(rt_routes_find(&routes, 7, &one, span_of(&DTLS)) == &b);
    CHECK_EQ(a.source_count, 0);
    CHECK_EQ(b.source_count, 2);
    rt_routes_remove(&routes, &b);
    CHECK(rt_routes_find(&routes, 7, &one, span_of(&DTLS)) == NULL);
    CHECK_EQ(routes.sources.count, 0);
    rt_routes_remove(&routes, &a);
    rt_routes_free(&routes);
}

static void sources_are_bounded(void)
{
    rt_routes routes;
    rt_route a = {0};
    rt_routes_init(&routes, 44);
    rt_routes_set_ufrag(&routes, &a, &a, rt_span_text("aaaa"));
    for (uint16_t port = 1; port <= 100; port++) {
        rt_addr from = addr(port);
        CHECK_EQ(rt_routes_learn(&routes, &a, &a, 0, &from), RT_OK);
        CHECK_EQ(rt_routes_learn(&routes, &a, &a, 0, &from), RT_OK);
    }
    CHECK_EQ(a.source_count, RT_ROUTE_SOURCES);
    CHECK_EQ(routes.sources.count, RT_ROUTE_SOURCES);
    for (uint16_t port = 1; port <= 100; port++) {
        rt_addr from = addr(port);
        CHECK_EQ(rt_routes_find(&routes, 0, &from, span_of(&DTLS)) == &a, port > 100 - RT_ROUTE_SOURCES);
    }
    rt_routes_remove(&routes, &a);
    rt_routes_free(&routes);
}

static void by_transaction(void)
{
    rt_routes routes;
    rt_route a = {0}, b = {0};
    rt_addr server = addr(3478);
    rt_routes_init(&routes, 45);
    rt_routes_set_ufrag(&routes, &a, &a, rt_span_text("aaaa"));
    rt_routes_set_ufrag(&routes, &b, &b, rt_span_text("bbbb"));
    datagram request_a = stun(0x0001, 10, NULL), request_b = stun(0x0001, 20, NULL);
    datagram answer_a = stun(0x0101, 10, NULL), answer_b = stun(0x0111, 20, NULL);
    CHECK(rt_routes_find(&routes, 0, &server, span_of(&answer_a)) == NULL);
    rt_routes_sent(&routes, &a, span_of(&DTLS));
    rt_routes_sent(&routes, &a, span_of(&answer_b)); /* neither is a request */
    CHECK(rt_routes_find(&routes, 0, &server, span_of(&answer_b)) == NULL);
    rt_routes_sent(&routes, &a, span_of(&request_a));
    rt_routes_sent(&routes, &b, span_of(&request_b));
    CHECK(rt_routes_find(&routes, 0, &server, span_of(&answer_a)) == &a);
    CHECK(rt_routes_find(&routes, 0, &server, span_of(&answer_b)) == &b);
    rt_routes_remove(&routes, &a);
    CHECK(rt_routes_find(&routes, 0, &server, span_of(&answer_a)) == NULL);
    rt_routes_remove(&routes, &b);
    rt_routes_free(&routes);
}

int main(int argc, char **argv)
{
    RUN(by_name);
    RUN(by_source);
    RUN(sources_are_bounded);
    RUN(by_transaction);
    CHECK_MAIN_END;
}
