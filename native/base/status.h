/* What a call into the core can answer.
 *
 * A status says what a peer or a caller caused; it is never fatal to the process. What only a bug of
 * ours can cause is an assertion. The text of a status is for logs and Python exceptions.
 */
#ifndef RT_BASE_STATUS_H
#define RT_BASE_STATUS_H

typedef enum rt_status {
    RT_OK = 0,

    /* Caused by the other side: counted, dropped, the connection lives. */
    RT_MALFORMED,       /* breaks the format's grammar or a length does not fit */
    RT_UNAUTHENTICATED, /* tag, checksum, integrity or fingerprint does not match */
    RT_REPLAYED,        /* seen before, or too old to tell */
    RT_UNEXPECTED,      /* well formed, but not in this state */
    RT_UNSUPPORTED,     /* well formed, but a feature that this side does not have */

    /* Caused by the caller. */
    RT_AGAIN,     /* a bounded queue is full: drain, wait for the matching event, try again */
    RT_INVALID,   /* an argument is out of its range */
    RT_TOO_LARGE, /* does not fit what was negotiated or the memory given */
    RT_CLOSED,    /* the object is closed or failed */
    RT_NOT_FOUND, /* no such stream, channel, candidate or peer */
    RT_EXISTS,    /* there is one already */

    /* Caused by the machine. */
    RT_NO_MEMORY,
    RT_SYSTEM, /* a system call or a library failed */
} rt_status;

/* A short English text in static memory. */
const char *rt_status_text(rt_status status);

#endif
