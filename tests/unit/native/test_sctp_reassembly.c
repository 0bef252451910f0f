/* proto/sctp_reassembly: from chunks in any order to messages in the right one, DATA and I-DATA. */
#include "check.h"
#include "proto/sctp_reassembly.h"

#include "base/random.h"

static rt_sctp_reassembly in;

static void begin(void)
{
    rt_sctp_reassembly_init(&in, 1 << 20, 100000, 1);
}

static void end(void)
{
    rt_sctp_reassembly_free(&in);
}

static rt_status add(bool interleaved, uint32_t tsn, uint16_t stream, uint32_t mid, uint32_t fsn, uint8_t flags,
                     const char *text)
{
    rt_sctp_data data = {.tsn = tsn,
                         .stream = stream,
                         .flags = flags,
                         .interleaved = interleaved,
                         .mid = mid,
                         .fsn = fsn,
                         .protocol = 51,
                         .payload = rt_span_text(text)};
    return rt_sctp_reassembly_add(&in, &data);
}

static void expect(const char *text)
{
    rt_message *message = rt_sctp_reassembly_take(&in);
    if (!text) {
        CHECK(message == NULL);
        return;
    }
    CHECK(message != NULL);
    CHECK_EQ(message->size, strlen(text));
    CHECK_BYTES(message->data, text, message->size);
    CHECK_EQ(message->protocol, 51);
    rt_message_free(message);
}

enum { B = RT_SCTP_FLAG_BEGIN, E = RT_SCTP_FLAG_END, U = RT_SCTP_FLAG_UNORDERED };

static void ssns_order_messages_and_wrap(void)
{
    begin();
    for (uint32_t i = 0; i < 70000; i += 2) { /* in pairs the wrong way round */
        CHECK_EQ(add(false, i + 1, 1, (i + 1) & 0xffff, 0, B | E, "second"), RT_OK);
        expect(NULL);
        CHECK_EQ(add(false, i, 1, i & 0xffff, 0, B | E, "first"), RT_OK);
        expect("first");
        expect("second");
    }
    CHECK_EQ(add(false, 70000, 1, (70000 - 5) & 0xffff, 0, B | E, "old"), RT_UNEXPECTED);
    CHECK_EQ(in.buffered, 0);
    CHECK_EQ(in.nodes, 0);
    end();
}

static void fragments_in_every_order(void)
{
    static const uint8_t flags[4] = {B, 0, 0, E};
    static const char *parts[4] = {"ab", "cde", "f", "ghij"};
    for (int mode = 0; mode < 4; mode++) {
        for (int order = 0; order < 256; order++) {
            int at[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
            if ((1 << at[0] | 1 << at[1] | 1 << at[2] | 1 << at[3]) != 15)
                continue;
            begin();
            for (int i = 0; i < 4; i++) {
                expect(NULL);
                CHECK_EQ(add(mode & 1, 0xfffffffe + (uint32_t)at[i], 9, 0, (uint32_t)at[i],
                             (uint8_t)(flags[at[i]] | (mode & 2 ? U : 0)), parts[at[i]]),
                         RT_OK);
            }
            expect("abcdefghij");
            CHECK_EQ(in.buffered, 0);
            CHECK_EQ(in.nodes, 0);
            CHECK_EQ(in.reserved, 0);
            end();
        }
    }
}

/* Messages of several streams and kinds, cut at random, shuffled: all arrive, ordered ones in order. */
static void shuffled_fragments(void)
{
    enum { MESSAGES = 60 };
    for (uint64_t seed = 0; seed < 300; seed++) {
        rt_random random;
        rt_random_init_number(&random, seed);
        bool interleaved = seed & 1;
        static struct {
            rt_sctp_data data;
            uint8_t payload[16];
        } chunks[MESSAGES * 8];
        size_t count = 0;
        uint32_t mids[4][2] = {{0}};
        for (uint32_t m = 0; m < MESSAGES; m++) {
            uint16_t stream = (uint16_t)rt_random_below(&random, 4);
            bool unordered = rt_random_below(&random, 2);
            uint32_t parts = 1 + rt_random_below(&random, 8);
            uint32_t mid = mids[stream][unordered]++;
            for (uint32_t f = 0; f < parts; f++, count++) {
                rt_sctp_data *d = &chunks[count].data;
                *d = (rt_sctp_data){.tsn = (uint32_t)(0xffffff80 + count),
                                    .stream = stream,
                                    .flags = (uint8_t)((f ? 0 : B) | (f + 1 == parts ? E : 0) | (unordered ? U : 0)),
                                    .interleaved = interleaved,
                                    .mid = mid,
                                    .fsn = f};
                rt_store32(chunks[count].payload, unordered ? mid | 0x80000000 : mid);
                chunks[count].payload[4] = (uint8_t)f;
            }
        }
        for (size_t i = count - 1; i > 0; i--) {
            size_t k = rt_random_below(&random, (uint32_t)i + 1);
            rt_sctp_data data = chunks[i].data;
            uint8_t payload[16];
            memcpy(payload, chunks[i].payload, 16);
            chunks[i] = chunks[k];
            chunks[k].data = data;
            memcpy(chunks[k].payload, payload, 16);
        }
        begin();
        uint32_t next[4] = {0}, arrived = 0;
        for (size_t i = 0; i < count; i++) {
            chunks[i].data.payload = rt_span_of(chunks[i].payload, 5);
            CHECK_EQ(rt_sctp_reassembly_add(&in, &chunks[i].data), RT_OK);
            rt_message *message;
            while ((message = rt_sctp_reassembly_take(&in))) {
                arrived++;
                uint32_t mid = rt_load32(message->data);
                if (!(message->flags & RT_MESSAGE_UNORDERED))
                    CHECK_EQ(mid, next[message->stream]++);
                for (size_t f = 0; f < message->size / 5; f++) {
                    CHECK_EQ(rt_load32(message->data + 5 * f), mid);
                    CHECK_EQ(message->data[5 * f + 4], f);
                }
                rt_message_free(message);
            }
        }
        CHECK_EQ(arrived, MESSAGES);
        CHECK_EQ(in.buffered, 0);
        CHECK_EQ(in.parked, 0);
        CHECK_EQ(in.unordered, 0);
        end();
    }
}

static void limits_and_contradictions(void)
{
    static char large[60001];
    memset(large, 'x', 60000);
    begin();
    CHECK_EQ(add(true, 1, 1, 0, 0, B, large), RT_OK);
    CHECK_EQ(add(true, 2, 1, 0, 1, E, large), RT_TOO_LARGE);
    end();
    begin();
    CHECK_EQ(add(true, 1, 1, 0, 0, B, "a"), RT_OK);
    CHECK_EQ(add(true, 2, 1, 0, 0, B, "a"), RT_MALFORMED); /* two beginnings */
    CHECK_EQ(add(true, 3, 1, 0, 5, 0, "f"), RT_OK);
    CHECK_EQ(add(true, 4, 1, 0, 5, 0, "f"), RT_MALFORMED); /* the same fragment with two TSNs */
    end();
    begin();
    uint32_t parked = 0;
    while (add(true, parked + 1, 1, 0, 2 * parked + 2, 0, "x") == RT_OK)
        parked++;
    CHECK_EQ(parked, RT_SCTP_PARKED_MAX);
    CHECK(rt_sctp_reassembly_waiting(&in));
    end();
}

static void skip(bool interleaved, uint32_t cumulative, uint16_t stream, bool unordered, uint32_t mid, size_t count)
{
    uint8_t memory[32];
    rt_writer w = rt_writer_of(rt_buffer_of(memory, sizeof memory));
    rt_sctp_write_forward(&w, interleaved, cumulative, &(rt_sctp_skip){stream, unordered, mid}, count);
    rt_reader r = rt_reader_of(rt_span_of(memory, rt_writer_size(&w)));
    rt_sctp_chunk chunk;
    rt_sctp_forward forward;
    CHECK(rt_sctp_next_chunk(&r, &chunk) && rt_sctp_parse_forward(&chunk, &forward));
    CHECK_EQ(rt_sctp_reassembly_forward(&in, &forward), RT_OK);
}

/* RFC 3758 section 3.6, RFC 8260 section 2.3.1. */
static void skipped_messages_free_the_stream(void)
{
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        begin();
        CHECK_EQ(add(interleaved, 10, 1, 0, 0, B, "lost-"), RT_OK);
        CHECK_EQ(add(interleaved, 14, 1, 2, 0, B | E, "waits"), RT_OK);
        CHECK_EQ(add(interleaved, 16, 1, 4, 0, B | E, "goes on waiting"), RT_OK);
        skip(interleaved, 13, 1, false, 1, 1);
        expect("waits");
        expect(NULL);
        CHECK_EQ(add(interleaved, 12, 1, 1, 1, E, "late"), RT_UNEXPECTED);
        CHECK_EQ(add(interleaved, 15, 1, 3, 0, B | E, "three"), RT_OK);
        expect("three");
        expect("goes on waiting");
        CHECK_EQ(in.buffered, 0);
        /* Unordered: nothing but the message is skipped. */
        CHECK_EQ(add(interleaved, 20, 2, 0, 0, U | B, "un"), RT_OK);
        CHECK_EQ(add(interleaved, 22, 2, 0, 2, U, "fin"), RT_OK);
        CHECK_EQ(add(interleaved, 31, 2, 1, 0, U | B, "next "), RT_OK);
        skip(interleaved, 30, 2, true, 0, interleaved);
        CHECK_EQ(add(interleaved, 32, 2, 1, 1, U | E, "one"), RT_OK);
        expect("next one");
        CHECK_EQ(in.buffered, 0);
        CHECK_EQ(in.unordered, 0);
        end();
    }
}

static void reset_counts_from_zero(void)
{
    begin();
    CHECK_EQ(add(true, 1, 1, 0, 0, B | E, "zero"), RT_OK);
    CHECK_EQ(add(true, 2, 1, 5, 0, B | E, "never delivered"), RT_OK);
    CHECK_EQ(add(true, 3, 2, 0, 0, B | E, "other"), RT_OK);
    expect("zero");
    expect("other");
    rt_sctp_reassembly_reset(&in, 1);
    CHECK_EQ(in.buffered, 0);
    CHECK_EQ(add(true, 4, 1, 0, 0, B | E, "zero again"), RT_OK);
    expect("zero again");
    CHECK_EQ(add(true, 5, 2, 1, 0, B | E, "one"), RT_OK);
    expect("one");
    end();
}

int main(int argc, char **argv)
{
    RUN(ssns_order_messages_and_wrap);
    RUN(fragments_in_every_order);
    RUN(shuffled_fragments);
    RUN(limits_and_contradictions);
    RUN(skipped_messages_free_the_stream);
    RUN(reset_counts_from_zero);
    CHECK_MAIN_END;
}
