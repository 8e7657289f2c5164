import fc from "fast-check";
import { checks, datasets } from "./dataset-and-check-specs.ts";
import { durations, fields, paths, pick, usually } from "./spec-arbitraries.ts";

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
    timeouts: usually(
      fields({ pull: durations(), run: durations(), schedule: durations(), collect: durations() }),
      pick(null, "1h", { runs: "1h" }),
    ),
    checkout: usually(checkout(), pick(true, null, { path: "a" })),
    pipelines: usually(
      fc.uniqueArray(pick("gate", "check", "a b", "x.y-z"), { minLength: 1, maxLength: 3 }),
      pick([], ["gate", "gate"], [" a"], ["a "], ["a\n"], "gate", null, [1]),
    ),
    services: usually(
      fc.uniqueArray(service(), { maxLength: 2, selector: (entry) => JSON.stringify((entry as { name?: unknown } | null)?.name) }),
      fc.array(service(), { maxLength: 2 }),
      pick(null, {}),
    ),
    envFrom: usually(fc.array(envFrom(), { maxLength: 2 }), pick({}, null)),
    serviceAccountName: objectNames(),
    priorityClassName: objectNames(),
    securityContext: usually(securityContext(), pick(null, [])),
    labels: usually(entries(usually(pick("", "a", "a.b"), pick("a b", 1, null, "-", "a".repeat(64)))), pick(null, [])),
    annotations: usually(
      entries(usually(pick("", "any thing\n", "{}"), pick(1, null, "a".repeat(65_537), "é".repeat(32_769)))),
      pick(null),
    ),
    artifacts: usually(
      fc.record({
        paths: usually(fc.uniqueArray(pick("a/", "*.xml", "a b"), { minLength: 1 }), pick([], ["/a"], ["a", "a"], [""], ["a\n"])),
      }),
      pick(null, {}),
    ),
    whenNoDataset: usually(pick("refuse", "succeed"), pick("pass", "", null)),
    datasets: usually(datasets(), pick(null, {})),
    checks: usually(checks(), pick(null, {})),
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

function names(): fc.Arbitrary<unknown> {
  return usually(
    pick("unit", "bionic", "a.b", "c++", "py27,py35", "docs(html)", "folder/a", "-a", "ü", "$(HOME)", "a@b", "a{b"),
    pick(
      ...["", "a:b", "a b", "a\n", "a\t", "a\u00a0", "a\u2028", "a\u0085", "a\u200b", "^a", "{name}-a", "{", "a{}b", "\ud83d\ude00"],
      ...["a".repeat(101), "a".repeat(200), "a".repeat(201), "ü".repeat(50), "ü".repeat(51), "ü".repeat(101), 1, null],
    ),
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
        resources: usually(fields({ requests: amounts(), limits: amounts() }), pick(null)),
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
  const reference = usually(
    fc.record({ name: objectNames(), key: usually(pick("a", "tls.crt"), pick("", "a b", "a/b")) }),
    pick({ name: "a" }, { key: "a" }, { name: "a", key: "a", optional: true }, { name: "a", key: "a", optional: "yes" }, null),
  );
  const valueFrom = usually(
    fc.record({ secretKeyRef: reference }),
    fc.record({ configMapKeyRef: reference }),
    fc.record({ secretKeyRef: reference, configMapKeyRef: reference }),
    pick({}, null, { fieldRef: { fieldPath: "a" } }),
  );
  return usually(
    fc.record({ name, value }),
    fc.record({ name, valueFrom }),
    fc.record({ name, valueFrom }),
    fc.record({ name, value, valueFrom }),
    fc.record({ name }),
    pick({}, "A=b", null),
  );
}

function envFrom(): fc.Arbitrary<unknown> {
  const reference = usually(fc.record({ name: objectNames() }), pick({}, null, { name: "a", optional: true }, { name: "a", key: "b" }));
  return usually(
    fc.record({ secretRef: reference }),
    fc.record({ configMapRef: reference }),
    fc.record({ prefix: usually(pick("A_", "a"), pick("", "1", "a-", null)), configMapRef: reference }),
    fc.record({ secretRef: reference, configMapRef: reference }),
    pick({}, null),
  );
}

function objectNames(): fc.Arbitrary<unknown> {
  return usually(
    pick("a", "my-name", "a.b-c.d", "1"),
    pick("A", "a_b", "", "-a", "a-", ".a", "a..b", "a".repeat(253), "a".repeat(254), 1, null),
  );
}

/** A map whose keys are those of labels and annotations. */
function entries(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const key = usually(
    pick("a", "example.com/b", "a.b-c_d", "kueue.x-k8s.io/queue-name", "A", `a/${"b".repeat(63)}`, "turbo-hipster.iox/a", "job-names"),
    pick(
      "",
      "/a",
      "a/",
      "A.b/c",
      "a b",
      "a/b/c",
      `a/${"b".repeat(64)}`,
      `${"a".repeat(253)}/b`,
      `${"a".repeat(254)}/${"b".repeat(63)}`,
      "turbo-hipster.io/a",
      "x.turbo-hipster.io/a",
      "app.kubernetes.io/managed-by",
      "job-name",
      "batch.kubernetes.io/a",
    ),
  ) as fc.Arbitrary<string>;
  return fc.dictionary(key, value, { maxKeys: 3 });
}

function securityContext(): fc.Arbitrary<unknown> {
  const id = usually(pick(0, 1, 1000, 2_147_483_647), pick(-1, 2_147_483_648, "0", 1.5, null));
  const names = usually(fc.array(pick("SYS_PTRACE", "ALL"), { maxLength: 2 }), pick([""], "ALL", null, [1]));
  return fields({
    runAsUser: id,
    runAsGroup: id,
    fsGroup: id,
    runAsNonRoot: usually(fc.boolean(), pick("true", null)),
    privileged: usually(fc.boolean(), pick(1, null)),
    allowPrivilegeEscalation: fc.boolean(),
    readOnlyRootFilesystem: fc.boolean(),
    supplementalGroups: usually(fc.array(id, { maxLength: 2 }), pick(null, 1)),
    fsGroupChangePolicy: usually(pick("Always", "OnRootMismatch"), pick("Never", "", null)),
    seccompProfile: usually(
      pick({ type: "RuntimeDefault" }, { type: "Unconfined" }, { type: "Localhost", localhostProfile: "a" }),
      pick({}, { type: "Localhost" }, { type: "Unconfined", localhostProfile: "a" }, null, { type: null }),
    ),
    capabilities: usually(fields({ add: names, drop: names }), pick(null, [])),
    unknown: fc.constant(1),
  });
}

function ports(): fc.Arbitrary<unknown> {
  return usually(pick(1, 80, 65_535), pick(0, 65_536, "80", null, 1.5));
}

function words(): fc.Arbitrary<unknown> {
  return usually(fc.array(pick("a", "", "$(A)"), { minLength: 1, maxLength: 3 }), pick([], "a", [1], [null], null));
}

function service(): fc.Arbitrary<unknown> {
  const probe = fields({
    exec: usually(fc.record({ command: words() }), pick({}, null)),
    httpGet: usually(
      fc
        .tuple(fc.record({ port: ports() }), fields({ path: pick("/a", "", 1), scheme: pick("HTTP", "HTTPS", "http") }))
        .map((parts) => Object.assign({}, ...parts)),
      pick({}, null),
    ),
    tcpSocket: usually(fc.record({ port: ports() }), pick({}, null)),
    periodSeconds: usually(pick(1, 300), pick(0, 301, null)),
    failureThreshold: usually(pick(1, 10_000), pick(0, 10_001)),
  });
  const name = usually(
    pick("db", "web-1", "a"),
    pick("test", "checkout", "collector", "DB", "", "a.b", "a".repeat(50), "a".repeat(51), null),
  );
  const others = fields({
    command: words(),
    args: words(),
    env: usually(fc.array(envVar(), { maxLength: 1 }), pick(null)),
    ports: usually(
      fc.array(
        fc
          .tuple(fc.record({ containerPort: ports() }), fields({ name: pick("a", "a-b", "", "A"), protocol: pick("TCP", "tcp") }))
          .map((parts) => Object.assign({}, ...parts)),
        { maxLength: 2 },
      ),
      pick([{}], null),
    ),
    resources: usually(fields({ limits: amounts() }), pick(null)),
    ready: probe,
    unknown: fc.constant(1),
  });
  return fc
    .tuple(fc.record({ name, image: usually(pick("mysql:8"), pick("", "a b", null)) }), others)
    .map(([own, rest]) => ({ ...(own as object), ...rest }));
}

function checkout(): fc.Arbitrary<Record<string, unknown>> {
  const branch = usually(pick("master", "stable/1.0", "a+b"), pick("", "-a", "a b", "a\n", 1, null));
  const project = usually(
    pick("a", "openstack/nova", "x/y+z", "a.git"),
    pick("..", "a/../b", "/a", "a/", "a//b", ".git/a", "a/.GIT", "a b", "", 1),
  );
  return fields({
    enabled: usually(fc.boolean(), pick("yes", null)),
    gitUrl: usually(
      pick("https://git.example.com", "ssh://git@a:22/b/c", "git://[::1]/a", "http://a/~b/"),
      pick("", "file:///a", "https://u:p@a", "https://a b", "https://", "git@a:b", null),
    ),
    projects: usually(fc.uniqueArray(project, { maxLength: 2 }), pick(["a", "a"], "a", null)),
    branch,
    projectBranches: usually(fc.dictionary(fc.constantFrom("a", "b/c"), branch), pick(null, [])),
    submodules: usually(fc.boolean(), pick("no", null)),
    path: usually(paths(), pick(null, 1)),
  });
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
      usually(
        pick({ name: "test" }, { name: "a" }, { name: "b" }, { name: "tha" }),
        pick({}, { name: "" }, { name: 1 }, { name: null }, { name: "checkout" }, { name: "collector" }, { name: "th-a" }),
      ),
      fields({
        image: usually(pick("busybox", ""), pick(1, null)),
        other: pick(1, null, { a: [null] }),
        env: usually(
          fc.array(usually(pick({ name: "A" }, { name: "A", value: "1", valueFrom: null }), pick({ name: "TH_A" }, {}, null)), {
            maxLength: 2,
          }),
          pick({}, { A: "b" }, null),
        ),
        envFrom: usually(pick([], [{}], [{ prefix: 1 }]), pick({}, [null], ["a"], null)),
        volumeMounts: usually(
          pick([], [{ name: "a", mountPath: "/a" }], [{ name: "th-workspace", mountPath: "/a", subPath: 1 }]),
          pick({}, [{}], [{ name: "a" }], [{ mountPath: "/a" }], [{ name: "a", mountPath: null }], null),
        ),
        securityContext: usually(pick({}, { runAsUser: 0 }, { other: [1] }), pick([], "a", null)),
        restartPolicy: usually(pick("Never"), pick("Always", "OnFailure", "", 1, null)),
        restartPolicyRules: pick([], [{ action: "Restart" }], null, {}),
      }),
    )
    .map(([name, others]) => ({ ...(name as object), ...others }));
  const spec = fields({
    restartPolicy: usually(pick("Never"), pick("Always", "", null, 1)),
    activeDeadlineSeconds: pick(60, null, "60"),
    hostNetwork: pick(true, null),
    volumes: usually(
      pick([], [{ name: "a", emptyDir: {} }], [{ name: "a" }, { name: "b" }]),
      pick({}, [null], [{}], [{ name: "th-tmp" }], [{ name: "a" }, { name: "a" }], [{ name: "" }], null),
    ),
    initContainers: usually(fc.array(container, { maxLength: 2 }), pick([], null, {}, [null], [{ name: "a", image: "busybox" }])),
    tolerations: usually(pick([], [{}], [{ operator: "Exists" }]), pick({}, [null], ["a"], null)),
    nodeSelector: usually(pick({}, { a: "b" }), pick({ a: true }, [], "a", { a: null }, null)),
    securityContext: usually(pick({}, { fsGroup: 1 }), pick([], 1, null)),
    terminationGracePeriodSeconds: usually(pick(0, 30, 600), pick(-1, 601, 1.5, "30", null)),
    ephemeralContainers: pick([], [{ name: "a" }], null),
    os: usually(pick({ name: "linux" }), pick({ name: "windows" }, {}, { name: 1 }, null, [])),
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
