/* CRC32c (Castagnoli), as SCTP uses it (RFC 9260 appendix A): SSE4.2 (three interleaved
 * streams) or ARMv8 instructions where the machine has them, slicing by eight elsewhere. Chosen per call by a test of
 * the CPU that the compiler caches; no writable global.
 *
 * `crc` is 0 to begin, or the last result to go on: crc32c(crc32c(0, a), b) == crc32c(0, ab).
 */
#ifndef RT_BASE_CRC32C_H
#define RT_BASE_CRC32C_H

#include "base/span.h"

uint32_t rt_crc32c(uint32_t crc, rt_span data);
/* The table path, for tests and for machines without the instruction. */
uint32_t rt_crc32c_portable(uint32_t crc, rt_span data);

#endif
