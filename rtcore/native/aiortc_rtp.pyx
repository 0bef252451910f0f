# cython: language_level=3
"""RTP packets as `rtcore.aiortc.rtp` has them: plain Python attributes, read and written in one call each.

`PacketFields` and `ExtensionIds` are the compiled halves of its `RtpPacket` and `HeaderExtensionsMap`; the
wire itself is wire/rtp.h. `rtcore.native.rtp` is for all others.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from rtcore.native.base cimport (
    RT_NOT_FOUND,
    RT_OK,
    rt_buffer_of,
    rt_span,
    rt_span_of,
    rt_status,
    rt_status_text,
    rt_writer,
    rt_writer_of,
    to_number,
)
from rtcore.native.rtp cimport (
    RT_RTP_CSRCS_MAX,
    rt_rtp,
    rt_rtp_header_size,
    rt_rtp_next_element,
    rt_rtp_parse,
    rt_rtp_write_header,
)


cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


cdef extern from *:
    """
    /* An instance of a class, its __init__ not called. */
    static inline PyObject *instance_of(PyObject *kind, PyObject *nothing)
    {
        return ((PyTypeObject *)kind)->tp_new((PyTypeObject *)kind, nothing, NULL);
    }
    """
    object instance_of(object kind, object nothing)


cdef extern from "base/span.h":
    uint16_t rt_load16(const uint8_t *p)
    uint32_t rt_load24(const uint8_t *p)
    uint32_t rt_load32(const uint8_t *p)
    void rt_store16(uint8_t *p, uint16_t v)
    void rt_store24(uint8_t *p, uint32_t v)
    void rt_store32(uint8_t *p, uint32_t v)


cdef enum:  # the known extensions, in the order in which they are written
    MID
    REPAIRED_RID
    RID
    SEND_TIME
    OFFSET
    LEVEL
    SEQUENCE
    FIELDS

cdef enum:
    ONE_BYTE = 0xBEDE
    TWO_BYTE = 0x1000
    ELEMENT_MAX = 255  # bytes
    BLOCK_MAX = FIELDS * (2 + ELEMENT_MAX) + 3

cdef tuple NAMES = (
    "mid",
    "repaired_rtp_stream_id",
    "rtp_stream_id",
    "abs_send_time",
    "transmission_offset",
    "audio_level",
    "transport_sequence_number",
)
cdef uint8_t[FIELDS] SIZES = [0, 0, 0, 3, 3, 1, 2]  # 0: a text
cdef tuple NOTHING = ()

FIELD_NAMES = NAMES


cdef inline bytes to_bytes(object data):
    return <bytes>data if PyBytes_CheckExact(data) else bytes(memoryview(data))


cdef inline rt_span span(bytes data):
    return rt_span_of(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline bytes copied(rt_span data):
    return PyBytes_FromStringAndSize(<const char *>data.data, data.size)


cdef int next_element(const rt_rtp *packet, size_t *at, uint8_t *id, rt_span *content) except -1:
    """1: there is another element of the block."""
    cdef rt_status status = rt_rtp_next_element(packet, at, id, content)
    if status == RT_OK:
        return 1
    if status == RT_NOT_FOUND:
        return 0
    raise ValueError(f"a header extension: {rt_status_text(status).decode()}")


cdef object read_value(int field, rt_span content):
    cdef int32_t number
    if SIZES[field] == 0:
        return PyUnicode_DecodeUTF8(<const char *>content.data, content.size, NULL)
    if content.size != SIZES[field]:
        raise ValueError(
            f"the header extension {NAMES[field]} has {SIZES[field]} bytes, not {content.size}"
        )
    if field == SEND_TIME:
        return rt_load24(content.data)
    if field == SEQUENCE:
        return rt_load16(content.data)
    if field == LEVEL:
        return content.data[0] >= 0x80, content.data[0] & 0x7F
    number = <int32_t>rt_load24(content.data)
    return number - 0x1000000 if number & 0x800000 else number


cdef rt_span write_value(int field, object value, uint8_t *room) except *:
    """Its bytes: in `room`, or those of the text itself."""
    cdef Py_ssize_t size
    cdef const char *text
    if SIZES[field] == 0:
        text = PyUnicode_AsUTF8AndSize(value, &size)
        if size > ELEMENT_MAX:
            raise ValueError(f"{NAMES[field]} has at most {ELEMENT_MAX} bytes, not {size}")
        return rt_span_of(text, size)
    if field == LEVEL:
        voice, level = value
        room[0] = (0x80 if voice else 0) | <uint8_t>(level & 0x7F)
    elif field == SEQUENCE:
        rt_store16(room, <uint16_t>to_number(value, 0xFFFF, NAMES[field]))
    elif field == SEND_TIME:
        rt_store24(room, <uint32_t>to_number(value, 0xFFFFFF, NAMES[field]))
    elif -0x800000 <= value < 0x800000:
        rt_store24(room, <uint32_t><int32_t>value & 0xFFFFFF)
    else:
        raise ValueError(f"{value} does not fit the three bytes of {NAMES[field]}")
    return rt_span_of(room, SIZES[field])


cdef size_t write_block(
    const rt_span *elements, const uint8_t *ids, size_t count, uint8_t *out, bint *one_byte
):
    """Writes the elements in the shorter form that takes all of them, padded to a word; returns the size."""
    cdef size_t i, size = 0
    one_byte[0] = True
    for i in range(count):
        if ids[i] > 14 or not 1 <= elements[i].size <= 16:
            one_byte[0] = False
    for i in range(count):
        if one_byte[0]:
            out[size] = <uint8_t>(ids[i] << 4 | (elements[i].size - 1))
            size += 1
        else:
            out[size] = ids[i]
            out[size + 1] = <uint8_t>elements[i].size
            size += 2
        memcpy(out + size, elements[i].data, elements[i].size)
        size += elements[i].size
    while size % 4:
        out[size] = 0
        size += 1
    return size


def unpack_elements(profile, content):
    """[(id, content)] of the elements of an extension block (RFC 8285). `ValueError` if one leaves it."""
    cdef rt_rtp packet
    cdef size_t at = 0
    cdef uint8_t id = 0
    cdef rt_span element
    cdef bytes data = to_bytes(content)
    cdef list found = []
    packet.profile = <uint16_t>to_number(profile, 0xFFFF, "the profile of an extension block")
    packet.extensions = span(data)
    while next_element(&packet, &at, &id, &element):
        found.append((id, copied(element)))
    return found


def pack_elements(elements):
    """(profile, content) of the block (RFC 8285) of [(id, content)], in the two-byte form where an id or a
    size needs it; (0, b"") of none. `ValueError` for ids not from 1 to 255, contents over 255 bytes."""
    cdef rt_span contents[256]
    cdef uint8_t ids[256]
    cdef size_t count = 0, room = 3
    cdef bint one_byte
    cdef list held = []
    if not elements:
        return 0, b""
    for id, content in elements:
        data = to_bytes(content)
        if not 0 < id < 256 or len(data) > ELEMENT_MAX or count == 256:
            raise ValueError(f"a header extension has an id from 1 to 255 and up to 255 bytes, not {id}")
        held.append(data)
        ids[count] = id
        contents[count] = span(data)
        room += 2 + contents[count].size
        count += 1
    cdef bytes out = PyBytes_FromStringAndSize(NULL, room)
    room = write_block(contents, ids, count, <uint8_t *>PyBytes_AS_STRING(out), &one_byte)
    return ONE_BYTE if one_byte else TWO_BYTE, out[:room]


cdef class ExtensionIds:
    """Which id stands for which header extension. `FIELD_NAMES` are the attributes of what holds the
    values."""

    cdef object kind
    cdef uint8_t ids[FIELDS]
    cdef uint8_t fields[256]  # + 1; 0: the id is not known

    def __init__(self, kind):
        """`kind`: the class of what `get()` makes; an attribute that it does not set is the class's own."""
        self.kind = kind
        memset(self.ids, 0, sizeof(self.ids))
        memset(self.fields, 0, sizeof(self.fields))

    def set_id(self, name, id):
        """From now on `id` (1 to 255; 0: none) stands for the extension of that name."""
        cdef int field = NAMES.index(name)
        cdef uint8_t number = <uint8_t>to_number(id, 255, "the id of a header extension")
        if self.fields[self.ids[field]] == field + 1:
            self.fields[self.ids[field]] = 0
        self.ids[field] = number
        if number:
            self.fields[number] = field + 1

    def get(self, extension_profile, extension_value):
        """The values of an extension block. `ValueError` for a malformed one."""
        cdef rt_rtp packet
        cdef bytes data = to_bytes(extension_value)
        packet.profile = <uint16_t>to_number(extension_profile, 0xFFFF, "the profile of an extension block")
        packet.extensions = span(data)
        return self.read(&packet)

    def set(self, values):
        """(profile, content) of the extension block; (0, b"") without values."""
        cdef uint8_t block[BLOCK_MAX]
        cdef bint one_byte
        cdef size_t size = self.write(values, block, &one_byte)
        if size == 0:
            return 0, b""
        return ONE_BYTE if one_byte else TWO_BYTE, PyBytes_FromStringAndSize(<const char *>block, size)

    cdef object read(self, const rt_rtp *packet):
        cdef size_t at = 0
        cdef uint8_t id = 0
        cdef rt_span content
        cdef int field
        values = instance_of(self.kind, NOTHING)
        while next_element(packet, &at, &id, &content):
            field = self.fields[id] - 1
            if field >= 0:
                setattr(values, NAMES[field], read_value(field, content))
        return values

    cdef size_t write(self, object values, uint8_t *out, bint *one_byte) except? 0:
        """Into room for BLOCK_MAX bytes; returns how many."""
        cdef rt_span elements[FIELDS]
        cdef uint8_t ids[FIELDS]
        cdef uint8_t numbers[4 * FIELDS]
        cdef size_t count = 0
        cdef int field
        cdef list held = None  # whose bytes are borrowed
        for field in range(FIELDS):
            if self.ids[field] == 0:
                continue
            value = getattr(values, NAMES[field])
            if value is None:
                continue
            elements[count] = write_value(field, value, numbers + 4 * field)
            if SIZES[field] == 0:
                if held is None:
                    held = []
                held.append(value)
            ids[count] = self.ids[field]
            count += 1
        return write_block(elements, ids, count, out, one_byte) if count else 0


cdef object OWN_GET = ExtensionIds.get
cdef object OWN_SET = ExtensionIds.set


cdef class PacketFields:
    """One packet. Its fields are any objects until `serialize()`.

    A subclass says with `_extensions` of which class the values of its header extensions are.
    """

    cdef public object payload_type, marker, sequence_number, timestamp, ssrc, csrc, extensions, payload
    cdef public object padding_size

    _extensions = None

    def __init__(self, payload_type=0, marker=0, sequence_number=0, timestamp=0, ssrc=0, payload=b""):
        """`csrc`, `extensions` and `padding_size` are those of a packet without any."""
        self.payload_type = payload_type
        self.marker = marker
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload = payload
        self.csrc = []
        self.extensions = instance_of(self._extensions, NOTHING)
        self.padding_size = 0

    @classmethod
    def parse(cls, data, extensions_map=None):
        """Reads one datagram. `ValueError` when it is malformed."""
        cdef bytes datagram = to_bytes(data)
        cdef rt_rtp rtp
        cdef PacketFields self = instance_of(cls, NOTHING)
        cdef int i
        if rt_rtp_parse(span(datagram), &rtp) != RT_OK:
            raise ValueError("not an RTP packet: its header, extensions or padding do not fit")
        self.payload_type = rtp.payload_type
        self.marker = 1 if rtp.marker else 0
        self.sequence_number = rtp.sequence
        self.timestamp = rtp.timestamp
        self.ssrc = rtp.ssrc
        self.payload = copied(rtp.payload)
        self.padding_size = rtp.padding
        self.csrc = []
        for i in range(rtp.csrc_count):
            (<list>self.csrc).append(rt_load32(rtp.csrcs.data + 4 * i))
        if rtp.extensions.data == NULL or extensions_map is None:
            self.extensions = instance_of(cls._extensions, NOTHING)
        elif type(extensions_map).get is OWN_GET:
            self.extensions = (<ExtensionIds?>extensions_map).read(&rtp)
        else:
            self.extensions = extensions_map.get(rtp.profile, copied(rtp.extensions))
        return self

    def serialize(self, extensions_map=None):
        """The packet's bytes; its padding is zeros. `ValueError` for a value that does not fit its field."""
        cdef uint8_t csrcs[4 * RT_RTP_CSRCS_MAX]
        cdef uint8_t block[BLOCK_MAX]
        cdef bint one_byte = True
        cdef rt_rtp rtp
        cdef rt_writer writer
        cdef size_t size = 0
        cdef bytes content = None
        cdef bytes payload = to_bytes(self.payload)
        rtp.payload_type = <uint8_t>to_number(self.payload_type, 127, "payload_type")
        rtp.marker = bool(self.marker)
        rtp.sequence = <uint16_t>to_number(self.sequence_number, 0xFFFF, "sequence_number")
        rtp.timestamp = <uint32_t>to_number(self.timestamp, 0xFFFFFFFF, "timestamp")
        rtp.ssrc = <uint32_t>to_number(self.ssrc, 0xFFFFFFFF, "ssrc")
        rtp.padding = <uint8_t>to_number(self.padding_size, 255, "padding_size")
        rtp.csrc_count = 0
        for source in self.csrc:
            if rtp.csrc_count == RT_RTP_CSRCS_MAX:
                raise ValueError(f"a packet has at most {RT_RTP_CSRCS_MAX} CSRCs, not {len(self.csrc)}")
            rt_store32(csrcs + 4 * rtp.csrc_count, <uint32_t>to_number(source, 0xFFFFFFFF, "a CSRC"))
            rtp.csrc_count += 1
        rtp.csrcs = rt_span_of(csrcs, 4 * rtp.csrc_count)
        rtp.profile = 0
        rtp.extensions = rt_span_of(NULL, 0)
        rtp.payload = rt_span_of(NULL, 0)
        if extensions_map is not None:
            if type(extensions_map).set is OWN_SET:
                size = (<ExtensionIds?>extensions_map).write(self.extensions, block, &one_byte)
                if size:
                    rtp.profile = ONE_BYTE if one_byte else TWO_BYTE
                    rtp.extensions = rt_span_of(block, size)
            else:
                profile, content = extensions_map.set(self.extensions)
                if content:
                    if len(content) % 4 or len(content) > 4 * 0xFFFF:
                        raise ValueError(f"an extension block has whole words, not {len(content)} bytes")
                    rtp.profile = <uint16_t>to_number(profile, 0xFFFF, "the profile of an extension block")
                    rtp.extensions = span(content)
        cdef size_t header = rt_rtp_header_size(&rtp, NULL, NULL)
        size = header + PyBytes_GET_SIZE(payload) + rtp.padding
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t *p = <uint8_t *>PyBytes_AS_STRING(out)
        writer = rt_writer_of(rt_buffer_of(p, header))
        cdef rt_status status = rt_rtp_write_header(&writer, &rtp, NULL, NULL)
        if status != RT_OK:
            raise ValueError(f"writing an RTP packet: {rt_status_text(status).decode()}")
        memcpy(p + header, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))
        if rtp.padding:
            memset(p + size - rtp.padding, 0, rtp.padding)
            p[size - 1] = rtp.padding
        return out
