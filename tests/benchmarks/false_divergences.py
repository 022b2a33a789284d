"""How often `RecoverFromDivergence` takes a plain curve for a divergence, and finds a jump by ten.

Run `python tests/benchmarks/false_divergences.py` (two minutes); no training, only its rule.
"""

import numpy as np

from keras_lr.callbacks import RecoverFromDivergence

EPOCHS, RUNS = 100, 250
t = np.arange(EPOCHS + 1)
# A floor of the rate, as the waves of the restarts go to 0.
RATES = {
    period: 0.5 * (1 + np.cos(np.pi * (t % period) / period)) + 1e-3 for period in (10, 25, 50)
}
SHAPES = {
    "falling to a floor": 2.3 * np.exp(-t / 15) + 0.05,
    "falling as a power": 2.3 * (1 + t) ** -0.7,
    "falling deep": 2.3 * np.exp(-t / 10) + 1e-4,
    "flat": np.ones(EPOCHS + 1),
    "steps": np.where(t < 30, 2.3 * np.exp(-t / 6) + 0.8, np.where(t < 60, 0.4, 0.2)),
    "catapult": 2.3 * np.exp(-t / 15) + 0.05 + 2.3 * np.exp(-((t - 3) ** 2) / 2),
    "overfitting": np.exp(-t / 10) + 0.3 + 0.01 * t,
    "restarts, 10": 2.3 * np.exp(-t / 30) * (0.3 + 0.7 * RATES[10]) + 0.02,
    "restarts, 25, to 17 %": 2.3 * np.exp(-t / 10) + 0.4 * RATES[25] + 0.005,
    "restarts, 50, to 22 %": 2.3 * np.exp(-t / 8) + 0.5 * RATES[50] + 0.005,
}


def correlated(draws):
    """Returns noise of standard deviation 0.3, of which 0.9 stays from epoch to epoch."""
    noise = np.zeros(len(draws))
    for i in range(1, len(draws)):
        noise[i] = 0.9 * noise[i - 1] + 0.3 * np.sqrt(1 - 0.9**2) * draws[i]
    return noise


NOISES = {
    "normal 5 %": lambda r: abs(1 + 0.05 * r.normal(size=EPOCHS)),
    "normal 20 %": lambda r: abs(1 + 0.2 * r.normal(size=EPOCHS)),
    "log-normal 0.3": lambda r: np.exp(0.3 * r.normal(size=EPOCHS)),
    "Student 3, 10 %": lambda r: 1 + 0.1 * r.standard_t(3, size=EPOCHS),
    "correlated 0.3": lambda r: np.exp(correlated(r.normal(size=EPOCHS))),
    "log-normal 0.5": lambda r: np.exp(0.5 * r.normal(size=EPOCHS)),
}


def run(rule, losses, rates):
    state = rule.start()
    for i, loss in enumerate(losses):
        state = rule.update(state, float(loss), rates[i + 1])
    return state


def main():
    rule = RecoverFromDivergence(mode="min", max_recoveries=10**6)
    print("| share of runs with a false divergence |", " | ".join(NOISES), "|")
    print("|---" * (len(NOISES) + 1) + "|")
    found = {noise: [] for noise in NOISES}
    for shape, losses in SHAPES.items():
        period = int(shape.split(", ")[1]) if shape.startswith("restarts") else None
        rates, row = RATES.get(period, np.ones(EPOCHS + 1)), []
        for noise, draw in NOISES.items():
            draws, hits, jumps = np.random.default_rng(1), [], []
            for _ in range(RUNS):
                curve = losses[:-1] * draw(draws)
                hits.append(run(rule, curve, rates).divergences > 0)
                end = draws.integers(1, EPOCHS)
                state, jump = run(rule, curve[:end], rates), 10 * np.median(curve[:end][-3:])
                jumps.append(rule.has_diverged(state, float(jump)))
            found[noise].append((np.mean(hits), np.mean(jumps)))
            row.append(f"{100 * np.mean(hits):.1f} % ({100 * np.mean(jumps):.0f} %)")
        print(f"| {shape} |", " | ".join(row), "|", flush=True)
    means = {noise: 100 * np.mean(pairs, axis=0) for noise, pairs in found.items()}
    print("| all |", " | ".join(f"{a:.2f} % ({b:.0f} %)" for a, b in means.values()), "|")
    print("\nIn brackets: how many jumps to ten times the last three epochs' median were found.")


if __name__ == "__main__":
    main()
