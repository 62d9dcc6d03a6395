"""Which names and addresses a list of hosts lets through."""

import pytest

from cellblock.errors import ConfigError
from cellblock.kernels.sandbox.allowed_hosts import AllowedHosts, parse_target


@pytest.mark.parametrize(
    ("entries", "asked", "allowed"),
    [
        (["packages.example"], "packages.example:443", True),
        (["packages.example"], "packages.example:80", True),
        (["packages.example"], "Packages.example.:443", True),
        (["Packages.EXAMPLE."], "packages.example:443", True),
        (["packages.example"], "packages.example:22", False),
        (["packages.example"], "files.packages.example:443", False),
        (["packages.example"], "notpackages.example:443", False),
        (["packages.example"], "packages.example.evil.example:443", False),
        (["*.packages.example"], "files.packages.example:443", True),
        (["*.packages.example"], "a.b.packages.example:443", True),
        (["*.packages.example"], "packages.example:443", False),
        (["*.packages.example"], "evilpackages.example:443", False),
        (["localhost:8443"], "localhost:8443", True),
        (["localhost:8443"], "localhost:443", False),
        (["10.1.0.0/16"], "10.1.2.3:443", True),
        (["10.1.0.0/16"], "10.2.2.3:443", False),
        (["192.0.2.7"], "192.0.2.7:443", True),
        (["127.0.0.1:42695"], "127.0.0.1:42695", True),
        (["127.0.0.1:42695"], "127.0.0.1:443", False),
        (["127.0.0.1:42695"], "127.0.0.1:80", False),
        (["[::1]:8443"], "[::1]:443", False),
        (["[2001:db8::1]:8443"], "[2001:db8:0::1]:8443", True),
        ([], "packages.example:443", False),
    ],
)
def test_names_are_exact_and_stars_are_suffixes(entries, asked, allowed):
    target = parse_target(asked)
    assert AllowedHosts(entries).names(target) is allowed


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("not an address", False),
    ],
)
def test_names_may_stand_for_public_addresses_only(address, public):
    assert AllowedHosts(["x.example"]).reaches(address) is public


def test_a_private_address_that_is_in_the_list_may_be_reached():
    allowed = AllowedHosts(["git.corp.example", "10.0.0.0/8"])
    assert allowed.reaches("10.1.2.3")
    assert not allowed.reaches("192.168.1.1")
    assert AllowedHosts(["localhost:8443", "127.0.0.1:8443"]).reaches("127.0.0.1")


@pytest.mark.parametrize(
    ("entries", "listed"),
    [
        ([], []),
        (["localhost:8443"], ["localhost"]),
        (["127.0.0.1", "[::1]:80"], ["127.0.0.1", "::1"]),
        (["127.0.0.0/8", "*.localhost"], []),
    ],
)
def test_what_is_in_the_list_itself_is_told_from_what_a_network_or_a_star_covers(entries, listed):
    assert [host for host in ("localhost", "127.0.0.1", "::1") if AllowedHosts(entries).lists(host)] == listed


@pytest.mark.parametrize(
    "text",
    ["packages.example", "packages.example:0", "packages.example:70000", ":443", "a b:443", "a/b:443", "*.x:443"],
)
def test_what_names_no_host_and_port_is_none(text):
    assert parse_target(text) is None


@pytest.mark.parametrize("entry", ["", "*", "https://x.example", "x.example/path", "a b", "*.*.example", "[::1"])
def test_an_entry_that_is_none_is_refused(entry):
    with pytest.raises(ConfigError):
        AllowedHosts([entry])
