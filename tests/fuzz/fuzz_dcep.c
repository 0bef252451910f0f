/* Any bytes: what is accepted as an OPEN can be written again and reads the same. */
#include "expect.h"
#include "wire/dcep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_span message = rt_span_of(data, size);
    expect(rt_dcep_read_ack(message) != RT_OK || size == 1);
    rt_dcep_open open;
    if (rt_dcep_read_open(message, &open) != RT_OK)
        return 0;
    expect(rt_dcep_type_of(message) == RT_DCEP_OPEN);
    expect(rt_dcep_open_size(&open) == size);
    uint8_t *memory = malloc(size);
    expect(memory != NULL);
    rt_writer writer = rt_writer_of(rt_buffer_of(memory, size));
    expect(rt_dcep_write_open(&writer, &open) == RT_OK && rt_writer_size(&writer) == size);
    rt_dcep_open again;
    expect(rt_dcep_read_open(rt_span_of(memory, size), &again) == RT_OK);
    expect(again.reliability == open.reliability && again.unordered == open.unordered);
    expect(again.priority == open.priority && again.parameter == open.parameter);
    expect(rt_span_equal(again.label, open.label) && rt_span_equal(again.protocol, open.protocol));
    free(memory);
    return 0;
}
