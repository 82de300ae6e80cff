import socket

import pytest

from rmldnn.engine.route import interface


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.1.1", "::1"])
def test_loopback(address):
    assert interface(address) == "lo"


def test_an_address_of_another_machine_has_none():
    assert interface("192.0.2.1") is None  # kept for documentation
    assert interface("2001:db8::1") is None


def test_the_way_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs a network")
        assert interface(probe.getsockname()[0]) in {name for _, name in socket.if_nameindex()} - {"lo"}
