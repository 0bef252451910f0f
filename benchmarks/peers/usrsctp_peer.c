/* usrsctp as a peer for SCTP alone: each UDP datagram on 127.0.0.1 is one SCTP packet, as DTLS would carry it
 * (AF_CONN, so usrsctp itself opens no socket).
 *
 *     usrsctp_peer LOCAL_PORT REMOTE_PORT connect|accept idata|data
 *
 * stdin, a command a line:                        stdout, a JSON object a line:
 *     send STREAM PPID FLAGS POLICY VALUE SIZE COUNT  {"event":"connected"} {"event":"closed"}
 *         FLAGS: o(rdered) or u(nordered)             {"event":"message","stream":,"ppid":,"size":,"unordered":,"hash":}
 *         POLICY: n(one), t(tl, ms), r(etransmits)    {"event":"reset","stream":,"direction":"in"|"out"}
 *     echo          (each message from now on)        {"event":"sent","stream":,"messages":,"hash":}
 *     lose PERCENT  (of packets sent)                 {"event":"echoes"} once it does
 *     reset STREAM
 *     shutdown
 *     quit
 *
 * `hash` is FNV-1a (64 bits) of the message, or for "sent" of all messages one after another. Message i of a send
 * is SIZE bytes (i + 31 * k) mod 251.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <usrsctp.h>

#ifndef SCTP_INTERLEAVING_SUPPORTED /* in the library, not in its public header */
#define SCTP_INTERLEAVING_SUPPORTED 0x00001206
#endif
#define SCTP_PORT 5000
#define STREAMS 1024
#define LARGEST (4u << 20)

static struct peer {
    int udp;
    unsigned lose;
    uint32_t random;
    struct socket *socket; /* the association's */
    bool echoes;
    struct partial { /* messages that arrive in parts, which with I-DATA interleave */
        uint8_t *data;
        size_t size;
    } partial[STREAMS][2];
} peer;

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

#define SAY(...)                                                                                                       \
    do {                                                                                                               \
        pthread_mutex_lock(&output);                                                                                   \
        printf(__VA_ARGS__);                                                                                           \
        putchar('\n');                                                                                                 \
        fflush(stdout);                                                                                                \
        pthread_mutex_unlock(&output);                                                                                 \
    } while (0)

static void check(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static uint64_t fnv(uint64_t hash, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3;
    return hash;
}

#define FNV_START 0xcbf29ce484222325

static int to_network(void *address, void *packet, size_t size, uint8_t tos, uint8_t set_df)
{
    (void)address, (void)tos, (void)set_df;
    peer.random = peer.random * 1664525 + 1013904223;
    if ((peer.random >> 16) % 100 < peer.lose)
        return 0;
    return send(peer.udp, packet, size, 0) < 0 && errno != ECONNREFUSED ? errno : 0;
}

static void *from_network(void *unused)
{
    static uint8_t packet[65536];
    ssize_t size;
    while ((size = recv(peer.udp, packet, sizeof(packet), 0)) >= 0 || errno == ECONNREFUSED)
        if (size > 0)
            usrsctp_conninput(&peer, packet, (size_t)size, 0);
    return unused;
}

static void send_message(uint16_t stream, uint32_t ppid, bool unordered, char policy, uint32_t value, const void *data,
                         size_t size)
{
    struct sctp_sendv_spa spa = {.sendv_flags = SCTP_SEND_SNDINFO_VALID};
    spa.sendv_sndinfo.snd_sid = stream;
    spa.sendv_sndinfo.snd_ppid = htonl(ppid);
    spa.sendv_sndinfo.snd_flags = SCTP_EOR | (unordered ? SCTP_UNORDERED : 0);
    if (policy != 'n') {
        spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        spa.sendv_prinfo.pr_policy = policy == 't' ? SCTP_PR_SCTP_TTL : SCTP_PR_SCTP_RTX;
        spa.sendv_prinfo.pr_value = value;
    }
    ssize_t sent = usrsctp_sendv(peer.socket, data, size, NULL, 0, &spa, sizeof(spa), SCTP_SENDV_SPA, 0);
    check(sent == (ssize_t)size, "usrsctp_sendv");
}

static void take_message(const struct sctp_rcvinfo *info, const uint8_t *data, size_t size)
{
    bool unordered = info->rcv_flags & SCTP_UNORDERED;
    if (peer.echoes)
        send_message(info->rcv_sid, ntohl(info->rcv_ppid), unordered, 'n', 0, data, size);
    else
        SAY("{\"event\":\"message\",\"stream\":%u,\"ppid\":%u,\"size\":%zu,\"unordered\":%s,\"hash\":\"%016" PRIx64
            "\"}",
            info->rcv_sid, ntohl(info->rcv_ppid), size, unordered ? "true" : "false", fnv(FNV_START, data, size));
}

static void take_notification(const union sctp_notification *note)
{
    if (note->sn_header.sn_type == SCTP_ASSOC_CHANGE) {
        uint16_t state = note->sn_assoc_change.sac_state;
        if (state == SCTP_COMM_UP)
            SAY("{\"event\":\"connected\"}");
        else if (state == SCTP_COMM_LOST || state == SCTP_SHUTDOWN_COMP || state == SCTP_CANT_STR_ASSOC)
            SAY("{\"event\":\"closed\",\"lost\":%s}", state == SCTP_SHUTDOWN_COMP ? "false" : "true");
    } else if (note->sn_header.sn_type == SCTP_STREAM_RESET_EVENT) {
        const struct sctp_stream_reset_event *reset = &note->sn_strreset_event;
        size_t count = (reset->strreset_length - sizeof(*reset)) / sizeof(uint16_t);
        const char *result = reset->strreset_flags & SCTP_STREAM_RESET_DENIED   ? "denied"
                             : reset->strreset_flags & SCTP_STREAM_RESET_FAILED ? "failed"
                                                                                : "done";
        bool incoming = reset->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN;
        for (size_t i = 0; i < count; i++)
            SAY("{\"event\":\"reset\",\"stream\":%u,\"direction\":\"%s\",\"result\":\"%s\"}",
                reset->strreset_stream_list[i], incoming ? "in" : "out", result);
    }
}

static void take_part(const struct sctp_rcvinfo *info, const uint8_t *data, size_t size, bool last)
{
    struct partial *partial = &peer.partial[info->rcv_sid][info->rcv_flags & SCTP_UNORDERED ? 1 : 0];
    check(partial->size + size <= LARGEST, "message too large");
    partial->data = realloc(partial->data, partial->size + size);
    check(partial->data != NULL, "realloc");
    memcpy(partial->data + partial->size, data, size);
    partial->size += size;
    if (last) {
        take_message(info, partial->data, partial->size);
        free(partial->data);
        *partial = (struct partial){0};
    }
}

/* Reads everything of the association, messages and notifications, until it ends. */
static void *read_association(void *unused)
{
    static uint8_t data[1 << 18];
    for (;;) {
        struct sockaddr_conn from;
        socklen_t from_size = sizeof(from), info_size = sizeof(struct sctp_rcvinfo);
        struct sctp_rcvinfo info = {0};
        unsigned info_type = 0;
        int flags = 0;
        ssize_t size = usrsctp_recvv(peer.socket, data, sizeof(data), (struct sockaddr *)&from, &from_size, &info,
                                     &info_size, &info_type, &flags);
        if (size <= 0)
            return unused;
        if (flags & MSG_NOTIFICATION)
            take_notification((const union sctp_notification *)data);
        else
            take_part(&info, data, (size_t)size, flags & MSG_EOR);
    }
}

static void set(int option, const void *value, socklen_t size)
{
    check(usrsctp_setsockopt(peer.socket, IPPROTO_SCTP, option, value, size) == 0, "usrsctp_setsockopt");
}

static void configure(bool interleaving)
{
    int on = 1, levels = 2;
    usrsctp_sysctl_set_sctp_sendspace(LARGEST);
    usrsctp_sysctl_set_sctp_recvspace(LARGEST);
    peer.socket = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    check(peer.socket != NULL, "usrsctp_socket");
    set(SCTP_NODELAY, &on, sizeof(on));
    set(SCTP_RECVRCVINFO, &on, sizeof(on));
    if (interleaving) {
        set(SCTP_FRAGMENT_INTERLEAVE, &levels, sizeof(levels));
        struct sctp_assoc_value supported = {.assoc_id = SCTP_ALL_ASSOC, .assoc_value = 1};
        set(SCTP_INTERLEAVING_SUPPORTED, &supported, sizeof(supported));
    }
    struct sctp_assoc_value resets = {.assoc_id = SCTP_ALL_ASSOC, .assoc_value = SCTP_ENABLE_RESET_STREAM_REQ};
    set(SCTP_ENABLE_STREAM_RESET, &resets, sizeof(resets));
    struct sctp_initmsg streams = {.sinit_num_ostreams = STREAMS, .sinit_max_instreams = STREAMS};
    set(SCTP_INITMSG, &streams, sizeof(streams));
    for (unsigned i = 0; i < 2; i++) {
        struct sctp_event event = {.se_assoc_id = SCTP_ALL_ASSOC, .se_on = 1};
        event.se_type = i ? SCTP_STREAM_RESET_EVENT : SCTP_ASSOC_CHANGE;
        set(SCTP_EVENT, &event, sizeof(event));
    }
}

static void open_udp(uint16_t local, uint16_t remote)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = 4 << 20;
    peer.udp = socket(AF_INET, SOCK_DGRAM, 0);
    check(peer.udp >= 0, "socket");
    setsockopt(peer.udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    address.sin_port = htons(local);
    check(bind(peer.udp, (struct sockaddr *)&address, sizeof(address)) == 0, "bind");
    address.sin_port = htons(remote);
    check(connect(peer.udp, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
}

static void pour(unsigned stream, unsigned ppid, char order, char policy, unsigned value, size_t size, unsigned count)
{
    uint64_t hash = FNV_START;
    uint8_t *data = malloc(size);
    check(data != NULL, "malloc");
    for (unsigned i = 0; i < count; i++) {
        for (size_t k = 0; k < size; k++)
            data[k] = (uint8_t)((i + 31 * k) % 251);
        hash = fnv(hash, data, size);
        send_message((uint16_t)stream, ppid, order == 'u', policy, value, data, size);
    }
    free(data);
    SAY("{\"event\":\"sent\",\"stream\":%u,\"messages\":%u,\"hash\":\"%016" PRIx64 "\"}", stream, count, hash);
}

static void echo(void)
{
    peer.echoes = true;
    SAY("{\"event\":\"echoes\"}");
}

static void reset_stream(uint16_t stream)
{
    union {
        struct sctp_reset_streams request;
        uint8_t room[sizeof(struct sctp_reset_streams) + sizeof(uint16_t)];
    } it = {0};
    it.request.srs_flags = SCTP_STREAM_RESET_OUTGOING;
    it.request.srs_number_streams = 1;
    it.request.srs_stream_list[0] = stream;
    set(SCTP_RESET_STREAMS, &it, sizeof(it.room));
}

static void carry_out_commands(void)
{
    char line[256];
    unsigned stream, ppid, value, count, percent;
    size_t size;
    char order, policy;
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "send %u %u %c %c %u %zu %u", &stream, &ppid, &order, &policy, &value, &size, &count) == 7)
            pour(stream, ppid, order, policy, value, size, count);
        else if (strcmp(line, "echo\n") == 0)
            echo();
        else if (sscanf(line, "lose %u", &percent) == 1)
            peer.lose = percent;
        else if (sscanf(line, "reset %u", &stream) == 1)
            reset_stream((uint16_t)stream);
        else if (strcmp(line, "shutdown\n") == 0)
            usrsctp_shutdown(peer.socket, SHUT_WR);
        else
            return;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: usrsctp_peer LOCAL_PORT REMOTE_PORT connect|accept idata|data\n");
        return 2;
    }
    open_udp((uint16_t)atoi(argv[1]), (uint16_t)atoi(argv[2]));
    usrsctp_init(0, to_network, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(&peer);
    configure(strcmp(argv[4], "idata") == 0);

    struct sockaddr_conn address = {.sconn_family = AF_CONN, .sconn_port = htons(SCTP_PORT), .sconn_addr = &peer};
    check(usrsctp_bind(peer.socket, (struct sockaddr *)&address, sizeof(address)) == 0, "usrsctp_bind");
    bool active = strcmp(argv[3], "connect") == 0;
    pthread_t network, reader;
    check(active || usrsctp_listen(peer.socket, 1) == 0, "usrsctp_listen");
    SAY("{\"event\":\"ready\"}");
    check(pthread_create(&network, NULL, from_network, NULL) == 0, "pthread_create");
    if (active) {
        check(usrsctp_connect(peer.socket, (struct sockaddr *)&address, sizeof(address)) == 0, "usrsctp_connect");
    } else {
        struct socket *accepted = usrsctp_accept(peer.socket, NULL, NULL);
        check(accepted != NULL, "usrsctp_accept");
        peer.socket = accepted;
    }
    check(pthread_create(&reader, NULL, read_association, NULL) == 0, "pthread_create");
    carry_out_commands();
    return 0;
}
