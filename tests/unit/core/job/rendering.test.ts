import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ManifestInput } from "../../../../src/core/job/manifest.ts";
import { tryRenderJob } from "../../../../src/core/job/rendering.ts";
import type { PodSpec } from "../../../../src/core/kubernetes/objects.ts";
import { parseTestTask, type TestTask } from "../../../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

/** One that has all that is walked. */
const SPEC = {
  nodeLabels: [
    { name: "large", nodeSelector: { pool: "large" }, tolerations: [{ operator: "Exists" }], resources: { limits: { cpu: 2 } } },
  ],
  checkout: {},
  script: "true",
  env: [{ name: "A", value: "1" }],
  envFrom: [{ secretRef: { name: "s" } }],
  services: [{ name: "db", image: "mysql", ready: { exec: { command: ["true"] } } }],
  securityContext: { runAsUser: 0 },
  template: {
    metadata: { labels: { team: "a" }, annotations: { note: "b" } },
    spec: {
      nodeSelector: { disk: "ssd" },
      tolerations: [{ key: "ci" }],
      securityContext: { fsGroup: 1, supplementalGroups: [1] },
      volumes: [{ name: "cache", emptyDir: {} }],
      initContainers: [{ name: "setup", image: "i", env: [{ name: "B" }], securityContext: { capabilities: { add: ["ALL"] } } }],
      containers: [
        {
          name: "test",
          image: "i",
          args: ["a"],
          env: [{ name: "C", valueFrom: { fieldRef: { fieldPath: "a" } } }],
          envFrom: [{ configMapRef: { name: "c" } }],
          volumeMounts: [{ name: "cache", mountPath: "/cache" }],
          resources: { limits: { memory: "1Gi" } },
          securityContext: { privileged: true },
          workingDir: "/src",
        },
        { name: "helper", image: "i", volumeMounts: [{ name: "cache", mountPath: "/cache" }] },
      ],
    },
  },
};

function parse(spec: unknown) {
  return parseTestTask({ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "unit", namespace: "ci" }, spec });
}

function makeTask(spec: object): TestTask {
  const parsed = parse(spec);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.task;
}

function makeInput(task: TestTask): ManifestInput {
  const parsed = parseParameters(Buffer.from('{"ZUUL_PROJECT": "org/project"}'));
  assert.ok(parsed.ok);
  const request = {
    server: "s:1",
    unique: "u",
    number: "unit-0123456789abcdef",
    logPath: null,
    payloadHash: null,
    handle: null,
    replica: "r",
    since: "",
  };
  const settings = { installation: "i", image: "i", internalUrl: "http://operator:8081", checkout: { allowedUrls: [] } };
  return { task, function: readBuildFunction("build:unit:large"), parameters: parsed.parameters, request, settings };
}

describe("whatever a TestTask holds", () => {
  test("it is refused with a sentence that names a field, or its Job is rendered, with lists where Kubernetes wants lists", (t) => {
    const counts = { rendered: 0, refused: 0 };
    fc.assert(
      fc.property(mutatedSpecs(), (spec) => {
        const parsed = parse(spec);
        if (!parsed.ok) {
          counts.refused += 1;
          assert.ok(parsed.problems.length > 0);
          for (const { path, message } of parsed.problems) assert.ok(path.startsWith("spec") && message.length > 5, `${path}: ${message}`);
          return;
        }
        counts.rendered += 1;
        const rendered = tryRenderJob(makeInput(parsed.task));
        assert.ok(rendered.ok, `${JSON.stringify(spec)}: ${JSON.stringify(rendered)}`);
        const podSpec = rendered.job.spec?.template.spec;
        assert.ok(podSpec);
        checkLists(podSpec);
      }),
      fuzzParameters(t, 5000),
    );
    const tenth = (counts.rendered + counts.refused) / 10;
    assert.ok(counts.rendered > tenth && counts.refused > tenth, JSON.stringify(counts));
  });
});

describe("whatever a request holds", () => {
  test("its Job is rendered", (t) => {
    const { task } = makeInput(makeTask({ ...SPEC, checkout: {} }));
    const text = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom("https://a/b", "/", "..", "refs/heads/x", "$(A)"));
    const names = fc.constantFrom(
      "ZUUL_URL",
      "ZUUL_PROJECT",
      "ZUUL_REF",
      "ZUUL_COMMIT",
      "ZUUL_BRANCH",
      "ZUUL_NEWREV",
      "A",
      "",
      "__proto__",
    );
    fc.assert(
      fc.property(fc.dictionary(names, fc.oneof({ weight: 3, arbitrary: text }, fc.jsonValue({ maxDepth: 2 }))), (parameters) => {
        const parsed = parseParameters(Buffer.from(JSON.stringify(parameters)));
        assert.ok(parsed.ok);
        const rendered = tryRenderJob({ ...makeInput(task), parameters: parsed.parameters });
        assert.ok(rendered.ok, JSON.stringify(rendered));
      }),
      fuzzParameters(t, 2000),
    );
  });
});

describe("a task that its schema should not have let pass", () => {
  const broken: [string, (task: TestTask) => unknown, string][] = [
    ["volumes that are an object", ({ spec }) => set(spec.template?.spec, "volumes", { cache: {} }), "spec.template.spec.volumes"],
    ["a container that is none", ({ spec }) => set(spec.template?.spec.containers, 1, null), "spec.template.spec.containers[1]"],
    ["an entry of env that is none", ({ spec }) => set(spec.env, 0, null), "spec.env[0]"],
    ["a value that cannot be read", ({ spec }) => unreadable(spec.services?.[0], "image"), "spec.services[0]"],
    ["a template that cannot be copied", ({ spec }) => set(spec.template?.spec, "dnsConfig", () => {}), "spec.template.spec.dnsConfig"],
    ["a thirteenth entry of env that is none", ({ spec }) => set(spec, "env", [...named(12), null]), "spec.env[12]"],
    ["one behind so many that each cannot be looked at", ({ spec }) => set(spec, "env", [...named(300), null]), "spec.env"],
    [
      "a label that begins with a digit",
      ({ spec }) => set(spec.template?.metadata?.labels, "1a", () => {}),
      "spec.template.metadata.labels.1a",
    ],
    ["a label that ends with one", ({ spec }) => set(spec.template?.metadata?.labels, "a1", () => {}), "spec.template.metadata.labels.a1"],
    ["nothing where the timeouts should be", ({ spec }) => set(spec, "timeouts", undefined), "spec"],
  ];
  for (const [what, change, place] of broken) {
    test(`${what}: the problem names the field, ${place}`, () => {
      const task = structuredClone(makeTask(SPEC));
      change(task);
      const rendered = tryRenderJob(makeInput(task));
      assert.ok(!rendered.ok);
      assert.ok(rendered.problem.startsWith(`TestTask unit makes no Job, look at ${place} - `), rendered.problem);
    });
  }
});

describe("requests of a task that cannot be rendered", () => {
  /** Counts how often the broken field is looked at, and says what `why` says each time. */
  function breakTask(why: () => string): { task: TestTask; looks: () => number } {
    const task = structuredClone(makeTask(SPEC));
    let looks = 0;
    unreadable(task.spec.services?.[0], "image", () => {
      looks += 1;
      return why();
    });
    return { task, looks: () => looks };
  }

  test("are told the same place, which is looked for once", () => {
    const { task, looks } = breakTask(() => "this cannot be read");
    const first = tryRenderJob(makeInput(task));
    const before = looks();
    for (let count = 0; count < 50; count += 1) assert.deepEqual(tryRenderJob(makeInput(task)), first);
    assert.equal(looks() - before, 50);
    assert.ok(!first.ok && first.problem.includes("look at spec.services[0] - "));
  });

  test("cannot have it looked for without end by faults that are never the same", () => {
    let count = 0;
    const { task, looks } = breakTask(() => `fault ${count}`);
    const problems = Array.from({ length: 100 }, () => {
      count += 1;
      const before = looks();
      const rendered = tryRenderJob(makeInput(task));
      return rendered.ok ? "" : { place: /look at (\S+)/.exec(rendered.problem)?.[1], isSearched: looks() - before > 1 };
    });
    assert.equal(problems.filter((each) => each !== "" && each.isSearched).length, 20);
    assert.deepEqual(problems.at(-1), { place: "spec", isSearched: false });
  });
});

function named(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({ name: `N${index}`, value: "" }));
}

function set(parent: unknown, key: string | number, value: unknown): void {
  assert.ok(typeof parent === "object" && parent !== null);
  (parent as Record<string | number, unknown>)[key] = value;
}

function unreadable(parent: unknown, key: string, why: () => string = () => "this cannot be read"): void {
  assert.ok(typeof parent === "object" && parent !== null);
  Object.defineProperty(parent, key, {
    enumerable: true,
    get() {
      throw new Error(why());
    },
  });
}

/** The spec above with one or two of its values, at any depth, exchanged for another, or with another beside them. */
function mutatedSpecs(): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    fc.constantFrom<unknown>(null, {}, [], [null], [{}], "a", "", 0, 1, -1, 1.5, true, false, [[]], { name: "a" }, [{ name: "a" }]),
    fc.constantFrom<unknown>([{ name: 1 }], { test: {} }, { 0: "a" }, { length: 1 }, "0", ["a"], { name: null, env: {} }),
    fc.jsonValue({ maxDepth: 3 }),
  );
  const mutation = fc.record({ at: fc.nat(), value, beside: fc.nat(3) });
  return fc.array(mutation, { minLength: 1, maxLength: 2 }).map((mutations) => {
    const spec = structuredClone(SPEC) as object;
    for (const { at, value, beside } of mutations) {
      const places = [...placesIn(spec)];
      const { parent, key } = places[at % places.length] ?? assert.fail("the spec has nothing to change");
      const target = parent as Record<string, unknown>;
      if (beside === 0 && !Array.isArray(parent)) target[OTHER_FIELDS[at % OTHER_FIELDS.length] ?? ""] = structuredClone(value);
      else target[key] = structuredClone(value);
    }
    return spec;
  });
}

/** Fields that are not in the spec above and might be walked. */
const OTHER_FIELDS = [
  "ports",
  "imagePullSecrets",
  "affinity",
  "resources",
  "command",
  "lifecycle",
  "env",
  "envFrom",
  "volumeMounts",
  "labels",
];

function* placesIn(parent: object): Generator<{ parent: object; key: string }> {
  for (const [key, value] of Object.entries(parent)) {
    yield { parent, key };
    if (typeof value === "object" && value !== null) yield* placesIn(value);
  }
}

function checkLists({ containers, initContainers = [], volumes = [], tolerations = [] }: PodSpec): void {
  const all = [containers, initContainers, volumes];
  for (const { env = [], envFrom = [], volumeMounts = [] } of [...containers, ...initContainers])
    all.push(env, volumeMounts as never, envFrom as never);
  for (const list of [...all, tolerations])
    assert.ok(Array.isArray(list) && list.every((item) => typeof item === "object" && item !== null));
  for (const list of all.slice(0, 3)) for (const { name } of list) assert.equal(typeof name, "string");
}
