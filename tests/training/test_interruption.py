"""A signal to stop is noted, and obeyed when it is safe."""

import os
import signal

import pytest

from fgclep.training.interruption import noted_stop_signals


@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 0), (signal.SIGINT, 1)])
def test_a_signal_is_noted_and_only_a_second_ctrl_c_obeyed(number, times):
    obeyed = []

    def handler(*args):
        obeyed.append(number)

    before = signal.signal(number, handler)
    try:
        with noted_stop_signals() as stop:
            assert stop.number == 0
            os.kill(os.getpid(), number)
            assert stop.number == number and not obeyed
            os.kill(os.getpid(), number)
            assert stop.number == number and len(obeyed) == times
        assert signal.getsignal(number) == handler
    finally:
        signal.signal(number, before)


def test_without_a_signal_all_is_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with noted_stop_signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
