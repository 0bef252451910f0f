"""get_stats(): the W3C's objects, with the members that WebRTC section 8.6 makes mandatory."""

import asyncio
import base64
import hashlib
import time
from typing import Any

import pytest

import rtcore
from rtcore.connection import stats

MANDATORY = {
    "peer-connection": {"dataChannelsOpened", "dataChannelsClosed"},
    "data-channel": {
        "label",
        "protocol",
        "dataChannelIdentifier",
        "state",
        "messagesSent",
        "bytesSent",
        "messagesReceived",
        "bytesReceived",
    },
    "transport": {
        "bytesSent",
        "bytesReceived",
        "selectedCandidatePairId",
        "localCertificateId",
        "remoteCertificateId",
    },
    "candidate-pair": {
        "transportId",
        "localCandidateId",
        "remoteCandidateId",
        "state",
        "nominated",
        "bytesSent",
        "bytesReceived",
        "totalRoundTripTime",
        "responsesReceived",
        "currentRoundTripTime",
    },
    "local-candidate": {"address", "port", "protocol", "candidateType"},
    "remote-candidate": {"address", "port", "protocol", "candidateType"},
    "certificate": {"fingerprint", "fingerprintAlgorithm", "base64Certificate"},
}
REFERENCES = {
    "transportId": "transport",
    "localCandidateId": "local-candidate",
    "remoteCandidateId": "remote-candidate",
    "selectedCandidatePairId": "candidate-pair",
    "localCertificateId": "certificate",
    "remoteCertificateId": "certificate",
}


async def connected_reports() -> tuple[list[stats.Report], list[stats.Report]]:
    """Reports of both ends, one before and one after another message."""
    options: Any = {"interfaces": ["127.0.0.1"]}
    async with rtcore.PeerConnection(**options) as a, rtcore.PeerConnection(**options) as b:
        channel = a.create_data_channel("label", protocol="protocol")
        arrived = asyncio.get_running_loop().create_future()
        b.on("datachannel", arrived.set_result)
        await a.set_local_description()
        await a.gathered()
        await b.set_remote_description(a.local_description)
        await b.set_local_description()
        await b.gathered()
        await a.set_remote_description(b.local_description)
        await channel.send(b"12345")
        await (await arrived).receive()
        first = [await a.get_stats(), await b.get_stats()]
        await channel.send("123")
        await (await arrived).receive()
        return first, [await a.get_stats(), await b.get_stats()]


@pytest.fixture(scope="module")
def reports() -> tuple[list[stats.Report], list[stats.Report]]:
    return asyncio.run(connected_reports())


def of_type(report: stats.Report, type: str) -> list[dict[str, Any]]:
    return [item for item in report.values() if item["type"] == type]


def test_mandatory_members(reports: Any) -> None:
    for report in reports[1]:
        for type, members in MANDATORY.items():
            items = of_type(report, type)
            assert items, type
            for item in items:
                if type == "candidate-pair" and item["state"] != "succeeded":
                    members = members - {"currentRoundTripTime"}
                assert members <= item.keys(), type


def test_ids_and_references(reports: Any) -> None:
    for before, after in zip(*reports, strict=True):
        assert before.keys() <= after.keys(), "ids are stable"
        for id, item in after.items():
            assert item["id"] == id
            assert item["timestamp"] == pytest.approx(time.time() * 1000, abs=60_000)
            for member, type in REFERENCES.items():
                if member in item:
                    assert after[item[member]]["type"] == type


def test_counters(reports: Any) -> None:
    (before, _), (sender, receiver) = reports
    (one,) = of_type(sender, "data-channel")
    (two,) = of_type(receiver, "data-channel")
    assert (one["messagesSent"], one["bytesSent"], one["messagesReceived"]) == (2, 8, 0)
    assert (two["messagesReceived"], two["bytesReceived"], two["messagesSent"]) == (2, 8, 0)
    assert (one["label"], one["protocol"], one["state"]) == ("label", "protocol", "open")
    assert one["dataChannelIdentifier"] == two["dataChannelIdentifier"] == 1
    for report in (sender, receiver):
        (connection,) = of_type(report, "peer-connection")
        assert (connection["dataChannelsOpened"], connection["dataChannelsClosed"]) == (1, 0)
    assert sender["T0"]["bytesSent"] > before["T0"]["bytesSent"]
    assert sender["T0"]["packetsSent"] > before["T0"]["packetsSent"]


def test_transport(reports: Any) -> None:
    for report, role, ice_role in zip(
        reports[1], ("server", "client"), ("controlling", "controlled"), strict=True
    ):
        transport = report["T0"]
        assert (transport["dtlsRole"], transport["iceRole"]) == (role, ice_role)
        assert (transport["dtlsState"], transport["tlsVersion"]) == ("connected", "FEFD")
        assert transport["iceState"] in ("connected", "completed")
        assert "GCM" in transport["dtlsCipher"]
        selected = report[transport["selectedCandidatePairId"]]
        assert (selected["nominated"], selected["state"]) == (True, "succeeded")
        assert report[selected["localCandidateId"]]["address"] == "127.0.0.1"


def test_certificates(reports: Any) -> None:
    ends = reports[1]
    for report in ends:
        for certificate in of_type(report, "certificate"):
            der = base64.b64decode(certificate["base64Certificate"])
            assert certificate["fingerprint"] == hashlib.sha256(der).digest().hex(":").upper()
    assert ends[0]["T0"]["localCertificateId"] == ends[1]["T0"]["remoteCertificateId"]
    assert ends[1]["T0"]["localCertificateId"] == ends[0]["T0"]["remoteCertificateId"]


def test_before_and_after() -> None:
    async def main() -> None:
        pc = rtcore.PeerConnection()
        pc.create_data_channel("x")
        report = await pc.get_stats()
        assert {item["type"] for item in report.values()} == {
            "peer-connection",
            "certificate",
            "data-channel",
        }
        await pc.close()
        report = await pc.get_stats()
        assert {item["type"] for item in report.values()} == {"peer-connection", "certificate"}

    asyncio.run(main())
