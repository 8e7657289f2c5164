import fc from "fast-check";
import { durations, fields, paths, pick, usually } from "./spec-arbitraries.ts";

const named = (entry: unknown) => JSON.stringify((entry as { name?: unknown } | null)?.name);

/** Of a TestTask, most of them nearly right. */
export function datasets(): fc.Arbitrary<unknown> {
  return usually(fc.uniqueArray(dataset(), { maxLength: 3, selector: named }), fc.array(dataset(), { maxLength: 3 }));
}

export function checks(): fc.Arbitrary<unknown> {
  return usually(fc.uniqueArray(check(), { maxLength: 4, selector: named }), fc.array(check(), { maxLength: 3 }));
}

function dataset(): fc.Arbitrary<unknown> {
  const source = usually(
    pick(
      ...[{ image: { reference: "a" } }, { image: { reference: "localhost:5000/a@sha256:00", path: "/srv/a.b" }, size: "5Gi" }],
      ...[{ configMap: { name: "a" } }, { volumeSnapshot: { name: "a" }, size: 1 }],
      ...[{ persistentVolumeClaim: { claimName: "a" }, size: "1Gi" }, { persistentVolumeClaim: { claimName: "a", readOnly: true } }],
    ),
    pick(
      {},
      { image: { reference: "a" }, configMap: { name: "a" } },
      { image: { reference: "a", path: "/" } },
      { configMap: {} },
      { configMap: { name: "a" }, size: "1Gi" },
      { persistentVolumeClaim: { claimName: "a", readOnly: "yes" } },
      { volumeSnapshot: { name: "a" } },
    ),
  );
  const name = usually(pick("a", "user_001", "b-2", "0"), pick("A", "a-", "", "a.b", "a".repeat(51), 1, null));
  return fc
    .tuple(
      usually(fc.record({ name }), pick({})),
      source,
      fields({
        version: usually(pick("2024-06-01", "1+b_c.d"), pick("", "-1", "a b", 1, "v".repeat(64))),
        projects: usually(fc.uniqueArray(pick("a/b", "openstack/nova"), { minLength: 1 }), pick([], ["/a"], ["a/b", "a/b"], null)),
        branches: usually(fc.uniqueArray(pick("master", "stable/1.0"), { minLength: 1 }), pick([], [""], ["-a"], "master")),
        containers: usually(pick(["test"]), pick([], ["nobody"], ["test", "test"])),
        storageClassName: usually(pick("fast"), pick("Fast")),
        path: paths(),
      }),
    )
    .map((parts) => Object.assign({}, ...parts));
}

function check(): fc.Arbitrary<unknown> {
  const kind = fc.oneof(pattern(), steps(), counters(), values());
  const name = usually(pick("a", "b", "c-1", "d"), pick("A", "", "a.b", null));
  const message = fields({ message: usually(pick("a", "WARNING - {step} {found} {limit}"), pick("", "a".repeat(121), 1)) });
  return fc
    .tuple(usually(fc.record({ name }), pick({})), usually(kind, pick({}), fc.tuple(pattern(), steps()).map(join)), message)
    .map(join);
}

const join = (parts: readonly unknown[]): object => Object.assign({}, ...parts);

function regexes(): fc.Arbitrary<unknown> {
  return usually(
    pick("a", "^step (\\d+) -> (\\d+)", "(?P<step>\\w+) (?P<value>\\d+)", "(x+x+)+y", "é"),
    pick("", 1, null, "a".repeat(501)),
  );
}

function counts(): fc.Arbitrary<unknown> {
  return usually(pick(0, 1, 5, 1_000_000_000), pick(-1, 1.5, "1", null, 1_000_000_001));
}

function overrides(limit: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const one = fc
    .tuple(
      fc.record({ step: usually(pick("205->206", "a", "é"), pick("", 1, "a".repeat(201))), limit }),
      fields({ reason: usually(pick("https://bugs.example.org/1"), pick("", "a".repeat(201))) }),
    )
    .map(join);
  return usually(fc.uniqueArray(one, { maxLength: 2, selector: (entry) => (entry as { step?: unknown }).step }), pick([{}], null));
}

function baselines(): fc.Arbitrary<unknown> {
  return fields({
    branch: usually(pick("master", "feature/a"), pick("", 1)),
    last: usually(pick(8, 20, 100), pick(7, 101, "8")),
    allow: usually(pick("3 sigma", "2.5 sigma", "99.9 sigma"), pick("0 sigma", "3", "100 sigma", "3 sigma ", 3)),
  });
}

function pattern(): fc.Arbitrary<unknown> {
  const others = fields({ expect: usually(pick("present", "absent"), pick("never", null)), atLeast: counts(), atMost: counts() });
  return fc.tuple(fc.record({ regex: regexes() }), others).map((parts) => ({ pattern: join(parts) }));
}

function steps(): fc.Arbitrary<unknown> {
  const others = fields({
    end: regexes(),
    key: usually(pick("{1}->{2}", "{step}", "a"), pick("", 1, "a".repeat(201))),
    limit: durations(),
    overrides: overrides(durations()),
    baseline: baselines(),
    atLeast: counts(),
    last: usually(pick("205->206"), pick("", 1)),
  });
  return fc.tuple(fc.record({ start: regexes() }), others).map((parts) => ({ steps: join(parts) }));
}

function counters(): fc.Arbitrary<unknown> {
  const limit = usually(pick(0, 5, Number.MAX_SAFE_INTEGER), pick(-1, 1.5, "1"));
  const others = fields({
    measure: usually(pick("value", "delta", "step"), pick("sum", null)),
    steps: usually(pick("a", "nobody"), pick("A", "")),
    overrides: overrides(limit),
    baseline: baselines(),
    atLeast: counts(),
  });
  const limits = fc.oneof(fc.record({ limit }), fc.record({ baseline: baselines() }), fc.constant({}));
  return fc.tuple(fc.record({ regex: regexes() }), limits, others).map((parts) => ({ counters: join(parts) }));
}

function values(): fc.Arbitrary<unknown> {
  const source = usually(
    pick({ artifact: "results/perf.json", path: "latency.p99" }, { junit: "failures" }, { junit: "seconds" }),
    pick({}, { artifact: "a.json" }, { artifact: "a.json", path: "a", junit: "tests" }, { junit: "flaky" }, { artifact: "", path: "a" }),
  );
  const limits = fields({ min: pick(0, -1.5, 1e300), max: usually(pick(0, 250), pick("1", null)), baseline: baselines() });
  return fc.tuple(source, limits).map((parts) => ({ values: join(parts) }));
}
