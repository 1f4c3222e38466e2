"""The list of `benchmarks.mutants`: {test files: {file of the source: [(text, what it becomes), ...]}}."""

from __future__ import annotations

VERDICT = "evaluation/verdict"
FITTED_LESS = "unlearning/test_contract.py::test_the_forget_samples_are_fitted_less"

MUTATIONS: dict[str, dict[str, list[tuple[str, str]]]] = {
    "signals/test_transforms.py": {
        "signals/transforms.py": [
            ("(own - top) - np.log(v.sum(axis=0))", "(own - top) + np.log(v.sum(axis=0))"),
            ("return np.logaddexp(0.0, -scaled)", "return np.logaddexp(0.0, scaled)"),
            ("return np.asarray(own - others)", "return np.asarray(others - own)"),
            ("- low) / (high - low))", "- low) / high)"),
            ("terms = 1 + z * (1 + z * (0.5 + z / 6))", "terms = 1 + z * (1 + z * (0.5 + z / 3))"),
        ]
    },
    "signals/test_record.py": {
        "signals/record.py": [
            ('stale = FIELDS if "labels" in changed else changed', "stale = changed"),
            ("None if value is None else value[:, rows]", "value"),
            ("return values[models] if isinstance(what, float)", "return values if isinstance(what, float)"),
        ],
        "signals/checks.py": [
            ('changed & {"shadow_out", "population_in", "kind", *ATTACHED}', 'changed & {"population_in"}'),
        ],
    },
    "signals/test_simulate.py": {
        "signals/simulate.py": [
            (
                "inside[:, 1] if insiders == 2 else outside[:, out]",
                "inside[:, 1] if insiders == 2 else outside[:, 0]",
            ),
            ("(unseen >= 1 + out)), 1, out)", "(unseen >= out)), 1, out)"),
        ]
    },
    "measures/test_interpolation.py": {
        "measures/interpolation.py": [
            ("centre = (1 - a) * mean + a * o", "centre = a * mean + (1 - a) * o"),
            ("+ 2 * a * (1 - a) * self.covariance", "+ a * (1 - a) * self.covariance"),
            ("return a[:-1], a[1:] / a[1:].sum()", "return a[:-1], a[:-1] / a[:-1].sum()"),
            ("EULER = 0.5772", "EULER = 0.5"),
            ("np.where(gap < 0, 1 - at, rise >= 0)", "np.where(gap < 0, at, rise >= 0)"),
            ("return absent - present if", "return present - absent if"),
            ("np.mean(np.square(spread) + np.square(mean))", "np.mean(np.square(spread))"),
        ]
    },
    "measures/test_golden.py measures/test_two_versions.py measures/test_measures.py": {
        "measures/lira.py": [
            ('return -z if tail == "one_sided"', 'return z if tail == "one_sided"'),
            ("-0.5 * np.square(z) - np.log(sd)", "0.5 * np.square(z) - np.log(sd)"),
            (
                "special.ndtr((original - mean) / sd) - special",
                "special.ndtr((original - mean) / sd) + special",
            ),
        ],
        "measures/linear.py": [
            ("gap * way / (np.square(way) + size)", "gap * way / (np.square(way) + 2 * size)"),
            ("o - u, o - over_shadows(signals", "o - u, u - over_shadows(signals"),
        ],
        "measures/emia.py": [
            ('searchsorted(known, own, side="right")) / (2', 'searchsorted(known, own, side="left")) / (2'),
            ("knots <= own", "knots < own"),
        ],
        "measures/simple.py": [("return before - after", "return after - before")],
        "measures/differences.py": [
            ("stats.laplace.sf(", "stats.laplace.cdf("),
            ("np.maximum(o - u, 1e-10)", "np.maximum(u - o, 1e-10)"),
        ],
        "measures/two_versions.py": [("before - after, order", "after - before, order")],
    },
    "measures/test_rmia.py measures/test_golden.py": {
        "measures/rmia.py": [
            ("(1 + a) / 2 * reference + (1 - a) / 2", "(1 - a) / 2 * reference + (1 + a) / 2"),
            ("TRIM, MARGIN, TINY = 0.2, 0.6", "TRIM, MARGIN, TINY = 0.4, 0.6"),
            ("below + ties * (upto - below)", "below + (upto - below)"),
            (
                "return 1 - exceeded(ratio(signals), ratio(population)",
                "return exceeded(ratio(signals), ratio(population)",
            ),
        ]
    },
    "measures/test_metric_mia.py measures/test_svc.py measures/test_crossfit.py": {
        "measures/metric_mia.py": [
            ("own = -(1 - p[rows, labels]) * logs", "own = (1 - p[rows, labels]) * logs"),
            ("members[: len(others)]", "members"),
        ],
        "measures/crossfit.py": [("unseen[rows[seen]] = False", "unseen[rows[~seen]] = False")],
        "measures/svc.py": [("attack = SVC(C=3,", "attack = SVC(C=1,")],
    },
    "evaluation/test_audit.py evaluation/test_degree.py": {
        "evaluation/calibration.py": [
            ("(1 + below) / (1 + len(null))", "below / len(null)"),
            ("if not compares and len(holdout) >= ENOUGH", "if len(holdout) >= ENOUGH"),
        ],
        "evaluation/degree.py": [
            (
                "degree * known.unlearned + (1 - degree) * known.original",
                "(1 - degree) * known.unlearned + degree * known.original",
            ),
            ("tail = (1 - level) / 2", "tail = (1 - level) * 2"),
        ],
    },
    "evaluation/test_accuracy.py": {
        "evaluation/accuracy.py": [
            ("100 * (1 - float(correct[forget].mean()))", "100 * float(correct[forget].mean())"),
            (".predict(asked / scale) == 0", ".predict(asked / scale) == 1"),
            (
                "holdout[~np.isin(classes[holdout], gone)]",
                "holdout[np.isin(classes[holdout], gone)]",
            ),
        ]
    },
    "evaluation/test_roc.py": {
        "evaluation/roc.py": [
            ("below_one[:, :-1], below_zero[:, 1:]", "below_one[:, :-1], below_zero[:, :-1]"),
            ("(0.99 - 1e-9) * m", "(0.995 - 1e-9) * m"),
            ("tail = (1 - level) / 2", "tail = 1 - level"),
        ]
    },
    "evaluation/test_gate.py": {
        "evaluation/gate.py": [
            ('if verdict.outcome in ("under", "over"):', 'if verdict.outcome in ("under",):'),
            ('"failed" if high < self.fail_under else', '"failed" if low < self.fail_under else'),
        ]
    },
    "evaluation/test_epsilon.py": {
        "evaluation/epsilon.py": [
            ("(false + 0.5) / (a + 1), (missed + 0.5) / (b + 1)", "false / (a + 1), missed / (b + 1)"),
            ("stats.beta.ppf((1 + level) / 2", "stats.beta.ppf(level"),
        ]
    },
    "evaluation/verdict": {
        f"{VERDICT}/bounds.py": [
            ("a = way**2 - q**2 * (v_z + v_k)", "a = way**2 + q**2 * (v_z + v_k)"),
            ("p > alpha)", "p < alpha)"),
            ("above - _by_chance(n, s, m, alpha / len(tried))", "above"),
        ],
        f"{VERDICT}/permutation.py": [
            ("value[inside <= r * share] = 0.0", "value[inside >= r * share] = 0.0"),
            ("scores - allowance * forget, scores + allowance * forget", "scores, scores"),
        ],
        f"{VERDICT}/adjustment.py": [
            ("values = margins.unlearned - fits", "values = margins.unlearned + fits"),
            (
                "fit = np.flatnonzero(null & (fold != k))\n        slope",
                "fit = np.flatnonzero(null)\n        slope",
            ),
        ],
        f"{VERDICT}/decision.py": [
            ("if reference:", "if False:"),
            ("and f.could_be_whole <= f.allowed and", "and"),
            (
                "near = f.left_high <= f.tolerance and f.left_low >= -f.tolerance",
                "near = f.left_high <= f.tolerance",
            ),
            ("return 0 if n < FEW else", "return 1 if n < FEW else"),
        ],
        f"{VERDICT}/evidence.py": [
            (
                "return max(test.p_under for test in self.tests)",
                "return min(test.p_under for test in self.tests)",
            ),
            ("(1 + above) / (1 + reach[-1])", "above / reach[-1]"),
        ],
        f"{VERDICT}/controls.py": [
            ("abs(least) <= LEAK)", "abs(least) >= LEAK)"),
            (
                'return Control(name, "sharpness", f"{statement} p {p:.2g}.", p, f"p <= {SEEN:g}", p <= SEEN)',
                'return Control(name, "sharpness", f"{statement} p {p:.2g}.", p, f"p <= {SEEN:g}", True)',
            ),
        ],
        f"{VERDICT}/power.py": [("found[k] &= p <= alpha / 2", "found[k] &= p <= alpha")],
        f"{VERDICT}/matching.py": [
            (
                "return np.where(strata[other] >= 0, each[strata[other]], 0.0)",
                "return np.where(strata[other] >= 0, 1.0 / len(other), 0.0)",
            )
        ],
    },
    "test_store.py": {
        "store.py": [
            ('record["key"] == key and record["sha256"] == file_hash(path)', 'record["key"] == key'),
            ('record["key"] == key and record', "record"),
            ("sidecar(path).unlink(missing_ok=True)", "pass"),
            ("temporary.replace(path)", "shutil.copy(temporary, path)"),
            ('digest.update(f"{array.dtype.str}{array.shape}".encode())', "pass"),
            ("return float(value) if np.isfinite(value) else None", "return float(value)"),
        ]
    },
    "graph/test_graph_store.py": {
        "graph/store.py": [
            ("        if missing:\n", "        if False:\n"),
            ('        self._put(sidecar(path), f"{step.file}.json")\n', ""),
            ("        if is_done(self.path(step), step.key):\n", "        if False:\n"),
            ("str(Path(self.behind).absolute())", "self.behind"),
        ]
    },
    "graph/test_graph_folder.py": {
        "graph/folder.py": [
            ("if other != kind and _of_kind", "if False and _of_kind"),
            ("if old.get(key) != new.get(key):", "if old.get(key) == new.get(key):"),
            ("for k, v in flat(c).items() if k not in free", "for k, v in flat(c).items()"),
        ]
    },
    "graph/test_progress.py": {
        "graph/progress.py": [
            ("for step in todo) / max(1, workers)", "for step in todo)"),
            ("kind is not None and issubclass(kind, KeyboardInterrupt)", "False"),
        ]
    },
    "graph/test_step.py graph/test_execute.py graph/test_graph_store.py": {
        "graph/step.py": [
            (
                "key_of(self.kind, _named_fields(self), vestige.__version__)",
                "key_of(self.kind, _named_fields(self))",
            ),
            ("key_of(self.kind, _named_fields(self)", "key_of(_named_fields(self)"),
            ('if item.metadata.get("named", True)', "if True"),
            ("            for other in step.inputs:\n                visit(other)\n", ""),
        ],
        "graph/execute.py": [
            ("needed |= {other.key for other in step.inputs}", "pass"),
            ("if self.tries[step.key] < TRIES:", "if False:"),
            ("    if kept_only:\n", "    if False:\n"),
            ('self._end(step, State("failed", broken[0].why, below=True))', 'self._end(step, State("done"))'),
        ],
    },
    f"{FITTED_LESS}[mlp-gradient_ascent]": {
        "unlearning/gradient_ascent.py": [
            ("return -functional.cross_entropy", "return functional.cross_entropy")
        ]
    },
    f"{FITTED_LESS}[mlp-finetune]": {
        "unlearning/finetune.py": [('split.rows("retain")', 'split.rows("forget")')]
    },
    f"{FITTED_LESS}[mlp-negative_gradient_plus]": {
        "unlearning/negative_gradient_plus.py": [("alpha * kept - (1 - alpha)", "alpha * kept + (1 - alpha)")]
    },
    f"{FITTED_LESS}[mlp-scrub]": {"unlearning/scrub.py": [("return -distances(", "return distances(")]},
    f"{FITTED_LESS}[mlp-ssd]": {
        "unlearning/ssd.py": [
            ("chosen = own[name] > alpha * everyone[name]", "chosen = own[name] < alpha * everyone[name]")
        ]
    },
    "unlearning/test_salun.py": {"unlearning/salun.py": [("sizes[name] < limit", "sizes[name] >= limit")]},
    f"{FITTED_LESS}[mlp-random_labels]": {
        "unlearning/labels.py": [
            (
                "rows.y + rng.integers(1, max(classes, 2), len(rows))",
                "rows.y + 0 * rng.integers(1, max(classes, 2), len(rows))",
            )
        ]
    },
    "unlearning/test_scrub.py": {
        "unlearning/scrub.py": [
            ("if epoch < msteps:", "if epoch <= msteps:"),
        ],
        "unlearning/distances.py": [("sum(dim=1) * temperature**2", "sum(dim=1) * temperature")],
    },
    "unlearning/test_l1_sparse.py": {
        "unlearning/l1_sparse.py": [("alpha * max(0.0, 1 - epoch / span)", "alpha * max(0.0, epoch / span)")]
    },
    "unlearning/test_ssd.py": {"unlearning/ssd.py": [(".clamp(max=1)\n", ".clamp(min=1)\n")]},
}
