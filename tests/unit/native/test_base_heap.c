/* base/heap: order, moving, removal; against a linear search over random operations. */
#include "base/heap.h"
#include "base/random.h"
#include "check.h"

typedef struct thing {
    int number;
    rt_timer timer;
    rt_time at; /* the model's */
} thing;

static void test_order(void)
{
    static const rt_time times[] = {5, 3, 9, 1, 7, 3, -2, 8};
    thing things[8] = {0};
    rt_heap heap;
    rt_heap_init(&heap);
    CHECK(rt_heap_deadline(&heap) == RT_NEVER);
    CHECK(rt_heap_pop(&heap, RT_NEVER) == NULL);
    for (int i = 0; i < 8; i++) {
        things[i].number = i;
        CHECK_EQ(rt_heap_set(&heap, &things[i].timer, times[i]), RT_OK);
        CHECK(rt_timer_is_set(&things[i].timer));
        CHECK_EQ(rt_heap_time_of(&heap, &things[i].timer), times[i]);
    }
    CHECK_EQ(rt_heap_deadline(&heap), -2);
    CHECK_EQ(rt_heap_set(&heap, &things[6].timer, 4), RT_OK);
    CHECK_EQ(rt_heap_set(&heap, &things[2].timer, RT_NEVER), RT_OK);
    CHECK(!rt_timer_is_set(&things[2].timer));
    CHECK_EQ(rt_heap_time_of(&heap, &things[2].timer), RT_NEVER);
    CHECK(rt_heap_pop(&heap, 0) == NULL);
    CHECK_EQ(RT_TIMER_OWNER(rt_heap_pop(&heap, 1), thing, timer)->number, 3);
    static const rt_time rest[] = {3, 3, 4, 5, 7, 8};
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(rt_heap_deadline(&heap), rest[i]);
        CHECK(rt_heap_pop(&heap, 100) != NULL);
    }
    CHECK_EQ(heap.count, 0);
    rt_heap_remove(&heap, &things[0].timer); /* is not in: nothing happens */
    rt_heap_free(&heap);
}

static void test_against_model(void)
{
    enum { COUNT = 300 };
    static thing things[COUNT];
    rt_random random;
    rt_heap heap;
    rt_random_init_number(&random, 5);
    rt_heap_init(&heap);
    CHECK_EQ(rt_heap_reserve(&heap, COUNT), RT_OK);
    const rt_heap_entry *memory = heap.entries;
    for (int i = 0; i < COUNT; i++)
        things[i].at = RT_NEVER;
    for (int step = 0; step < 20000; step++) {
        thing *one = &things[rt_random_below(&random, COUNT)];
        uint32_t kind = rt_random_below(&random, 10);
        if (kind < 7) {
            one->at = rt_random_below(&random, 1000);
            CHECK_EQ(rt_heap_set(&heap, &one->timer, one->at), RT_OK);
        } else if (kind < 9) {
            one->at = RT_NEVER;
            rt_heap_remove(&heap, &one->timer);
        } else {
            rt_time now = rt_random_below(&random, 1000);
            rt_timer *timer = rt_heap_pop(&heap, now);
            if (timer) {
                thing *first = RT_TIMER_OWNER(timer, thing, timer);
                CHECK(first->at <= now);
                for (int i = 0; i < COUNT; i++)
                    CHECK(things[i].at >= first->at);
                first->at = RT_NEVER;
            }
        }
        rt_time least = RT_NEVER;
        uint32_t count = 0;
        for (int i = 0; i < COUNT; i++) {
            least = rt_time_min(least, things[i].at);
            count += things[i].at != RT_NEVER;
        }
        CHECK_EQ(rt_heap_deadline(&heap), least);
        CHECK_EQ(heap.count, count);
    }
    CHECK(heap.entries == memory); /* what was reserved was enough */
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(rt_timer_is_set(&things[i].timer), things[i].at != RT_NEVER);
    memset(things, 0xff, sizeof things); /* owners may go before the heap */
    rt_heap_free(&heap);
    CHECK_EQ(heap.count, 0);
}

int main(int argc, char **argv)
{
    RUN(test_order);
    RUN(test_against_model);
    CHECK_MAIN_END;
}
