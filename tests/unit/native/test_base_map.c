/* base/map: both maps against arrays over random operations, iteration, keys that collide. */
#include "base/addr.h"
#include "base/map.h"
#include "base/random.h"
#include "check.h"

enum { KEYS = 500 };

static void test_numbers_against_model(void)
{
    int model[KEYS] = {0}; /* value, 0 for absent */
    static int values[1001];
    size_t count = 0;
    rt_random random;
    rt_map map;
    rt_random_init_number(&random, 6);
    rt_map_init(&map, rt_random64(&random));
    CHECK(rt_map_get(&map, 1) == NULL);
    CHECK(rt_map_remove(&map, 1) == NULL);
    for (int step = 0; step < 100000; step++) {
        uint32_t index = rt_random_below(&random, KEYS);
        uint64_t key = (uint64_t)index << 40; /* differ in high bits only */
        bool growing = step / 10000 % 2 == 0;
        if (rt_random_below(&random, 10) < (growing ? 7u : 3u)) {
            int value = 1 + (int)rt_random_below(&random, 1000);
            CHECK_EQ(rt_map_put(&map, key, &values[value]), RT_OK);
            count += !model[index];
            model[index] = value;
        } else {
            CHECK(rt_map_remove(&map, key) == (model[index] ? &values[model[index]] : NULL));
            count -= model[index] != 0;
            model[index] = 0;
        }
        CHECK_EQ(map.count, count);
        index = rt_random_below(&random, KEYS);
        CHECK(rt_map_get(&map, (uint64_t)index << 40) == (model[index] ? &values[model[index]] : NULL));
    }
    size_t at = 0, seen = 0;
    uint64_t key;
    for (void *value; (value = rt_map_next(&map, &at, &key)); seen++)
        CHECK(value == &values[model[key >> 40]]);
    CHECK_EQ(seen, count);
    rt_map_free(&map);
    CHECK_EQ(map.count, 0);
}

static void test_reserve_then_no_allocation(void)
{
    int value;
    rt_map map;
    rt_map_init(&map, 0);
    CHECK_EQ(rt_map_reserve(&map, 1000), RT_OK);
    const rt_map_slot *slots = map.slots;
    for (uint64_t key = 0; key < 1000; key++)
        CHECK_EQ(rt_map_put(&map, key, &value), RT_OK);
    CHECK(map.slots == slots);
    for (uint64_t key = 0; key < 1000; key++)
        CHECK(rt_map_remove(&map, key) == &value);
    CHECK(map.slots == slots);
    CHECK_EQ(rt_map_reserve(&map, SIZE_MAX), RT_NO_MEMORY);
    CHECK_EQ(rt_map_put(&map, 5, &value), RT_OK);
    rt_map_free(&map);
}

static void test_bytes_against_model(void)
{
    static rt_addr addresses[KEYS];
    bool model[KEYS] = {false};
    size_t count = 0;
    rt_random random;
    rt_bytes_map map;
    rt_random_init_number(&random, 7);
    rt_bytes_map_init(&map, rt_random64(&random));
    for (int i = 0; i < KEYS; i++) {
        char text[32];
        int size = sprintf(text, "10.0.%d.%d", i / 16, i % 3);
        CHECK(rt_addr_parse_ip(text, (size_t)size, (uint16_t)(1024 + i), &addresses[i]));
    }
    for (int step = 0; step < 50000; step++) {
        uint32_t index = rt_random_below(&random, KEYS);
        rt_addr copy = addresses[index]; /* looked up by equal bytes elsewhere */
        rt_span key = rt_span_of(&copy, sizeof copy);
        CHECK(rt_bytes_map_get(&map, key) == (model[index] ? &addresses[index] : NULL));
        if (rt_random_below(&random, 2)) {
            rt_span kept = rt_span_of(&addresses[index], sizeof copy);
            CHECK_EQ(rt_bytes_map_put(&map, kept, &addresses[index]), RT_OK);
            count += !model[index];
            model[index] = true;
        } else {
            CHECK(rt_bytes_map_remove(&map, key) == (model[index] ? &addresses[index] : NULL));
            count -= model[index];
            model[index] = false;
        }
        CHECK_EQ(map.count, count);
    }
    size_t at = 0, seen = 0;
    rt_span key;
    for (void *value; (value = rt_bytes_map_next(&map, &at, &key)); seen++)
        CHECK(key.data == value);
    CHECK_EQ(seen, count);
    rt_bytes_map_free(&map);
}

static void test_bytes_of_any_size(void)
{
    /* Prefixes of zeros differ by their size alone. */
    static const uint8_t zeros[64] = {0};
    int values[65];
    rt_bytes_map map;
    rt_bytes_map_init(&map, 0);
    for (size_t size = 0; size <= 64; size++)
        CHECK_EQ(rt_bytes_map_put(&map, rt_span_of(zeros, size), &values[size]), RT_OK);
    for (size_t size = 0; size <= 64; size++)
        CHECK(rt_bytes_map_get(&map, rt_span_of(zeros, size)) == &values[size]);
    CHECK_EQ(map.count, 65);
    CHECK(rt_hash_bytes(1, rt_span_of(zeros, 8)) != rt_hash_bytes(2, rt_span_of(zeros, 8)));
    rt_bytes_map_free(&map);
}

int main(int argc, char **argv)
{
    RUN(test_numbers_against_model);
    RUN(test_reserve_then_no_allocation);
    RUN(test_bytes_against_model);
    RUN(test_bytes_of_any_size);
    CHECK_MAIN_END;
}
