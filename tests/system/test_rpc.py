# SPDX-License-Identifier: Apache-2.0
"""The rpc room as other people's clients see it, good ones and bad ones."""

import os
import socket
import ssl
import subprocess
import threading

import grpc
import pytest

from rpc_fixtures import EDGE, SERVER_NAME, echo  # noqa: F401 (a fixture)
from grpc.health.v1 import health_pb2, health_pb2_grpc
from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc
from grpc.reflection.v1alpha import reflection_pb2 as alpha_pb2
from grpc.reflection.v1alpha import reflection_pb2_grpc as alpha_pb2_grpc
from google.protobuf import descriptor_pb2
from holdfast.keyd.v1 import signer_pb2, signer_pb2_grpc

TIMEOUT = 60
SERVICES = {
    "holdfast.keyd.v1.Signer", "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}


def sign(channel, content=b"hello", timeout=TIMEOUT, **kwargs):
    return signer_pb2_grpc.SignerStub(channel).Sign(
        signer_pb2.SignRequest(id=7, content=content, scheme=0x0403),
        timeout=timeout, **kwargs)


def batch(first, n=1, content=b"x"):
    return signer_pb2.SignBatch(requests=[
        signer_pb2.SignRequest(id=first + i, content=content) for i in range(n)])


def refusal(call):
    """The code and words of a call that must fail."""
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), error.value.details()


@pytest.fixture
def channel(echo):  # noqa: F811
    with echo.channel() as c:
        yield c


@pytest.fixture
def serves_on(echo):  # noqa: F811
    """Whatever the test did: a good client is served afterwards."""
    yield
    with echo.channel() as c:
        assert sign(c).signature == b"hello"


# ---- good clients ----


def test_a_unary_call_is_answered_and_knows_its_caller(channel):
    response = sign(channel)
    assert (response.id, response.signature, response.why) == (7, b"hello", EDGE)


def test_a_refusal_has_its_code_and_words(channel):
    assert refusal(lambda: sign(channel, b"refuse")) == (
        grpc.StatusCode.PERMISSION_DENIED, f"no grant for scheme 0x0403 to {EDGE}")


def test_a_deadline_is_kept(channel):
    sign(channel)
    code, _ = refusal(lambda: sign(channel, b"sleep", timeout=0.2))
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert sign(channel).signature == b"hello"


def test_an_unknown_method_is_unimplemented(channel):
    call = channel.unary_unary("/holdfast.keyd.v1.Signer/Decrypt")
    assert refusal(lambda: call(b"", timeout=TIMEOUT)) == (
        grpc.StatusCode.UNIMPLEMENTED, "there is no such method")


def test_metadata_of_the_caller_does_no_harm(channel):
    assert sign(channel, metadata=[("x-a", "b"), ("x-bin", b"\0\xff")]).id == 7


def test_a_stream_answers_batches_in_order(channel):
    stub = signer_pb2_grpc.SignerStub(channel)
    sizes = [1, 16, 256, 3, 64]
    firsts = [sum(sizes[:i]) for i in range(len(sizes))]
    replies = stub.SignStream(
        (batch(f, n) for f, n in zip(firsts, sizes)), timeout=TIMEOUT)
    ids = [r.id for reply in replies for r in reply.responses]
    assert ids == list(range(sum(sizes)))


def test_a_stream_that_is_half_closed_at_once_ends_ok(channel):
    stub = signer_pb2_grpc.SignerStub(channel)
    call = stub.SignStream(iter(()), timeout=TIMEOUT)
    assert list(call) == []
    assert call.code() == grpc.StatusCode.OK


def test_many_streams_of_one_connection_do_not_mix(channel):
    stub = signer_pb2_grpc.SignerStub(channel)
    calls = [stub.SignStream(iter([batch(i * 1000, 8)]), timeout=TIMEOUT) for i in range(32)]
    for i, call in enumerate(calls):
        ids = [r.id for reply in call for r in reply.responses]
        assert ids == list(range(i * 1000, i * 1000 + 8))


# ---- health and reflection ----


@pytest.mark.parametrize("service", ["", "holdfast.keyd.v1.Signer"])
def test_health_check_says_serving(channel, service):
    stub = health_pb2_grpc.HealthStub(channel)
    response = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_health_check_of_an_unknown_service_is_not_found(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    code, _ = refusal(lambda: stub.Check(
        health_pb2.HealthCheckRequest(service="no.Such"), timeout=TIMEOUT))
    assert code == grpc.StatusCode.NOT_FOUND


def test_health_watch_is_told_of_each_change(echo, channel):  # noqa: F811
    stub = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    seen = [next(watch).status]
    for word in ("not-serving", "serving"):
        echo.tell(word)
        seen.append(next(watch).status)
    watch.cancel()
    r = health_pb2.HealthCheckResponse
    assert seen == [r.SERVING, r.NOT_SERVING, r.SERVING]


def test_health_watch_of_an_unknown_service_stays_open(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="no.Such"), timeout=TIMEOUT)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    assert watch.is_active()
    watch.cancel()


REFLECTIONS = pytest.mark.parametrize("pb2, stub_of", [
    (reflection_pb2, reflection_pb2_grpc.ServerReflectionStub),
    (alpha_pb2, alpha_pb2_grpc.ServerReflectionStub)], ids=["v1", "v1alpha"])


def reflect(channel, pb2, stub_of, **question):
    request = pb2.ServerReflectionRequest(**question)
    replies = list(stub_of(channel).ServerReflectionInfo(iter([request]), timeout=TIMEOUT))
    assert len(replies) == 1
    assert replies[0].original_request == request
    return replies[0]


@REFLECTIONS
def test_reflection_lists_the_services(channel, pb2, stub_of):
    reply = reflect(channel, pb2, stub_of, list_services="*")
    assert {s.name for s in reply.list_services_response.service} == SERVICES


@REFLECTIONS
@pytest.mark.parametrize("symbol, file", [
    ("holdfast.keyd.v1.Signer", "holdfast/keyd/v1/signer.proto"),
    ("holdfast.keyd.v1.Signer.SignStream", "holdfast/keyd/v1/signer.proto"),
    ("holdfast.keyd.v1.SignBatch", "holdfast/keyd/v1/signer.proto"),
    ("holdfast.keyd.v1.Context", "holdfast/keyd/v1/signer.proto"),
    ("grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"),
])
def test_reflection_finds_the_file_of_a_symbol(channel, pb2, stub_of, symbol, file):
    reply = reflect(channel, pb2, stub_of, file_containing_symbol=symbol)
    (octets,) = reply.file_descriptor_response.file_descriptor_proto
    assert descriptor_pb2.FileDescriptorProto.FromString(octets).name == file


@REFLECTIONS
def test_reflection_knows_files_by_name_and_says_what_it_has_not(channel, pb2, stub_of):
    name = "holdfast/keyd/v1/keys.proto"
    reply = reflect(channel, pb2, stub_of, file_by_filename=name)
    (octets,) = reply.file_descriptor_response.file_descriptor_proto
    proto = descriptor_pb2.FileDescriptorProto.FromString(octets)
    assert proto.name == name and len(proto.dependency) > 0
    for missing in ("holdfast.keyd.v1.Sign", "holdfast.keyd.v1.", "holdfast.keyd.v1", "",
                    "holdfast.keyd.v1.Signer.Nope", "holdfast.keyd.v1.Signer."):
        reply = reflect(channel, pb2, stub_of, file_containing_symbol=missing)
        assert reply.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], missing


# ---- clients that are refused ----


def test_a_foreign_ca_is_refused(echo, serves_on):  # noqa: F811
    leaf = echo.foreign.leaf("edge", f"URI:{EDGE}")
    with echo.channel(leaf) as c:
        assert refusal(lambda: sign(c))[0] == grpc.StatusCode.UNAVAILABLE


def test_no_certificate_is_refused(echo, serves_on):  # noqa: F811
    credentials = grpc.ssl_channel_credentials(echo.pki.ca.read_bytes())
    with grpc.secure_channel(
            f"127.0.0.1:{echo.port}", credentials,
            options=[("grpc.ssl_target_name_override", SERVER_NAME)]) as c:
        assert refusal(lambda: sign(c))[0] == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name, san", [
    ("dns", "DNS:fra-1.example"), ("two", f"URI:{EDGE},URI:spiffe://example/edge/b"),
    ("web", "URI:https://example/edge/fra-1")])
def test_a_certificate_without_one_spiffe_id_is_unauthenticated(
        echo, serves_on, name, san):  # noqa: F811
    with echo.channel(echo.pki.leaf(name, san)) as c:
        assert refusal(lambda: sign(c))[0] == grpc.StatusCode.UNAUTHENTICATED


def test_a_denied_identity_may_call_nothing_not_even_health(echo, serves_on):  # noqa: F811
    leaf = echo.pki.leaf("denied", "URI:spiffe://example/edge/denied")
    with echo.channel(leaf) as c:
        said = (grpc.StatusCode.PERMISSION_DENIED, "this identity may call nothing")
        assert refusal(lambda: sign(c)) == said
        assert refusal(lambda: health_pb2_grpc.HealthStub(c).Check(
            health_pb2.HealthCheckRequest(), timeout=TIMEOUT)) == said
        # Refused before it is parsed: not as the malformed message it is.
        call = c.unary_unary("/holdfast.keyd.v1.Signer/Sign")
        assert refusal(lambda: call(b"\xff\xff", timeout=TIMEOUT)) == said


def s_client(echo, *options):  # noqa: F811
    cert, key = echo.edge
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{echo.port}", "-CAfile",
         echo.pki.ca, "-cert", cert, "-key", key, "-alpn", "h2", *options],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", timeout=60)


def test_tls_1_2_is_refused_whatever_it_offers(echo, serves_on):  # noqa: F811
    new = s_client(echo, "-tls1_3")
    assert "New, TLSv1.3" in new.stdout
    for ciphers in ("DEFAULT", "ALL:@SECLEVEL=0", "ECDHE-PSK-CHACHA20-POLY1305"):
        old = s_client(echo, "-tls1_2", "-cipher", ciphers)
        assert "Cipher is (NONE)" in old.stdout
        assert "BEGIN CERTIFICATE" not in old.stdout
    # A pre-shared key finds nobody who shares it.
    psk = s_client(echo, "-tls1_2", "-cipher", "PSK", "-psk", "00" * 32)
    assert "Cipher is (NONE)" in psk.stdout


# ---- clients that misbehave ----


def test_a_malformed_message_is_an_invalid_argument(channel, serves_on):
    call = channel.unary_unary("/holdfast.keyd.v1.Signer/Sign")
    assert refusal(lambda: call(b"\xff\xff\xff", timeout=TIMEOUT)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "the request is not a message of the method's type")
    call = channel.stream_stream("/holdfast.keyd.v1.Signer/SignStream")
    assert refusal(lambda: list(call(iter([b"\xff\xff"]), timeout=TIMEOUT))) == (
        grpc.StatusCode.INVALID_ARGUMENT, "the message is not a SignBatch")


def test_an_oversized_message_exhausts_resources(channel, serves_on):
    big = b"x" * (300 * 1024)
    assert refusal(lambda: sign(channel, big))[0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    stub = signer_pb2_grpc.SignerStub(channel)
    code, _ = refusal(lambda: list(
        stub.SignStream(iter([batch(0, 1, big)]), timeout=TIMEOUT)))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_compressed_message_is_refused_and_never_inflated(channel, serves_on):
    bomb = b"\0" * (64 * 1024 * 1024)
    for content in (b"x" * 1000, bomb):
        code, _ = refusal(
            lambda: sign(channel, content, compression=grpc.Compression.Gzip))
        assert code == grpc.StatusCode.UNIMPLEMENTED
    stub = signer_pb2_grpc.SignerStub(channel)
    code, _ = refusal(lambda: list(stub.SignStream(
        iter([batch(0, 1, bomb)]), timeout=TIMEOUT, compression=grpc.Compression.Gzip)))
    assert code == grpc.StatusCode.UNIMPLEMENTED


def test_oversized_metadata_is_refused(channel, serves_on):
    code, _ = refusal(lambda: sign(channel, metadata=[("x-long", "y" * 20000)]))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_unary_call_without_a_message_is_refused(channel, serves_on):
    call = channel.stream_unary("/holdfast.keyd.v1.Signer/Sign")
    code, _ = refusal(lambda: call(iter(()), timeout=TIMEOUT))
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


def test_streams_given_up_half_way_do_no_harm(channel, serves_on):
    stub = signer_pb2_grpc.SignerStub(channel)
    go_on = threading.Event()

    def requests():
        yield batch(0, 4)
        go_on.wait(TIMEOUT)

    for _ in range(20):
        call = stub.SignStream(requests(), timeout=TIMEOUT)
        assert len(next(call).responses) == 4
        call.cancel()
    go_on.set()


def test_a_client_that_never_reads_is_held_back(echo, serves_on):  # noqa: F811
    content = b"x" * 16384
    # Without the probe the client's own window stays small.
    with echo.channel(options=[("grpc.http2.bdp_probe", 0)]) as c:
        stub = signer_pb2_grpc.SignerStub(c)
        sent = []

        def requests():
            for i in range(4000):
                sent.append(i)
                yield batch(i, 1, content)

        call = stub.SignStream(requests(), timeout=3)
        code, _ = refusal(lambda: call.result(timeout=TIMEOUT))
        assert code == grpc.StatusCode.DEADLINE_EXCEEDED
        # Not read while 1 MiB waits: that, and the buffers on the way.
        assert len(sent) < 1000


# ---- raw octets ----


def tls(echo, cert=None):  # noqa: F811
    context = ssl.create_default_context(cafile=echo.pki.ca)
    context.load_cert_chain(*(cert or echo.edge))
    context.set_alpn_protocols(["h2"])
    raw = socket.create_connection(("127.0.0.1", echo.port), timeout=TIMEOUT)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname=SERVER_NAME)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


def frame(kind, flags, stream, payload):
    return (len(payload).to_bytes(3, "big") + bytes([kind, flags])
            + stream.to_bytes(4, "big") + payload)


def literal(name, value):
    """HPACK: literal without indexing, no Huffman (RFC 7541 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


HEADERS = b"".join(literal(k, v) for k, v in [
    (b":method", b"POST"), (b":scheme", b"https"), (b":authority", SERVER_NAME.encode()),
    (b":path", b"/holdfast.keyd.v1.Signer/Sign"), (b"te", b"trailers"),
    (b"content-type", b"application/grpc")])


def call_octets(message, end=True):
    body = b"\0" + len(message).to_bytes(4, "big") + message
    return (PREFACE + frame(1, 4, 1, HEADERS)
            + frame(0, 1 if end else 0, 1, body))


def read_until(connection, wanted):
    got = b""
    while wanted not in got:
        piece = connection.recv(65536)
        assert piece, f"closed before {wanted!r} came"
        got += piece
    return got


def test_garbage_instead_of_tls_does_no_harm(echo, serves_on):  # noqa: F811
    for octets in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\x16\x03\x01\xff\xff", b""):
        with socket.create_connection(("127.0.0.1", echo.port), timeout=TIMEOUT) as raw:
            raw.sendall(octets)


def test_garbage_inside_tls_does_no_harm(echo, serves_on):  # noqa: F811
    for octets in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), PREFACE + os.urandom(4096),
                   PREFACE + frame(1, 4, 1, os.urandom(300)),
                   PREFACE + frame(1, 0, 1, HEADERS[:20]),
                   PREFACE + frame(0, 1, 1, b"no headers before"),
                   PREFACE + frame(8, 0, 0, b"\0\0\0\0")):
        with tls(echo) as connection:
            connection.settimeout(1)  # some of it is the start of more
            connection.sendall(octets)
            try:
                while connection.recv(65536):
                    pass
            except (OSError, TimeoutError):
                pass


def test_a_call_in_writes_of_one_octet_is_answered(echo, serves_on):  # noqa: F811
    message = signer_pb2.SignRequest(id=7, content=b"drop by drop").SerializeToString()
    with tls(echo) as connection:
        for octet in call_octets(message):
            connection.sendall(bytes([octet]))
        assert b"drop by drop" in read_until(connection, b"grpc-status")


def test_a_message_cut_short_does_no_harm(echo, serves_on):  # noqa: F811
    message = signer_pb2.SignRequest(id=7, content=b"x" * 100).SerializeToString()
    with tls(echo) as connection:
        connection.sendall(call_octets(message, end=False)[:-50])
    with tls(echo) as connection:
        body = b"\0" + (200).to_bytes(4, "big") + b"half"
        connection.sendall(PREFACE + frame(1, 4, 1, HEADERS) + frame(0, 1, 1, body))
        read_until(connection, b"grpc-status")


def test_hundreds_of_connections_come_and_go(echo, serves_on):  # noqa: F811
    held = [socket.create_connection(("127.0.0.1", echo.port), timeout=TIMEOUT)
            for _ in range(300)]
    connections = [tls(echo) for _ in range(20)]
    for connection in held + connections:
        connection.close()
