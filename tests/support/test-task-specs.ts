import fc from "fast-check";

/**
 * Specs of TestTasks, most of them nearly right: each field has values that are good, bad, of a wrong type or null. Meant for asking two
 * judges whether they agree.
 */
export function testTaskSpecs(): fc.Arbitrary<unknown> {
  const spec = fields({
    jobs: usually(
      fc.uniqueArray(pick("unit", "Gate_2", "a.b-c", "_x"), { maxLength: 3 }),
      fc.array(names(), { maxLength: 3 }),
      pick("unit", null),
    ),
    nodeLabels: usually(
      fc.uniqueArray(nodeLabel(), { maxLength: 2, selector: (label) => JSON.stringify((label as { name?: unknown } | null)?.name) }),
      fc.array(nodeLabel(), { maxLength: 2 }),
      pick(null, {}),
    ),
    suspend: usually(fc.boolean(), pick("true", 1, null)),
    maxConcurrent: usually(fc.integer({ min: 1, max: 100_000 }), pick(0, -1, 1.5, 100_001, "3", null)),
    timeouts: usually(fields({ pull: durations(), run: durations(), schedule: durations() }), pick(null, "1h", { runs: "1h" })),
    checkout: usually(fields({ enabled: usually(fc.boolean(), pick("yes", null)) }), pick(true, null, { path: "a" })),
    image: usually(pick("busybox", "localhost:5000/a/b:1", "a@sha256:00", "[::1]:5000/a"), pick("", "a b", " a", 1, null, "-a")),
    script: usually(
      pick("true", "a\nb", "é\u{1f389}"),
      pick("", "a\0b", 1, null, "x".repeat(65_536), "x".repeat(65_537), "é".repeat(32_769)),
    ),
    env: usually(
      fc.uniqueArray(envVar(), { maxLength: 2, selector: (entry) => JSON.stringify((entry as { name?: unknown } | null)?.name) }),
      fc.array(envVar(), { maxLength: 3 }),
      pick({}, null),
    ),
    resources: usually(fields({ requests: amounts(), limits: amounts() }), pick(null, { claims: [] })),
    template: usually(template(), pick(null, {}, { spec: null })),
    unknown: fc.constant(1),
  });
  // Most specs have what every spec needs, or nothing else would ever be judged.
  return fc
    .tuple(spec, fc.nat(9))
    .map(([fields, dice]) => (dice > 1 && !("image" in fields) && !("template" in fields) ? { ...fields, image: "busybox" } : fields));
}

/** An object with some of the fields. */
function fields(model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const entries = Object.entries(model).map(([name, value]) => fc.tuple(fc.constant(name), value, fc.nat(name === "unknown" ? 19 : 3)));
  return fc
    .tuple(...entries)
    .map((list) => Object.fromEntries(list.filter(([, , dice]) => dice === 0).map(([name, value]) => [name, value])));
}

function pick(...values: unknown[]): fc.Arbitrary<unknown> {
  return fc.constantFrom(...values);
}

/** Nine times of ten the first. */
function usually(good: fc.Arbitrary<unknown>, ...others: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9 * others.length, arbitrary: good }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })));
}

function names(): fc.Arbitrary<unknown> {
  return usually(
    pick("unit", "bionic", "a.b"),
    pick("", "a:b", "-a", "a b", "ü", "a\n", "a".repeat(101), "a".repeat(200), "a".repeat(201), 1, null),
  );
}

function durations(): fc.Arbitrary<unknown> {
  const term = fc.tuple(fc.nat(200), pick("h", "m", "s", "ms")).map(([amount, unit]) => `${amount}${unit}`);
  const sums = fc.array(term, { minLength: 1, maxLength: 4 }).map((terms) => terms.join(""));
  return usually(
    pick("90s", "1h30m", "1.5h", "168h", "1s"),
    sums,
    pick("", "0s", "999ms", "168h1ms", "1d", "-1h", "1", 60, null, "1.h", ".5h", "1us", "1h ", "+1h", "1H"),
  );
}

function nodeLabel(): fc.Arbitrary<unknown> {
  return fc
    .tuple(
      usually(
        names().map((name) => ({ name })),
        pick({}),
      ),
      fields({
        image: usually(pick("busybox"), pick("a b", "")),
        nodeSelector: usually(
          fc.dictionary(
            fc.constantFrom("a", "example.com/b", "c.d"),
            usually(pick("", "x", "a.b_c-d", "1"), pick("-", "a b", true, 1, null, "v".repeat(64))) as fc.Arbitrary<unknown>,
          ),
          pick([]),
        ),
        tolerations: usually(
          fc.array(
            fields({
              key: usually(pick("a", "example.com/b"), pick("", 1)),
              operator: usually(pick("Exists", "Equal"), pick("exists", "")),
              value: usually(pick("x", ""), pick(1)),
              effect: usually(pick("NoSchedule", "NoExecute", "PreferNoSchedule"), pick("", "Never")),
              tolerationSeconds: usually(pick(0, 60, -1), pick("60", 1.5)),
            }),
            { maxLength: 2 },
          ),
          pick({}, [null], ["a"]),
        ),
        unknown: fc.constant(1),
      }),
    )
    .map(([name, others]) => ({ ...(name as object), ...others }));
}

function envVar(): fc.Arbitrary<unknown> {
  const name = usually(pick("A", "_b", "PATH", "TH", "c3"), pick("TH_X", "1a", "a-b", "", 1, null));
  const value = usually(pick("", "a", "$(A)", "\u{1f389}"), pick(1, true, null, "a\0", "é".repeat(16_384), "é".repeat(16_385)));
  return usually(fc.record({ name, value }), fc.record({ name }), pick({}, "A=b", null));
}

function amounts(): fc.Arbitrary<unknown> {
  const amount = usually(
    pick("1", 1, "500m", "1Gi", "1024Mi", "1.5", ".5", "1.", "1e3", "1E3", "0", 0, "2e-1", "1n", "7Ei", "0.5Ki", "12k"),
    pick(
      -1,
      "-1",
      "+1",
      "",
      "1gi",
      "1GB",
      "Gi",
      "1 Gi",
      " 1",
      "1e",
      "0x1",
      1.5,
      true,
      null,
      "1".repeat(41),
      "1".repeat(40),
      "100Ei",
      "1e30",
      "1_000",
    ),
  );
  const name = usually(
    pick("cpu", "memory", "ephemeral-storage", "example.com/gpu", "hugepages-2Mi"),
    pick("memroy", ""),
  ) as fc.Arbitrary<string>;
  return usually(fc.dictionary(name, amount, { maxKeys: 3 }), pick(null, []));
}

function template(): fc.Arbitrary<unknown> {
  const container = fc
    .tuple(
      usually(pick({ name: "test" }, { name: "a" }, { name: "b" }), pick({}, { name: "" }, { name: 1 }, { name: null })),
      fields({ image: usually(pick("busybox", ""), pick(1, null)), other: pick(1, null, { a: [null] }) }),
    )
    .map(([name, others]) => ({ ...(name as object), ...others }));
  const spec = fields({
    restartPolicy: usually(pick("Never"), pick("Always", "", null, 1)),
    activeDeadlineSeconds: pick(60, null, "60"),
    hostNetwork: pick(true, null),
  });
  const containers = usually(fc.array(container, { minLength: 1, maxLength: 3 }), pick([], null, {}, [null]));
  const metadata = fields({
    metadata: usually(
      fc.constant({ labels: { a: "b" }, annotations: {}, other: 1 }),
      pick(null, [], { labels: { a: 1 } }, { labels: { a: null } }, { annotations: null }),
    ),
  });
  return fc.tuple(spec, containers, metadata).map(([spec, containers, metadata]) => ({ ...metadata, spec: { ...spec, containers } }));
}
