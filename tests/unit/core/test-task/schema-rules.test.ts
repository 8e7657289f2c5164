import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isJobsFunctionPart, isLabelsFunctionPart } from "../../../../src/core/test-task/schema/function-part.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { taskObject } from "../../../support/objects/test-tasks.ts";

/** Values on both sides of a rule: what it lets pass, and what breaks it alone. */
interface Sides<V> {
  good: readonly V[];
  bad: readonly V[];
}

/** The fields that are told of, each once. */
function fieldsToldOf(spec: object): string[] {
  const parsed = parseTestTask(taskObject(spec), { strictMetadata: true });
  return parsed.ok ? [] : [...new Set(parsed.problems.map(({ path }) => path))];
}

function rule<V>(what: string, field: string, specOf: (value: V) => object, { good, bad }: Sides<V>): void {
  test(`${field} ${what}`, () => {
    for (const value of good) assert.deepEqual(fieldsToldOf(specOf(value)), [], JSON.stringify(value)?.slice(0, 200));
    for (const value of bad) assert.deepEqual(fieldsToldOf(specOf(value)), [`spec.${field}`], JSON.stringify(value)?.slice(0, 200));
  });
}

function entries<V>(count: number, value: V, keyOf = (index: number) => `key-${index}`): Record<string, V> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [keyOf(index), value]));
}

function named<T extends object>(count: number, more: T): (T & { name: string })[] {
  return Array.from({ length: count }, (_, index) => ({ name: `n${index}`, ...more }));
}

const TEST = { name: "test", image: "i" };
const podOf = (spec: object) => ({ template: { spec: { containers: [TEST], ...spec } } });

describe("texts", () => {
  rule("is from a second to a week", "timeouts.run", (run: string) => ({ timeouts: { run } }), {
    good: ["1s", "90s", "1h30m", "168h"],
    bad: ["0s", "999ms", "-5s", "169h", "168h1s", "1", "1d", "soon", ""],
  });
  rule(
    "has no part that leads elsewhere",
    "checkout.projects[0]",
    (project: string) => ({ checkout: { gitUrl: "https://h", projects: [project] } }),
    {
      good: ["openstack/nova", "nova.git", "git", ".github/a", "a/.gitx", "...", "a..b/c"],
      bad: [".", "..", "a/..", "../a", "a/./b", ".git", "a/.git/b", ".GIT", ".gIt", "a/.giT", ".Git"],
    },
  );
  rule("is nowhere where a container needs its own files", "checkout.path", (path: string) => ({ checkout: { path } }), {
    good: ["/workspace", "/device", "/a/dev", "/run", "/run/turbo-hipster-2", "/system", "/home/proc"],
    bad: ["/dev", "/dev/a", "/proc", "/proc/a", "/sys", "/tmp", "/tmp/a", "/run/turbo-hipster", "/run/turbo-hipster/a"],
  });
  const job = (name: string) => ({ jobs: [name] });
  rule("is what Zuul and Gearman can carry", "jobs[0]", job, {
    good: ["nova", "a^", "{", "a}b{", "é".repeat(100), "j".repeat(200)],
    bad: ["^nova", "{name}-unit", "{}", "a b", "a:b", "a\u00a0b", "a\u200bb", "é".repeat(101), "j".repeat(201)],
  });
  rule("is what Zuul and Gearman can carry", "nodeLabels[0].name", (name: string) => ({ nodeLabels: [{ name }] }), {
    good: ["bionic", "^bionic", "{a}", "é".repeat(50), "l".repeat(100)],
    bad: ["a b", "a:b", "é".repeat(51), "l".repeat(101)],
  });
  rule("names an interpreter by its whole path, and has no NUL", "script", (script: string) => ({ script }), {
    good: ["#!/bin/bash", "#! /bin/bash\ntrue", "#!\t/a\n", "# !bash", "true\r\n", "true\n#!bash", "s".repeat(65_536)],
    bad: ["#!bash", "#!", "#!/bin/bash\r\ntrue", "true\0", `${"s".repeat(65_534)}é\n`],
  });
});

describe("texts that Kubernetes, Git or Zuul give a form", () => {
  rule("is an image", "image", (image: string) => ({ image }), {
    good: ["python:3.12", "r.example.com:5000/a/b@sha256:0f", "[::1]:5000/a", "A"],
    bad: ["", "a b", "-a", ":a", "a\n", "\na", "é", "a?"],
  });
  const service = (more: object) => ({ services: [{ name: "s", image: "i", ...more }] });
  rule("is a DNS label", "services[0].name", (name: string) => service({ name }), {
    good: ["a", "a-1", "1a", "a".repeat(50)],
    bad: ["", "-a", "a-", "A", "a_b", "a.b", "a\n", "a".repeat(51)],
  });
  rule("is an object's", "serviceAccountName", (serviceAccountName: string) => ({ serviceAccountName }), {
    good: ["a", "a.b-c.1", "a".repeat(253)],
    bad: ["", "a..b", ".a", "a.", "A", "a_b", "-a", "a.-b", "a-.b", "a\n", "a".repeat(254)],
  });
  rule("is a label's", "labels.a", (a: string) => ({ labels: { a } }), {
    good: ["", "A", "A_b.c-1", "a".repeat(63)],
    bad: ["-a", "a-", "_a", "a.", "a b", "a\n", "a".repeat(64)],
  });
  rule("is a server's without a password", "checkout.gitUrl", (gitUrl: string) => ({ checkout: { gitUrl } }), {
    good: ["https://git.example.com", "http://u@h:80/a/b", "ssh://git@h/x", "git://h", "https://[::1]/a/"],
    bad: ["", "ftp://h", "https://u:p@h", "https://h/a b", "xhttps://h", "https://", "https://h?x", "https://h\n"],
  });
  rule("is a branch", "checkout.branch", (branch: string) => ({ checkout: { branch } }), {
    good: ["master", "stable/2024.1", "_a", "a+b"],
    bad: ["", "-a", "/a", ".a", "a b", "a~b", "a\n"],
  });
  rule("lies below", "artifacts.paths[0]", (path: string) => ({ artifacts: { paths: [path] } }), {
    good: ["results/", "*.xml", "a b", "é"],
    bad: ["", "/a", "a\nb", "\ta", "a\u001f"],
  });
  const keyOf = (key: string) => ({ env: [{ name: "A", valueFrom: { secretKeyRef: { name: "a", key } } }] });
  rule("is a Secret's", "env[0].valueFrom.secretKeyRef.key", keyOf, {
    good: ["a.b-c_1", "-"],
    bad: ["", "a/b", "a b", "a\n", "a".repeat(254)],
  });
  rule("is a variable", "env[0].name", (name: string) => ({ env: [{ name, value: "" }] }), {
    good: ["A", "_a", "a1", "A".repeat(200)],
    bad: ["", "1a", "A-B", "A.B", "A ", "A\n", "A".repeat(201)],
  });
  rule("begins a variable", "envFrom[0].prefix", (prefix: string) => ({ envFrom: [{ prefix, secretRef: { name: "a" } }] }), {
    good: ["A_", "_", "a1"],
    bad: ["", "1", "A-", "A\n"],
  });
  const port = (more: object) => service({ ports: [{ containerPort: 1, ...more }] });
  rule("is a port's", "services[0].ports[0].name", (name: string) => port({ name }), {
    good: ["http", "a-1", "a".repeat(15)],
    bad: ["", "-a", "a-", "A", "a\n", "a".repeat(16)],
  });
  rule("is a port", "services[0].ports[0].containerPort", (containerPort: number) => port({ containerPort }), {
    good: [1, 65_535],
    bad: [0, 65_536, 1.5],
  });
  rule("is a user", "securityContext.runAsUser", (runAsUser: number) => ({ securityContext: { runAsUser } }), {
    good: [0, 2_147_483_647],
    bad: [-1, 2_147_483_648, 0.5],
  });
  rule("is a pipeline", "pipelines[0]", (pipeline: string) => ({ pipelines: [pipeline] }), {
    good: ["gate", "check-tripleo", "post release", "a.", "a-", "_a", "a".repeat(100)],
    bad: ["", " a", "a ", "-a", ".a", "a\n", "a/b", "a".repeat(101)],
  });
  test("a TestTask's name is a DNS label of forty characters", () => {
    const refusedNames = (names: string[]) => names.filter((name) => !parseTestTask(taskObject({}, { name })).ok);
    const bad = ["", "a".repeat(41), "A", "-a", "a-", "a.b", "a\n", "\na"];
    assert.deepEqual(refusedNames(["a", "a-1", "1", "a".repeat(40), ...bad]), bad);
  });
  test("what can be read of an invalid task's names is what Gearman can carry", () => {
    assert.deepEqual(
      [200, 201].map((length) => isJobsFunctionPart("j".repeat(length))),
      [true, false],
    );
    assert.deepEqual(
      [100, 101].map((length) => isLabelsFunctionPart("l".repeat(length))),
      [true, false],
    );
  });
});

describe("names that are turbo-hipster's", () => {
  rule("are no service's", "services[0].name", (name: string) => ({ services: [{ name, image: "i" }] }), {
    good: ["checkouts", "a-checkout", "collector2", "thing", "a-th-b", "tests"],
    bad: ["checkout", "collector", "th-a", "test"],
  });
  rule("are no container's", "template.spec.containers[1].name", (name: string) => podOf({ containers: [TEST, { name, image: "i" }] }), {
    good: ["a-th-", "checkouts"],
    bad: ["checkout", "collector", "th-"],
  });
  rule("are no volume's", "template.spec.volumes[0].name", (name: string) => podOf({ volumes: [{ name, emptyDir: {} }] }), {
    good: ["a-th-", "checkout", "thing"],
    bad: ["th-", "th-workspace"],
  });
  rule("are no variable's", "env[0].name", (name: string) => ({ env: [{ name, value: "" }] }), {
    good: ["A_TH_", "TH", "th_a", "THE"],
    bad: ["TH_", "TH_A"],
  });
});

const inContainers = (containers: string[]) => ({
  services: [{ name: "db", image: "i" }],
  datasets: [{ name: "d", configMap: { name: "a" }, containers }],
});

describe("what there is one of", () => {
  const steps = { start: "a", end: "b", limit: "1s" };
  rule("is a check's kind", "checks[0]", (check: object) => ({ checks: [{ name: "c", ...check }] }), {
    good: [{ pattern: { regex: "a" } }, { steps }, { counters: { regex: "a", limit: 1 } }],
    bad: [{}, { pattern: { regex: "a" }, steps }, { pattern: { regex: "a" }, steps, counters: { regex: "a", limit: 1 } }],
  });
  const image = { image: { reference: "i" } };
  const configMap = { configMap: { name: "a" } };
  rule("is a dataset's source", "datasets[0]", (source: object) => ({ datasets: [{ name: "d", ...source }] }), {
    good: [image, configMap, { volumeSnapshot: { name: "a" }, size: "1Gi" }, { persistentVolumeClaim: { claimName: "a" }, size: "1Gi" }],
    bad: [{}, { ...image, ...configMap }],
  });
  const sized = (source: object) => ({ datasets: [{ name: "d", ...source, size: "1Gi" }] });
  const classed = (source: object) => ({ datasets: [{ name: "d", size: "1Gi", ...source, storageClassName: "s" }] });
  const claim = (readOnly: boolean) => ({ persistentVolumeClaim: { claimName: "a", readOnly } });
  const snapshot = { volumeSnapshot: { name: "a" } };
  rule("has a size where something is copied", "datasets[0].size", (source: object) => ({ datasets: [{ name: "d", ...source }] }), {
    good: [image, configMap, claim(true)],
    bad: [snapshot, claim(false)],
  });
  rule("has a size where something is copied only", "datasets[0].size", sized, {
    good: [image, snapshot, claim(false)],
    bad: [configMap, claim(true)],
  });
  rule("has a class where something is provisioned only", "datasets[0].storageClassName", classed, {
    good: [snapshot, claim(false)],
    bad: [image],
  });
  rule("is in the test or in a service", "datasets", inContainers, {
    good: [["test"], ["db"], ["test", "db"]],
    bad: [["checkout"], ["db", "web"]],
  });
  rule("is not where the workspace is", "datasets", (path: string) => ({ datasets: [{ name: "d", ...configMap, path }] }), {
    good: ["/work", "/workspace/data"],
    bad: ["/workspace"],
  });
  const secretKeyRef = { name: "a", key: "b" };
  rule("is where a variable's value comes from", "env[0].valueFrom", (valueFrom: object) => ({ env: [{ name: "A", valueFrom }] }), {
    good: [{ secretKeyRef }, { configMapKeyRef: secretKeyRef }],
    bad: [{}, { secretKeyRef, configMapKeyRef: secretKeyRef }],
  });
  const [secretRef, configMapRef] = [{ name: "a" }, { name: "b" }];
  rule("is where variables come from", "envFrom[0]", (source: object) => ({ envFrom: [source] }), {
    good: [{ secretRef }, { configMapRef, prefix: "A" }],
    bad: [{}, { secretRef, configMapRef }],
  });
  const [exec, tcpSocket, httpGet] = [{ command: ["a"] }, { port: 1 }, { port: 1 }];
  rule("is how a service is asked", "services[0].ready", (ready: object) => ({ services: [{ name: "s", image: "i", ready }] }), {
    good: [{ exec }, { tcpSocket }, { httpGet }],
    bad: [{}, { exec, tcpSocket }, { exec, httpGet }, { tcpSocket, httpGet }, { exec, tcpSocket, httpGet }],
  });
  test("is a variable's value: given, or from somewhere", () => {
    const valueFrom = { secretKeyRef };
    for (const variable of [{ value: "" }, { valueFrom }]) assert.deepEqual(fieldsToldOf({ env: [{ name: "A", ...variable }] }), []);
    assert.deepEqual(fieldsToldOf({ env: [{ name: "A" }] }), ["spec.env[0].value"]);
    assert.deepEqual(fieldsToldOf({ env: [{ name: "A", value: "", valueFrom }] }), ["spec.env[0].valueFrom"]);
  });
  rule("is not there twice", "jobs[2]", (name: string) => ({ jobs: ["a", "b", name] }), { good: ["c"], bad: ["a", "b"] });
  rule(
    "is not there twice",
    "env[1]",
    (name: string) => ({
      env: [
        { name: "A", value: "1" },
        { name, value: "2" },
      ],
    }),
    { good: ["B"], bad: ["A"] },
  );
  test("is told of with where it is first", () => {
    const parsed = parseTestTask(taskObject({ jobs: ["a", "b", "b", "a"] }));
    assert.deepEqual(parsed.ok || parsed.problems.map(({ path, message }) => `${path} ${message}`), [
      "spec.jobs[2] repeats entry [1]; remove one of them",
      "spec.jobs[3] repeats entry [0]; remove one of them",
    ]);
  });
});

describe("how much there may be", () => {
  const branches = (count: number) => ({ checkout: { projectBranches: entries(count, "master") } });
  rule("of branches", "checkout.projectBranches", branches, { good: [0, 100], bad: [101] });
  for (const field of ["labels", "annotations"])
    rule("of them", field, (count: number) => ({ [field]: entries(count, "v") }), { good: [0, 50], bad: [51] });
  rule("of all annotations together", "annotations", (annotations: object) => ({ annotations }), {
    good: [{ a: "x".repeat(16_384), b: "é".repeat(8_192) }],
    bad: [
      { a: "x".repeat(16_385), b: "x".repeat(16_384) },
      { a: "x".repeat(16_384), b: "é".repeat(8_193) },
    ],
  });
  const selector = (count: number) => ({ nodeLabels: [{ name: "l", nodeSelector: entries(count, "v") }] });
  rule("of a node label's own", "nodeLabels[0].nodeSelector", selector, { good: [50], bad: [51] });
  const podSelector = (count: number) => podOf({ nodeSelector: entries(count, "v") });
  rule("of a pod's", "template.spec.nodeSelector", podSelector, { good: [100], bad: [101] });
  const requests = (count: number) => ({ resources: { requests: entries(count, 1, (index) => `example.com/r${index}`) } });
  rule("of resources", "resources.requests", requests, { good: [20], bad: [21] });
  rule("of a variable's bytes", "env[0].value", (value: string) => ({ env: [{ name: "A", value }] }), {
    good: ["x".repeat(32_768), "é".repeat(16_384)],
    bad: ["é".repeat(16_385), "a\0b"],
  });
  rule("of builds at once", "maxConcurrent", (maxConcurrent: number) => ({ maxConcurrent }), { good: [1, 100_000], bad: [0, -1, 100_001] });
  const functions = ([jobs, labels]: readonly [number, number]) => ({
    ...(jobs > 0 ? { jobs: Object.keys(entries(jobs, 0)) } : {}),
    nodeLabels: named(labels, {}),
  });
  rule("of functions", "jobs", functions, {
    good: [
      [500, 1],
      [1000, 0],
      [20, 49],
      [0, 50],
    ],
    bad: [
      [501, 1],
      [21, 49],
    ],
  });
  const steps = { start: "a", end: "b", limit: "1s" };
  const overrides = (count: number) => Object.keys(entries(count, 0)).map((step) => ({ step, limit: "1s" }));
  const words = (count: number) => Array.from({ length: count }, () => "a");
  const lists: [string, number, (count: number) => object][] = [
    ["services", 20, (count) => ({ services: named(count, { image: "i" }) })],
    ["services[0].command", 100, (count) => ({ services: [{ name: "s", image: "i", command: words(count) }] })],
    [
      "services[0].ports",
      20,
      (count) => ({ services: [{ name: "s", image: "i", ports: words(count).map(() => ({ containerPort: 1 })) }] }),
    ],
    ["services[0].env", 50, (count) => ({ services: [{ name: "s", image: "i", env: named(count, { value: "" }) }] })],
    ["env", 200, (count) => ({ env: named(count, { value: "" }) })],
    ["envFrom", 50, (count) => ({ envFrom: words(count).map((name) => ({ secretRef: { name } })) })],
    ["checks", 50, (count) => ({ checks: named(count, { pattern: { regex: "a" } }) })],
    ["checks[0].steps.overrides", 200, (count) => ({ checks: [{ name: "c", steps: { ...steps, overrides: overrides(count) } }] })],
    ["datasets", 20, (count) => ({ datasets: named(count, { image: { reference: "i" } }) })],
    ["artifacts.paths", 100, (count) => ({ artifacts: { paths: Object.keys(entries(count, 0)) } })],
    ["checkout.projects", 100, (count) => ({ checkout: { gitUrl: "https://h", projects: Object.keys(entries(count, 0)) } })],
    ["pipelines", 50, (count) => ({ pipelines: Object.keys(entries(count, 0)) })],
    ["nodeLabels", 50, (count) => ({ nodeLabels: named(count, {}) })],
    ["nodeLabels[0].tolerations", 50, (count) => ({ nodeLabels: [{ name: "l", tolerations: words(count).map((key) => ({ key })) }] })],
    ["securityContext.supplementalGroups", 50, (count) => ({ securityContext: { supplementalGroups: words(count).map(() => 1) } })],
    ["securityContext.capabilities.add", 50, (count) => ({ securityContext: { capabilities: { add: words(count) } } })],
    ["template.spec.containers", 50, (count) => podOf({ containers: named(count, { image: "i" }) })],
    ["template.spec.initContainers", 50, (count) => podOf({ initContainers: named(count, { image: "i" }) })],
    ["template.spec.volumes", 200, (count) => podOf({ volumes: named(count, {}) })],
    ["template.spec.tolerations", 200, (count) => podOf({ tolerations: words(count).map(() => ({})) })],
  ];
  for (const [field, max, specOf] of lists) rule("of entries", field, specOf, { good: [max], bad: [max + 1] });
  const some: [string, object][] = [
    ["jobs", { jobs: [] }],
    ["pipelines", { pipelines: [] }],
    ["artifacts.paths", { artifacts: { paths: [] } }],
    ["template.spec.containers", podOf({ containers: [] })],
  ];
  for (const [field, spec] of some) rule("at least", field, (none: object) => none, { good: [], bad: [spec] });
  rule("of grace", "template.spec.terminationGracePeriodSeconds", (seconds: number) => podOf({ terminationGracePeriodSeconds: seconds }), {
    good: [0, 600],
    bad: [-1, 601],
  });
});

describe("keys of labels and annotations", () => {
  const all = { good: ["team", "example.com/team", `${"a".repeat(253)}/${"b".repeat(63)}`, "app.kubernetes.io/name", "job-names"] };
  const ours = ["turbo-hipster.io/a", "x.turbo-hipster.io/a", "batch.kubernetes.io/a", "app.kubernetes.io/managed-by", "job-name"];
  const bad = ["", "-a", "a/", "/a", "a b", "A.com/a", "b".repeat(64), `${"a".repeat(254)}/${"b".repeat(63)}`, "controller-uid", ...ours];
  const good = [...all.good, "myturbo-hipster.io/a", "turbo-hipster.io.example.com/a", "a.job-name"];
  for (const field of ["labels", "annotations"])
    rule("are Kubernetes' and not ours", field, (key: string) => ({ [field]: { ok: "v", [key]: "v" } }), { good, bad });
});

describe("what goes together", () => {
  rule("is root and leave to be it", "securityContext.runAsNonRoot", (securityContext: object) => ({ securityContext }), {
    good: [{ runAsUser: 0 }, { runAsUser: 0, runAsNonRoot: false }, { runAsUser: 1, runAsNonRoot: true }, { runAsNonRoot: true }],
    bad: [{ runAsUser: 0, runAsNonRoot: true }],
  });
  const seccomp = (seccompProfile: object) => ({ securityContext: { seccompProfile } });
  rule("is a profile and its file", "securityContext.seccompProfile.localhostProfile", seccomp, {
    good: [{ type: "Localhost", localhostProfile: "a" }, { type: "RuntimeDefault" }],
    bad: [{ type: "Localhost" }, { type: "Unconfined", localhostProfile: "a" }],
  });
  const toleration = (tolerated: object) => ({ nodeLabels: [{ name: "l", tolerations: [tolerated] }] });
  const at = (field: string) => `nodeLabels[0].tolerations[0].${field}`;
  rule("is every taint and Exists", at("operator"), toleration, {
    good: [{ operator: "Exists" }, { key: "", operator: "Exists" }, { key: "a" }, { key: "a", operator: "Equal" }],
    bad: [{}, { key: "" }, { operator: "Equal" }],
  });
  rule("is a taint's value and Equal", at("value"), toleration, {
    good: [
      { key: "a", value: "v" },
      { key: "a", operator: "Equal", value: "v" },
      { key: "a", operator: "Exists", value: "" },
    ],
    bad: [{ key: "a", operator: "Exists", value: "v" }],
  });
  rule("is a taint's time and NoExecute", at("tolerationSeconds"), toleration, {
    good: [
      { key: "a", effect: "NoExecute", tolerationSeconds: 0 },
      { key: "a", effect: "NoSchedule" },
    ],
    bad: [
      { key: "a", tolerationSeconds: 0 },
      { key: "a", effect: "NoSchedule", tolerationSeconds: 0 },
    ],
  });
  rule("is a request and a limit that is no less", "resources.requests", (resources: object) => ({ resources }), {
    good: [
      { requests: { cpu: "500m" }, limits: { cpu: 1 } },
      { requests: { cpu: 1 }, limits: { cpu: "1000m" } },
      { requests: { memory: "2Gi" }, limits: { cpu: 1 } },
      { requests: { memory: "2Gi" } },
    ],
    bad: [{ requests: { cpu: 1, memory: "1Gi" }, limits: { cpu: 1, memory: "1023Mi" } }],
  });
  rule("is a resource and a node that has it", "resources.limits", (name: string) => ({ resources: { limits: { [name]: 1, cpu: 1 } } }), {
    good: ["cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/gpu"],
    bad: ["gpu", "memorie", "hugepages", "my-hugepages-2Mi"],
  });
  rule("is a quantity and no less than nothing", "resources.limits.cpu", (cpu: unknown) => ({ resources: { limits: { cpu } } }), {
    good: [0, 1, "500m", "0.5", "1e3"],
    bad: [-1, "-1", "one", "1 Gi", ""],
  });
  rule("is a service's name and no container's", "services", (pod: object) => ({ ...podOf(pod), services: [{ name: "db", image: "i" }] }), {
    good: [{ initContainers: [{ name: "init", image: "i" }] }, {}],
    bad: [
      { containers: [TEST, { name: "db", image: "i" }] },
      {
        initContainers: [
          { name: "init", image: "i" },
          { name: "db", image: "i" },
        ],
      },
    ],
  });
});

describe("a pod that runs once", () => {
  const at = (field: string) => `template.spec.${field}`;
  rule("is never started again", at("restartPolicy"), (restartPolicy: string) => podOf({ restartPolicy }), {
    good: ["Never"],
    bad: ["Always", "OnFailure", ""],
  });
  const container = (more: object) => podOf({ containers: [{ ...TEST, ...more }] });
  const init = (more: object) => podOf({ initContainers: [{ name: "init", image: "i", ...more }] });
  rule("nor its container", at("containers[0].restartPolicy"), container, {
    good: [{ restartPolicy: "Never" }],
    bad: [{ restartPolicy: "Always" }],
  });
  rule("nor by a rule of its own", at("containers[0].restartPolicyRules"), container, { good: [{}], bad: [{ restartPolicyRules: [] }] });
  rule("nor its init container, but for a sidecar", at("initContainers[0].restartPolicy"), init, {
    good: [{ restartPolicy: "Never" }, { restartPolicy: "Always" }],
    bad: [{ restartPolicy: "OnFailure" }],
  });
  rule("nor by a rule of that", at("initContainers[0].restartPolicyRules"), init, { good: [{}], bad: [{ restartPolicyRules: [] }] });
  rule("has no deadline of its own", at("activeDeadlineSeconds"), podOf, { good: [{}], bad: [{ activeDeadlineSeconds: 5 }] });
  rule("has nothing for debugging", at("ephemeralContainers"), podOf, { good: [{}], bad: [{ ephemeralContainers: [] }] });
  rule("runs on Linux", at("os.name"), (name: string) => podOf({ os: { name } }), { good: ["linux"], bad: ["windows", "Linux"] });
  const besideTwo = (name: string) => podOf({ containers: [TEST, { name: "db" }], initContainers: [{ name: "a" }, { name }] });
  rule("has each name once", at("initContainers"), besideTwo, { good: ["b"], bad: ["test", "db"] });
  const variable = (index: number) => (name: string) =>
    podOf({
      containers: [0, 1].map((at) => ({ ...(at === 1 ? TEST : { name: "db" }), env: at === index ? [{ name: "OK" }, { name }] : [] })),
    });
  rule("sets none of our variables in its test", at("containers"), variable(1), { good: ["A_TH_", "TH"], bad: ["TH_A"] });
  rule("may set them elsewhere", at("containers"), variable(0), { good: ["TH_A"], bad: [] });
  test("has an image for its test", () => {
    const containers = [{ name: "db", image: "i" }, { name: "test" }];
    assert.deepEqual(fieldsToldOf({ image: undefined, ...podOf({ containers }) }), ["spec.template"]);
    assert.deepEqual(fieldsToldOf({ image: undefined, ...podOf({ containers: containers.slice(0, 1) }) }), []);
    assert.deepEqual(fieldsToldOf(podOf({ containers })), []);
    assert.deepEqual(fieldsToldOf({ image: undefined }), ["spec"]);
  });
});
