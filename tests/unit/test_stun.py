"""rtcore.native.stun: RFC vectors, round trips, and aioice's codec as the judge of ours."""

import aioice.stun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcore.native.stun import Attribute, Key, Message, build, is_stun, transaction_id

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
USER = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"

RFC5769_2_1 = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
RFC5769_2_2 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RFC5769_2_3 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
RFC5769_2_4 = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
RFC8489_B_1 = bytes.fromhex(  # with erratum 6268
    "000100902112a44278ad3433c6ad72c029da412e"
    "001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39"
    "4653547679363473410000000014000b6578616d706c652e6f726700001d000400020000"
    "001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65"
)


def test_rfc5769_2_1_request() -> None:
    message = Message.parse(RFC5769_2_1)
    assert (message.kind, message.method, message.transaction_id) == ("request", 1, TRANSACTION)
    assert message.software == "STUN test client"
    assert message.username == b"evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert message.ice_controlled == 0x932FF9B151263B36
    assert message.ice_controlling is None
    assert message.has_fingerprint
    assert not message.use_candidate
    assert message.verify(PASSWORD)
    assert message.verify(Key(PASSWORD.encode()))
    assert not message.verify("wrong")
    assert not message.verify(PASSWORD, "sha256")
    assert bytes(message) == RFC5769_2_1
    assert is_stun(RFC5769_2_1)


@pytest.mark.parametrize(
    ("data", "host"),
    [(RFC5769_2_2, "192.0.2.1"), (RFC5769_2_3, "2001:db8:1234:5678:11:2233:4455:6677")],
    ids=["2.2-ipv4", "2.3-ipv6"],
)
def test_rfc5769_responses(data: bytes, host: str) -> None:
    message = Message.parse(data)
    assert message.kind == "success"
    assert message.software == "test vector"
    assert message.mapped_address == (host, 32853)
    assert message.verify(PASSWORD)
    rebuilt = build(
        "success",
        TRANSACTION,
        [(Attribute.SOFTWARE, "test vector"), (Attribute.XOR_MAPPED_ADDRESS, (host, 32853))],
        key=PASSWORD,
    )
    assert len(rebuilt) == len(data)
    assert rebuilt[36 : data.index(b"\0\x08\0\x14")] == data[36 : data.index(b"\0\x08\0\x14")]


def test_rfc5769_2_4_long_term() -> None:
    message = Message.parse(RFC5769_2_4)
    assert message.username is not None
    assert message.username.decode() == USER
    assert (message.realm, message.nonce) == (b"example.org", b"f//499k954d6OL34oL9FSTvy64sA")
    assert message.verify(Key.long_term(USER, "example.org", "TheMatrIX"))
    attributes = [
        (Attribute.USERNAME, USER),
        (Attribute.NONCE, message.nonce),
        (Attribute.REALM, "example.org"),
    ]
    key = Key.long_term(USER, "example.org", "TheMatrIX")
    assert build("request", message.transaction_id, attributes, key=key, fingerprint=False) == RFC5769_2_4


def test_rfc8489_b_1_sha256() -> None:
    message = Message.parse(RFC8489_B_1)
    key = Key.long_term(USER, "example.org", "TheMatrIX", algorithm="sha256")
    assert message.verify(key, "sha256")
    assert not message.verify(key, "sha1")
    attributes = [(type, value) for type, value in message.attributes if type != 0x1C]
    rebuilt = build(
        "request", message.transaction_id, attributes, key=key, algorithms=["sha256"], fingerprint=False
    )
    assert rebuilt == RFC8489_B_1


def test_errors_and_unknown_attributes() -> None:
    data = build(
        "error",
        TRANSACTION,
        [
            (Attribute.ERROR_CODE, (420, "Unknown Attribute")),
            (Attribute.UNKNOWN_ATTRIBUTES, [0x7777, 0x7778]),
            (Attribute.ALTERNATE_SERVER, ("2001:db8::1", 3478)),
            (0x7777, b"?"),
            (0xF777, b"may be ignored"),
        ],
    )
    message = Message.parse(data)
    assert message.error == (420, "Unknown Attribute")
    assert message.alternate_server == ("2001:db8::1", 3478)
    assert message.unknown_attributes == (0x7777,)
    assert dict(message.attributes)[Attribute.UNKNOWN_ATTRIBUTES] == b"\x77\x77\x77\x78"


@pytest.mark.parametrize("size", range(len(RFC5769_2_1)))
def test_truncated(size: int) -> None:
    with pytest.raises(ValueError, match="not a STUN message"):
        Message.parse(RFC5769_2_1[:size])


def test_corrupted_fingerprint() -> None:
    data = bytearray(RFC5769_2_1)
    data[30] ^= 1
    with pytest.raises(ValueError, match="fingerprint"):
        Message.parse(data)


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_any_buffer(form: type) -> None:
    assert Message.parse(form(RFC5769_2_1)).verify(form(PASSWORD.encode()))
    assert is_stun(form(RFC5769_2_1))


@pytest.mark.parametrize(
    ("kind", "transaction", "attributes"),
    [
        ("reply", TRANSACTION, []),
        ("request", b"short", []),
        ("request", TRANSACTION, [(0x10000, b"")]),
        ("request", TRANSACTION, [(Attribute.XOR_MAPPED_ADDRESS, ("nowhere", 1))]),
        ("request", TRANSACTION, [(Attribute.XOR_MAPPED_ADDRESS, ("192.0.2.1", 65536))]),
        ("error", TRANSACTION, [(Attribute.ERROR_CODE, (700, ""))]),
        ("request", TRANSACTION, [(Attribute.SOFTWARE, b"x" * 4000)]),
    ],
)
def test_wrong_arguments(kind: str, transaction: bytes, attributes: list[tuple[int, object]]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each breaks another rule
        build(kind, transaction, attributes)  # type: ignore[arg-type]


def test_transaction_ids_differ() -> None:
    assert len({transaction_id() for _ in range(100)}) == 100
    assert len(transaction_id()) == 12


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=60)
# IPv4-mapped addresses are left out: RFC 5952 writes them with dots, Python 3.11 does not.
IPS = st.ip_addresses().filter(lambda ip: getattr(ip, "ipv4_mapped", None) is None)
ADDRESS = st.tuples(IPS.map(str), st.integers(0, 65535))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "USERNAME": TEXT,
        "REALM": TEXT,
        "NONCE": st.binary(max_size=60),
        "SOFTWARE": TEXT,
        "XOR-MAPPED-ADDRESS": ADDRESS,
        "PRIORITY": st.integers(0, 2**32 - 1),
        "USE-CANDIDATE": st.none(),
        "ICE-CONTROLLING": st.integers(0, 2**64 - 1),
        "ERROR-CODE": st.tuples(st.integers(300, 699), TEXT),
    },
)
TRANSACTIONS = st.binary(min_size=12, max_size=12)


@given(TRANSACTIONS, FIELDS, TEXT)
def test_aioice_reads_what_we_build(transaction: bytes, fields: dict[str, object], password: str) -> None:
    attributes = [(Attribute[name.replace("-", "_")], value) for name, value in fields.items()]
    data = build("error" if "ERROR-CODE" in fields else "success", transaction, attributes, key=password)
    theirs = aioice.stun.parse_message(data)
    assert theirs.check_message_integrity(password.encode())
    assert theirs.transaction_id == transaction
    for name, value in fields.items():
        assert theirs.attributes[name] == value


@given(TRANSACTIONS, FIELDS, TEXT)
def test_we_read_what_aioice_builds(transaction: bytes, fields: dict[str, object], password: str) -> None:
    message_class = aioice.stun.Class.ERROR if "ERROR-CODE" in fields else aioice.stun.Class.RESPONSE
    theirs = aioice.stun.Message(aioice.stun.Method.BINDING, message_class, transaction, dict(fields))
    theirs.add_message_integrity(password.encode())
    message = Message.parse(bytes(theirs))
    assert message.verify(password)
    assert message.has_fingerprint
    assert message.transaction_id == transaction
    ours = {
        "USERNAME": message.username and message.username.decode(),
        "REALM": message.realm and message.realm.decode(),
        "NONCE": message.nonce,
        "SOFTWARE": message.software,
        "XOR-MAPPED-ADDRESS": message.mapped_address,
        "PRIORITY": message.priority,
        "ICE-CONTROLLING": message.ice_controlling,
        "ERROR-CODE": message.error,
    }
    for name, value in fields.items():
        if name == "USE-CANDIDATE":
            assert message.use_candidate
        else:
            assert ours[name] == value or (not value and not ours[name])


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_raise_value_error(data: bytes) -> None:
    for candidate in (
        data,
        b"\0\1" + len(data).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + TRANSACTION + data,
    ):
        try:
            message = Message.parse(candidate)
        except ValueError:
            continue
        message.verify(PASSWORD)
        assert isinstance(message.attributes, tuple)
