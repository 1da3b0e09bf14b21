"""Counting a micro-turn: what must hold whatever the constants are."""

import pytest

from microturn.engine.plan import DEVICES, plan, table
from microturn.recipes.geometries import nano, small


def test_a_listening_turn_of_small_costs_its_active_weights_for_each_of_five_positions():
    result = plan("small", small(), DEVICES["h100"], num_devices=8)
    active = result.listening.tera_operations * 1e12 / 2 / 5
    assert active == pytest.approx(11.9e9, rel=0.15)  # attention on top, one unembedding in place of five


def test_small_needs_several_devices():
    assert not plan("small", small(), DEVICES["h100"]).fits
    assert "too little memory" in str(table(plan("small", small(), DEVICES["h100"])).title)
    assert plan("small", small(), DEVICES["h100"], num_devices=8).fits


def test_nano_runs_on_two_cores():
    result = plan("nano", nano(4096), DEVICES["cpu-2-cores"])
    assert result.fits
    assert result.speaking.time_ms > result.listening.time_ms


def test_more_sessions_cost_more_and_less_than_apart():
    one = plan("small", small(), DEVICES["h200"], num_devices=8)
    many = plan("small", small(), DEVICES["h200"], num_devices=8, num_sessions=8)
    assert one.speaking.time_ms < many.speaking.time_ms < 8 * one.speaking.time_ms
    assert one.speaking.traffic_gb < many.speaking.traffic_gb < 8 * one.speaking.traffic_gb


def test_the_largest_number_of_sessions_fits_and_one_more_does_not():
    num = plan("nano", nano(4096), DEVICES["cpu-2-cores"]).max_sessions
    assert plan("nano", nano(4096), DEVICES["cpu-2-cores"], num_sessions=num).fits
    assert not plan("nano", nano(4096), DEVICES["cpu-2-cores"], num_sessions=num + 1).fits


def test_devices_without_links_do_not_share_a_model():
    with pytest.raises(ValueError, match="cannot share"):
        plan("nano", nano(4096), DEVICES["cpu-2-cores"], num_devices=2)


def test_a_camera_costs_and_a_blind_geometry_has_no_row_for_it():
    sighted, blind = (plan("nano", nano(4096, can_see=sees), DEVICES["cpu-2-cores"]) for sees in (True, False))
    assert blind.watching is None
    assert sighted.watching is not None
    assert sighted.watching.time_ms > sighted.speaking.time_ms
    assert "speaking, camera on" in list(table(sighted).columns[0].cells)
