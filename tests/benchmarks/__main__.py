"""`make bench`: every benchmark, or those whose names are given."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks


def main(wanted: list[str]) -> None:
    """Run the benchmarks one after the other."""
    for module in pkgutil.iter_modules(tests.benchmarks.__path__):
        name = module.name.removeprefix("bench_")
        if module.name.startswith("bench_") and (not wanted or name in wanted):
            print(f"\n== {name} ==")
            importlib.import_module(f"tests.benchmarks.{module.name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
