"""What the benchmarks are given still loads: a benchmark that cannot begin measures nothing."""

from __future__ import annotations

from tests.benchmarks import bench_rules, bench_simulate


def test_every_policy_set_of_the_benchmarks_loads() -> None:
    assert len(bench_rules.crowded_set(16).policies) == 17
    assert len(bench_rules.hundred_set().policies) == 17
    for documents in (
        bench_simulate._RECORDED,
        bench_simulate._TRIED,
        bench_simulate._ELSEWHERE,
        bench_simulate._ADDED,
        bench_simulate._EDITED,
    ):
        assert bench_rules._policy_set(documents).policies
