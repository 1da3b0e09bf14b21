"""Keys at rest, client secrets, and how many an address may hold or guess."""

from pathlib import Path

import pytest

from microturn.errors import MicroturnError
from microturn.server.admission import Admission, Good
from microturn.server.keys import (
    ALL_RIGHTS,
    ANYBODY,
    ClientSecrets,
    Holder,
    KeyRing,
    Right,
    RightsError,
    add_key,
    read_keys,
)
from microturn.server.limits import Limits, SharedLimits
from microturn.turns.timing import ns_of_ms


def test_a_file_keeps_hashes_only_and_the_key_opens(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    key = add_key(path, "page", frozenset({Right.CONNECT}))
    other = add_key(path, "admin", ALL_RIGHTS)
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    ring = KeyRing(read_keys(path))
    assert ring.holder_of(key) == Holder(name="page", rights=frozenset({Right.CONNECT}))
    assert ring.holder_of(other) == Holder(name="admin")
    assert ring.holder_of("mt_wrong") is None
    with pytest.raises(ValueError, match="another name"):
        add_key(path, "page", ALL_RIGHTS)


@pytest.mark.parametrize("line", ["page", "page sha256:00 connect", "page sha256:zz connect", "p sha256:" + "0" * 64])
def test_a_broken_file_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(MicroturnError, match="line 3"):
        read_keys(path)


def test_a_client_secret_connects_for_its_time_and_nothing_else() -> None:
    secrets = ClientSecrets()
    secret = secrets.mint(Holder(name="page"), lasts_s=60, now_s=1_000)
    assert secrets.holder_of(secret, 1_059) == Holder(name="page", rights=frozenset({Right.CONNECT}))
    assert secrets.holder_of(secret, 1_060) is None
    assert secrets.holder_of("ek_wrong", 1_000) is None
    with pytest.raises(ValueError, match="7200"):
        secrets.mint(Holder(name="page"), lasts_s=8_000, now_s=0)


def test_a_client_secret_has_the_rights_chosen_within_its_makers() -> None:
    secrets = ClientSecrets()
    maker = Holder(name="page", rights=frozenset({Right.MINT, Right.CONTROL}))

    def rights_of(*rights: Right) -> frozenset[Right]:
        holder = secrets.holder_of(secrets.mint(maker, lasts_s=60, now_s=0, rights=frozenset(rights)), 1)
        assert holder is not None
        return holder.rights

    assert rights_of(Right.CONTROL) == {Right.CONTROL}
    assert rights_of(Right.CONNECT, Right.CONTROL) == {Right.CONNECT, Right.CONTROL}
    with pytest.raises(RightsError, match="metrics"):
        rights_of(Right.CONNECT, Right.METRICS)
    with pytest.raises(RightsError, match="mint"):
        rights_of(Right.MINT)
    with pytest.raises(RightsError, match="without rights"):
        rights_of()


def test_an_address_and_a_key_hold_so_many_connections() -> None:
    admission = Admission(Limits(max_connections_per_address=1, max_connections_per_key=2))
    assert admission.admits("192.0.2.7", "page")
    admission.enter("192.0.2.7", "page")
    assert not admission.admits("192.0.2.7", "other")
    assert admission.admits("192.0.2.8", "page")
    admission.enter(None, "page")
    assert not admission.admits("192.0.2.8", "page")
    admission.leave("192.0.2.7", "page")
    assert admission.admits("192.0.2.7", "page")


def test_an_address_may_guess_so_often() -> None:
    admission = Admission(Limits(max_wrong_keys_per_minute=3))
    assert [admission.may_guess("192.0.2.7", 0) for _ in range(4)] == [True, True, True, False]
    assert admission.may_guess("192.0.2.8", 0)
    assert admission.is_blocked("192.0.2.7", 0)
    assert not admission.is_blocked("192.0.2.8", 0)
    assert not admission.is_blocked(None, 0)
    assert not admission.is_blocked("192.0.2.7", ns_of_ms(20_000))
    assert admission.may_guess("192.0.2.7", ns_of_ms(20_000))


FEW = SharedLimits(
    max_requests_per_s=1.0, max_messages_per_s=2.0, max_chars_per_s=100.0, max_media_bytes_per_s=50.0, burst_s=2.0
)


def test_the_connections_of_a_key_share_one_allowance_wherever_they_come_from() -> None:
    admission = Admission(Limits(per_key=FEW))
    one, other = admission.allowance("192.0.2.7", "page"), admission.allowance(None, "page")
    assert [bool(each.shortage(Good.MESSAGES, 0)) for each in (one, other, one, other, one)] == [False] * 4 + [True]
    refused = other.shortage(Good.MESSAGES, 0)
    assert refused is not None
    assert refused.code == "rate_limit_exceeded"
    assert "this key: send less" in str(refused)
    assert not admission.allowance("192.0.2.7", "else").shortage(Good.MESSAGES, 0)
    assert not other.shortage(Good.MESSAGES, ns_of_ms(500))


def test_the_connections_of_an_address_share_one_allowance_whatever_their_keys() -> None:
    admission = Admission(Limits(per_address=FEW))
    assert not admission.allowance("192.0.2.7", "page").shortage(Good.CHARS, 0, 150)
    refused = admission.allowance("192.0.2.7", "else").shortage(Good.CHARS, 0, 60)
    assert "this address" in str(refused)
    assert not admission.allowance("192.0.2.7", "page").shortage(Good.CHARS, 0, 50)  # a refusal has taken nothing
    assert not admission.allowance("192.0.2.8", "page").shortage(Good.CHARS, 0, 150)


def test_this_machine_without_a_key_shares_with_nobody() -> None:
    allowance = Admission(Limits(per_key=FEW, per_address=FEW)).allowance(None, ANYBODY.name)
    assert not any(allowance.shortage(good, 0, 1_000) for good in Good)
