/* A message with its bytes: what crosses from a state machine to its consumer, who then owns it.
 *
 * Made by the machine, handed over by an event, freed by whoever took it, on any thread.
 */
#ifndef RT_BASE_MESSAGE_H
#define RT_BASE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct rt_message {
    struct rt_message *next; /* for the owner's lists */
    uint32_t protocol;       /* SCTP payload protocol identifier (RFC 8831 section 8) */
    uint16_t stream;
    uint16_t flags; /* RT_MESSAGE_... */
    size_t size;
    size_t capacity;
    uint8_t data[];
} rt_message;

enum { RT_MESSAGE_UNORDERED = 1 };

/* NULL when there is no memory. `size` is 0, `capacity` as asked. */
rt_message *rt_message_new(size_t capacity);
/* Makes room for `capacity` bytes, moving the message; NULL leaves the old one as it was. */
rt_message *rt_message_grow(rt_message *message, size_t capacity);
void rt_message_free(rt_message *message); /* NULL is fine */

#endif
