/* Tones longer, shorter and made up: the pitch stays, nothing clicks, and lengths are as asked. */
#include "proto/stretch.h"

#include <math.h>

#include "base/random.h"
#include "check.h"

enum { RATE = 48000, BLOCK = 960, BLOCKS = 150, MOST = RATE * 6 };

#define PI 3.14159265358979

typedef struct source {
    double frequency, amplitude;
    uint32_t rate, channels;
    size_t at; /* samples made so far */
} source;

static void make(source *s, int16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++, s->at++)
        for (uint32_t c = 0; c < s->channels; c++)
            out[i * s->channels + c] =
                (int16_t)lrint(s->amplitude * sin(2 * PI * s->frequency * (double)s->at / s->rate + c));
}

/* From zero crossings upwards, between the first and the last. */
static double pitch_of(const int16_t *data, size_t count, uint32_t rate, uint32_t channels)
{
    double first = -1, last = -1;
    int turns = -1;
    for (size_t i = 1; i < count; i++) {
        double a = data[(i - 1) * channels], b = data[i * channels];
        if (a < 0 && b >= 0) {
            last = (double)i - b / (b - a);
            first = first < 0 ? last : first;
            turns++;
        }
    }
    return turns > 0 ? turns * (double)rate / (last - first) : 0;
}

static double steepest(const int16_t *data, size_t count, uint32_t channels)
{
    double most = 0;
    for (size_t i = channels; i < count * channels; i++) {
        double step = fabs((double)data[i] - data[i - channels]);
        most = step > most ? step : most;
    }
    return most;
}

/* Three seconds of a tone with the same wish for each block; checks all that must hold, returns the length. */
static void run_tone(double frequency, uint32_t rate, uint32_t channels, int32_t change)
{
    static int16_t out[MOST * 2], in[BLOCK * 2];
    source tone = {frequency, 12000, rate, channels, 0};
    rt_stretch *s = rt_stretch_new(rate, channels);
    CHECK(s);
    size_t block = rate / 50, written = 0;
    int64_t asked = 0;
    for (int i = 0; i < BLOCKS; i++) {
        make(&tone, in, block);
        size_t room = rt_stretch_room(s, block, i ? change : 0);
        CHECK((written + room) <= MOST);
        size_t more = rt_stretch_pass(s, in, block, i ? change : 0, out + written * channels);
        CHECK(more <= room);
        written += more;
        asked += i ? change : 0;
    }
    int64_t got = (int64_t)written - BLOCKS * (int64_t)block;
    CHECK_EQ(asked - got, rt_stretch_owed(s));
    double off = pitch_of(out, written, rate, channels) / frequency - 1;
    double slope = 12000 * 2 * PI * frequency / rate;
    if (fabs((double)(asked - got)) > 0.015 * rate || fabs(off) > 0.01 ||
        steepest(out, written, channels) > 1.3 * slope) {
        fprintf(stderr, "%.0f Hz at %u, change %d: asked %lld, got %lld, pitch off by %.4f, slope %.2f\n", frequency,
                rate, change, (long long)asked, (long long)got, off, steepest(out, written, channels) / slope);
        CHECK(false);
    }
    rt_stretch_free(s);
}

static void test_tones(void)
{
    static const double frequencies[] = {80, 110, 150, 220, 300, 440, 700, 1000};
    static const uint32_t rates[] = {8000, 16000, 44100, 48000};
    for (size_t f = 0; f < sizeof frequencies / sizeof *frequencies; f++)
        for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
            for (int part = -4; part <= 4; part++)
                run_tone(frequencies[f], rates[r], 1 + (uint32_t)(f & 1), part * (int32_t)rates[r] / 800);
}

/* Without a wish, bytes go through as they are. */
static void test_nothing_asked(void)
{
    int16_t in[BLOCK], out[2 * BLOCK];
    source tone = {440, 20000, RATE, 1, 0};
    rt_stretch *s = rt_stretch_new(RATE, 1);
    for (int i = 0; i < 50; i++) {
        make(&tone, in, BLOCK);
        CHECK_EQ(rt_stretch_pass(s, in, BLOCK, 0, out), BLOCK);
        CHECK_BYTES(in, out, sizeof in);
    }
    rt_stretch_free(s);
}

static double loudness(const int16_t *data, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)data[i] * data[i];
    return sqrt(sum / (double)count);
}

/* 20 ms lost: hardly less loud, at the same pitch, joined on both sides without a click. */
static void test_concealment(void)
{
    for (int f = 0; f < 5; f++) {
        static int16_t out[BLOCK * 20];
        double frequency = 100 + 83 * f;
        source tone = {frequency, 12000, RATE, 1, 0};
        rt_stretch *s = rt_stretch_new(RATE, 1);
        int16_t in[BLOCK];
        size_t written = 0;
        for (int i = 0; i < 20; i++) {
            make(&tone, in, BLOCK);
            if (i == 10)
                rt_stretch_conceal(s, out + written, BLOCK);
            else
                CHECK_EQ(rt_stretch_pass(s, in, BLOCK, 0, out + written), BLOCK);
            written += BLOCK;
        }
        double slope = 12000 * 2 * PI * frequency / RATE;
        CHECK(steepest(out, written, 1) < 1.5 * slope);
        CHECK(loudness(out + 10 * BLOCK, BLOCK) > 0.8 * 12000 / sqrt(2));
        CHECK(fabs(pitch_of(out + 8 * BLOCK, 3 * BLOCK, RATE, 1) / frequency - 1) < 0.01);
        rt_stretch_free(s);
    }
}

/* A long loss fades to silence, and what comes then fades in. */
static void test_long_concealment(void)
{
    int16_t in[BLOCK * 2], out[BLOCK * 2];
    source tone = {200, 12000, RATE, 2, 0};
    rt_stretch *s = rt_stretch_new(RATE, 2);
    for (int i = 0; i < 5; i++) {
        make(&tone, in, BLOCK);
        rt_stretch_pass(s, in, BLOCK, 0, out);
    }
    double before = loudness(in, 2 * BLOCK);
    for (int i = 0; i < 10; i++) {
        rt_stretch_conceal(s, out, BLOCK);
        double now = loudness(out, 2 * BLOCK);
        CHECK(now <= before * 1.05);
        before = now;
        if (i >= 6)
            CHECK(now == 0);
    }
    make(&tone, in, BLOCK);
    CHECK_EQ(rt_stretch_pass(s, in, BLOCK, 0, out), BLOCK);
    CHECK(abs(out[0]) < 200);
    CHECK_BYTES(in + BLOCK, out + BLOCK, BLOCK * sizeof *in); /* as it is, after the fade */
    rt_stretch_free(s);
}

/* Noise has no period: the wish is met all the same, by and by. Silence can be cut anywhere. */
static void test_noise_and_silence(void)
{
    static int16_t in[BLOCK], out[4 * BLOCK];
    rt_random random;
    rt_random_init_number(&random, 1);
    for (int loud = 0; loud < 2; loud++) {
        rt_stretch *s = rt_stretch_new(RATE, 1);
        int64_t got = 0;
        for (int i = 0; i < 200; i++) {
            for (int k = 0; k < BLOCK; k++)
                in[k] = loud ? (int16_t)(rt_random32(&random) >> 18) : 0;
            got += (int64_t)rt_stretch_pass(s, in, BLOCK, -120, out) - BLOCK;
        }
        CHECK(llabs(got + 200 * 120) <= RATE * 2 / 100);
        rt_stretch_free(s);
    }
}

static void test_odd_calls(void)
{
    CHECK(!rt_stretch_new(7999, 1));
    CHECK(!rt_stretch_new(48000, 0));
    CHECK(!rt_stretch_new(48000, 9));
    CHECK(!rt_stretch_new(400000, 1));
    static int16_t in[RATE * 8], out[RATE * 8 * 2];
    rt_random random;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        rt_random_init_number(&random, seed);
        uint32_t channels = 1 + rt_random_below(&random, 8), rate = 8000 + rt_random_below(&random, 184000);
        rt_stretch *s = rt_stretch_new(rate, channels);
        for (int i = 0; i < 60; i++) {
            size_t count = rt_random_below(&random, 3) ? rt_random_below(&random, 2000) : rt_random_below(&random, 9);
            int32_t change = (int32_t)rt_random_below(&random, 20000) - 10000;
            rt_random_fill(&random, in, count * channels * sizeof *in);
            if (rt_random_below(&random, 3) == 0) {
                rt_stretch_conceal(s, out, count);
                continue;
            }
            if (rt_random_below(&random, 50) == 0)
                change = rt_random_below(&random, 2) ? INT32_MAX : INT32_MIN;
            size_t room = rt_stretch_room(s, count, change);
            CHECK(room * channels <= sizeof out / sizeof *out);
            CHECK(rt_stretch_pass(s, in, count, change, out) <= room);
        }
        rt_stretch_free(s);
    }
}

int main(int argc, char **argv)
{
    RUN(test_tones);
    RUN(test_nothing_asked);
    RUN(test_concealment);
    RUN(test_long_concealment);
    RUN(test_noise_and_silence);
    RUN(test_odd_calls);
    CHECK_MAIN_END;
}
