/* base/ring: order over growth and wrap, the limit. */
#include "base/ring.h"
#include "base/random.h"
#include "check.h"

static void test_fifo_against_model(void)
{
    rt_ring ring;
    rt_random random;
    uint32_t next_in = 0, next_out = 0;
    rt_ring_init(&ring, sizeof(uint32_t), 1000);
    rt_random_init_number(&random, 8);
    ring.head = UINT32_MAX - 50; /* the free running head wraps soon */
    CHECK(rt_ring_first(&ring) == NULL);
    CHECK(rt_ring_last(&ring) == NULL);
    for (int step = 0; step < 100000; step++) {
        if (rt_random_below(&random, 100) < (step / 5000 % 2 ? 35u : 65u)) {
            uint32_t *item = rt_ring_push(&ring);
            CHECK((item == NULL) == (next_in - next_out == 1024));
            if (item)
                *item = next_in++;
        } else if (ring.count > 0) {
            CHECK_EQ(*(uint32_t *)rt_ring_first(&ring), next_out);
            rt_ring_pop(&ring);
            next_out++;
        }
        CHECK_EQ(ring.count, next_in - next_out);
        if (ring.count > 0) {
            uint32_t index = rt_random_below(&random, ring.count);
            CHECK_EQ(*(uint32_t *)rt_ring_at(&ring, index), next_out + index);
            CHECK_EQ(*(uint32_t *)rt_ring_last(&ring), next_in - 1);
        }
    }
    CHECK_EQ(ring.capacity, 1024);
    rt_ring_clear(&ring);
    CHECK(rt_ring_first(&ring) == NULL);
    rt_ring_free(&ring);
}

static void test_limit_of_one(void)
{
    rt_ring ring;
    rt_ring_init(&ring, 3, 1);
    CHECK(rt_ring_push(&ring) != NULL);
    CHECK(rt_ring_push(&ring) == NULL);
    rt_ring_pop_last(&ring);
    CHECK(rt_ring_push(&ring) != NULL);
    rt_ring_free(&ring);
    CHECK(rt_ring_push(&ring) != NULL); /* as good as new */
    rt_ring_free(&ring);
}

int main(int argc, char **argv)
{
    RUN(test_fifo_against_model);
    RUN(test_limit_of_one);
    CHECK_MAIN_END;
}
