import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.waits import repeat_seconds, retry_after_seconds, setback_seconds
from tests.cloud.scripted import AT


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("17", 17.0),
            (" 0.5 ", 0.5),
            ("-3", 0.0),
            ("Mon, 02 Mar 2026 09:01:00 GMT", 60.0),
            ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),
            ("999999999", 86_400.0),
            ("inf", 86_400.0),
            ("nan", None),
            ("soon", None),
            ("", None),
            ("17 seconds", 17.0),
            ("2m", 120.0),
            ('"17"', 17.0),
            ("00:02:00", 120.0),
            ("1.00:00:00", 86_400.0),
            ("PT1M30.5S", 90.5),
            ("P", None),
            ("2026-03-02T09:01:00Z", 60.0),
            ("2026-03-02T09:01:00", 60.0),
            ("Monday, 02-Mar-26 09:01:00 GMT", 60.0),
            ("Mon Mar  2 09:01:00 2026", 60.0),
            ("5, 30", 30.0),
            ("soon, 30", 30.0),
            ("9999-12-31T23:59:59+14:00", 86_400.0),
            ("0001-01-01T00:00:00-14:00", 0.0),
            ("9" * 400, 86_400.0),
            ("," * 10_000, None),
        ],
    )
    def test_seconds_and_dates_are_understood_and_bounded(self, text, seconds) -> None:
        assert retry_after_seconds({"retry-after": text}, AT) == seconds

    @pytest.mark.parametrize("name", ["retry-after-ms", "x-ms-retry-after-ms"])
    def test_milliseconds_have_names_of_their_own_and_the_longest_wait_counts(self, name) -> None:
        assert retry_after_seconds({name: "1500"}, AT) == 1.5
        assert retry_after_seconds({"retry-after": "1", name: "1500"}, AT) == 1.5
        assert retry_after_seconds({"retry-after": "2", name: "1500"}, AT) == 2.0

    @given(st.text())
    def test_no_text_is_more_than_a_wait(self, text: str) -> None:
        seconds = retry_after_seconds({"retry-after": text}, AT)
        assert seconds is None or 0.0 <= seconds <= 86_400.0

    def test_no_header_says_nothing(self) -> None:
        assert retry_after_seconds({}, AT) is None


class TestBackOff:
    def test_a_wait_doubles_up_to_its_bound_and_half_of_it_is_random(self) -> None:
        assert [repeat_seconds(n, lambda: 1.0) for n in (1, 2, 3, 5, 50)] == [0.5, 1, 2, 8, 8]
        assert repeat_seconds(1, lambda: 0.0) == 0.25
        assert setback_seconds(1, lambda: 1.0) == 5.0
        assert setback_seconds(10_000, lambda: 1.0) == 3600.0
