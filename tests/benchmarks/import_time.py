"""How much `import keras_lr` adds to `import keras`: fresh processes, alternating, medians.

    python tests/benchmarks/import_time.py
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 9


def seconds(statement):
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True)
    return time.perf_counter() - begin


def main():
    times = {"import keras": [], "import keras_lr": []}
    for statement in times:
        seconds(statement)
    for _ in range(ROUNDS):
        for statement, taken in times.items():
            taken.append(seconds(statement))
    keras, ours = (statistics.median(taken) for taken in times.values())
    pairs = [b - a for a, b in zip(*times.values())]
    print(f"import keras    {keras:.3f} s (median of {ROUNDS})")
    print(f"import keras_lr {ours:.3f} s")
    print(f"added           {statistics.median(pairs) * 1000:+.0f} ms (median of the pairs)")
    print(f"aim             at most {0.02 * keras * 1000 + 30:.0f} ms (2 % + 30 ms)")


if __name__ == "__main__":
    main()
