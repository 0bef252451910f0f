/* What an open connection costs: time per record beside OpenSSL's bare encryption, and memory. The limits
 * are generous, for busy machines and sanitizers; the figures are printed. */
#include "dtls_pair.h"

#include <malloc.h>
#include <openssl/evp.h>
#include <time.h>

enum { SIZE = 1160, RECORDS = 2000, ROUNDS = 15 };

static double cpu_nanoseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double evp_round(EVP_CIPHER_CTX *context, bool encrypt)
{
    static uint8_t text[SIZE];
    uint8_t nonce[12] = {0}, aad[13] = {0}, tag[16] = {0};
    int size;
    double begin = cpu_nanoseconds();
    for (int i = 0; i < RECORDS; i++) {
        memcpy(nonce, &i, sizeof i);
        CHECK_EQ(EVP_CipherInit_ex(context, NULL, NULL, NULL, nonce, -1), 1);
        EVP_CipherUpdate(context, NULL, &size, aad, sizeof aad);
        EVP_CipherUpdate(context, text, &size, text, SIZE);
        if (!encrypt)
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag);
        (void)EVP_CipherFinal_ex(context, tag, &size); /* a wrong tag takes as long as a right one */
        if (encrypt)
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag);
    }
    return (cpu_nanoseconds() - begin) / RECORDS;
}

static void time_per_record(void)
{
    static uint8_t records[RECORDS][SIZE + RT_DTLS_OVERHEAD];
    dtls_pair *pair = pair_connected(NULL, NULL);
    uint8_t key[16] = {0};
    EVP_CIPHER_CTX *contexts[2] = {EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_new()};
    for (int i = 0; i < 2; i++)
        CHECK_EQ(EVP_CipherInit_ex(contexts[i], EVP_aes_128_gcm(), NULL, key, NULL, i == 0), 1);
    double best[4] = {1e9, 1e9, 1e9, 1e9};
    for (int round = 0; round < ROUNDS; round++) {
        double times[4], begin = cpu_nanoseconds();
        for (int i = 0; i < RECORDS; i++) {
            rt_packet packet = {.data = records[i] + RT_DTLS_HEADROOM, .size = SIZE};
            CHECK_EQ(rt_dtls_seal(pair->ends[CLIENT], &packet), RT_OK);
        }
        times[0] = (cpu_nanoseconds() - begin) / RECORDS;
        begin = cpu_nanoseconds();
        for (int i = 0; i < RECORDS; i++) {
            rt_span text;
            CHECK_EQ(rt_dtls_receive(pair->ends[SERVER], rt_buffer_of(records[i], sizeof records[i]), pair->now),
                     RT_OK);
            CHECK(rt_dtls_read(pair->ends[SERVER], &text));
        }
        times[1] = (cpu_nanoseconds() - begin) / RECORDS;
        times[2] = evp_round(contexts[0], true);
        times[3] = evp_round(contexts[1], false);
        for (int i = 0; i < 4; i++)
            best[i] = times[i] < best[i] ? times[i] : best[i];
    }
    printf("%d bytes: seal %.0f ns (EVP alone %.0f), open %.0f ns (EVP alone %.0f)\n", SIZE, best[0], best[2], best[1],
           best[3]);
    CHECK(best[0] < 2 * best[2] + 200);
    CHECK(best[1] < 2 * best[3] + 200);
    EVP_CIPHER_CTX_free(contexts[0]);
    EVP_CIPHER_CTX_free(contexts[1]);
    pair_free(pair);
}

#if defined(__GLIBC__)
static void memory_per_connection(void)
{
    enum { COUNT = 50 };
    static dtls_pair *pairs[COUNT];
    rt_dtls_config config;
    rt_dtls_config_default(&config);
    config.certificate = rt_certificate_generate(1700000000, 86400);
    pair_free(pair_connected(&config, &config)); /* whatever OpenSSL makes once */
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < COUNT; i++)
        pairs[i] = pair_connected(&config, &config);
    size_t used = mallinfo2().uordblks - before - COUNT * sizeof(dtls_pair); /* nothing under a sanitizer */
    if (mallinfo2().uordblks > before) {
        printf("%zu bytes per open connection\n", used / (2 * COUNT));
        CHECK(used / (2 * COUNT) < 6 * 1024);
    }
    for (int i = 0; i < COUNT; i++)
        pair_free(pairs[i]);
    rt_certificate_free(config.certificate);
}
#endif

int main(int argc, char **argv)
{
    RUN(time_per_record);
#if defined(__GLIBC__)
    RUN(memory_per_connection);
#endif
    CHECK_MAIN_END;
}
