"""How fast, how flat, how sparing: each module named in `BENCHMARKS` measures one of these.

Run with `python -m tests.benchmarks [NAME…] [--scale S] [--json] [--record]`. A benchmark is a module with one function
`measure(scale: float) -> Iterable[Figure]`, which hands over each figure as soon as it is known; *scale* 1.0 is what the README reports, smaller ones are for a quick look. Servers
run in processes of their own on loopback, and whatever is compared is measured in turn in the same run.
"""

BENCHMARKS = (
    "uncapped",
    "breakdown",
    "capped",
    "limited",
    "recipe",
    "directory",
    "resume",
    "deep",
    "startup",
    "memory",
    "doubts",
    "check",
)
"""In the order in which they run; to add one, add its module to this folder and its name here."""
