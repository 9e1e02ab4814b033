"""TCP, which is off until it is asked for, and then wants a password."""

import socket

import psycopg
import pytest
from pgflow_cli.embedded import PortInUse, TcpUnavailable


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def fetch(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchone()[0]


def test_tcp_takes_the_password_and_only_the_password(server):
    url = server.start(tcp_port=0)
    tcp_url = server.tcp_url()
    assert fetch(tcp_url, "select host(inet_server_addr())") == "127.0.0.1"
    assert fetch(url, "select inet_server_addr()") is None
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(tcp_url, password="wrong")


def test_the_port_that_is_asked_for_is_the_one(server):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server.start(tcp_port=port)
    assert f":{port}/" in server.tcp_url()
    # Asking again for what is there already, or for any port, is no conflict.
    server.start(tcp_port=port)
    server.start(tcp_port=0)
    server.start()


def test_a_port_in_use_is_told_and_starts_nothing(server, taken_port):
    with pytest.raises(PortInUse, match=f"port {taken_port} .* is in use") as caught:
        server.start(tcp_port=taken_port)
    assert caught.value.port == taken_port
    assert not server.is_running()
    assert not server.data.exists()
    assert fetch(server.start(), "select 1") == 1


def test_a_server_that_runs_without_tcp_is_not_restarted_for_it(server, taken_port):
    url = server.start()
    with pytest.raises(TcpUnavailable, match="pgflow db stop"):
        server.start(tcp_port=0)
    assert fetch(url, "select 1") == 1
    server.stop()
    server.start(tcp_port=0)
    with pytest.raises(TcpUnavailable, match="runs already, with TCP port"):
        server.start(tcp_port=taken_port)


def test_tcp_is_off_again_at_the_next_start(server):
    server.start(tcp_port=0)
    server.stop()
    server.start()
    assert server.tcp_url() is None
