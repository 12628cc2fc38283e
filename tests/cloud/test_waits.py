import pytest

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
        ],
    )
    def test_seconds_and_dates_are_understood_and_bounded(self, text, seconds) -> None:
        assert retry_after_seconds({"retry-after": text}, AT) == seconds

    def test_no_header_says_nothing(self) -> None:
        assert retry_after_seconds({}, AT) is None


class TestBackOff:
    def test_a_wait_doubles_up_to_its_bound_and_half_of_it_is_random(self) -> None:
        assert [repeat_seconds(n, lambda: 1.0) for n in (1, 2, 3, 5, 50)] == [0.5, 1, 2, 8, 8]
        assert repeat_seconds(1, lambda: 0.0) == 0.25
        assert setback_seconds(1, lambda: 1.0) == 5.0
        assert setback_seconds(10_000, lambda: 1.0) == 3600.0
