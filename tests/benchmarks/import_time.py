"""How much `import keras_lr` adds to `import keras`: both timed in each of several processes.

Run `python tests/benchmarks/import_time.py`, with KERAS_BACKEND set for each back end.
"""

import statistics
import subprocess
import sys

ROUNDS = 9
SCRIPT = """
import time
begin = time.perf_counter()
import keras
middle = time.perf_counter()
import keras_lr
print(middle - begin, time.perf_counter() - middle)
"""


def times():
    output = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    ).stdout
    return tuple(float(word) for word in output.splitlines()[-1].split())


def main():
    times()
    keras, ours = (statistics.median(column) for column in zip(*(times() for _ in range(ROUNDS))))
    print(f"import keras            {keras:.2f} s (median of {ROUNDS})")
    print(f"import keras_lr on top  {ours * 1000:.0f} ms")
    print(f"aim                     at most {0.02 * keras * 1000 + 30:.0f} ms (2 % + 30 ms)")


if __name__ == "__main__":
    main()
