import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parse, stringify } from "yaml";
import { type ManifestInput, renderJob } from "../../../../src/core/job/manifest.ts";
import { makeJobRecord, readJobRecord, readRoles } from "../../../../src/core/job/record.ts";
import { tryRenderJob } from "../../../../src/core/job/rendering.ts";
import { rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import { parseTestTask, type TestTask } from "../../../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";

const GOLDEN = new URL("../../../golden/job-manifest/", import.meta.url);

function makeTask(spec: object): TestTask {
  const parsed = parseTestTask({
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "unit", namespace: "ci" },
    spec,
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.task;
}

function makeInput(spec: object, parameters: Record<string, unknown> = {}, functionName = "build:unit"): ManifestInput {
  const parsed = parseParameters(Buffer.from(JSON.stringify(parameters)));
  assert.ok(parsed.ok);
  return {
    task: makeTask(spec),
    function: readBuildFunction(functionName),
    parameters: parsed.parameters,
    request: {
      server: "gearman:4730",
      unique: "f00",
      number: "unit-0123456789abcdef",
      logPath: "1/2",
      payloadHash: "44136fa355b3678a",
      handle: "H:zuul:7",
      replica: "replica-1",
      since: "2026-01-01T00:00:00.000Z",
    },
    settings: {
      installation: "test",
      image: "turbo-hipster:0.1.0",
      internalUrl: "http://operator:8081",
      checkout: { allowedUrls: ["https://git.example.org/"] },
    },
  };
}

const DATASETS = {
  clone: { persistentVolumeClaim: { claimName: "nova" }, size: "20Gi", storageClassName: "fast", containers: ["test", "db"] },
  snapshot: { volumeSnapshot: { name: "nova-2024" }, size: "20Gi", version: "2024-06-01", path: "/data" },
  shared: { persistentVolumeClaim: { claimName: "nova", readOnly: true }, containers: ["db"] },
  image: { image: { reference: "data:1", path: "/srv/nova" }, size: "5Gi" },
  settings: { configMap: { name: "settings" } },
};

/** A build on the dataset of this name, of a task that has them all. */
function makeDatasetInput(dataset: keyof typeof DATASETS): ManifestInput {
  const input = makeInput({
    image: "i",
    script: "migrate",
    checkout: { enabled: true },
    services: [{ name: "db", image: "mysql:8", workspace: true }],
    datasets: Object.entries(DATASETS).map(([name, source]) => ({ name, ...source })),
  });
  return { ...input, dataset: input.task.spec.datasets?.find(({ name }) => name === dataset) };
}

function testContainer(input: ManifestInput) {
  const [container] = renderJob(input).spec?.template.spec.containers ?? [];
  assert.ok(container);
  return container;
}

test("a job's name is no reference to another variable", () => {
  const input = makeInput({ image: "i" }, {}, "build:gate-$(HOME)");
  assert.equal(testContainer(input).env?.find(({ name }) => name === "TH_JOB_NAME")?.value, "gate-$$(HOME)");
});

describe("makeJobRecord", () => {
  const template = {
    spec: { containers: [{ name: "unit" }, { name: "web", image: "i" }], initContainers: [{ name: "setup", image: "i" }] },
  };
  const specs = [
    { image: "i" },
    { image: "i", timeouts: { schedule: "1h", run: "10m", collect: "1m" } },
    { image: "i", template, services: [{ name: "db", image: "i" }], checkout: { enabled: true } },
  ];
  for (const spec of specs) {
    for (const relaunchKey of [undefined, "key"]) {
      test(`is what the rendered Job says, for ${JSON.stringify({ spec, relaunchKey })}`, () => {
        const input = makeInput(spec, { ZUUL_PROJECT: "p" }, "build:unit:bionic");
        const record = makeJobRecord(input.task, { functionName: input.function.name, request: input.request, relaunchKey });
        assert.deepEqual(record, readJobRecord(renderJob({ ...input, relaunchKey })));
      });
    }
  }
});

describe("a build's dataset", () => {
  test("is mounted beside another volume of the template at its path, for the API server to refuse, and not twice", () => {
    const mountsOf = (name: string) => {
      const volumeMounts = [{ name, mountPath: "/dataset" }];
      const input = makeInput({
        image: "i",
        datasets: [{ name: "settings", ...DATASETS.settings }],
        template: { spec: { containers: [{ name: "test", volumeMounts }] } },
      });
      const mounts = testContainer({ ...input, dataset: input.task.spec.datasets?.[0] }).volumeMounts ?? [];
      return mounts.flatMap((mount) => (mount.mountPath === "/dataset" ? [mount.name] : []));
    };
    assert.deepEqual(mountsOf("cache"), ["cache", "th-dataset"]);
    assert.deepEqual(mountsOf("th-dataset"), ["th-dataset"]);
  });

  for (const name of Object.keys(DATASETS) as (keyof typeof DATASETS)[]) {
    test(`that is ${name} is what the record of the rendered Job says`, () => {
      const input = makeDatasetInput(name);
      const { dataset, request } = input;
      const record = makeJobRecord(input.task, { functionName: input.function.name, request, relaunchKey: undefined, dataset });
      assert.deepEqual(record, readJobRecord(renderJob(input)));
      assert.equal(record.dataset?.name, name);
    });
  }
});

describe("renderJob", () => {
  test("says what each container is there for, as its own template would be read", () => {
    const sidecar = { name: "cache", image: "i", restartPolicy: "Always" };
    for (const names of [["unit"], ["web", "unit"], ["web", "test"]]) {
      const containers = names.map((name) => ({ name, image: "i" }));
      const spec = { template: { spec: { containers, initContainers: [{ name: "setup", image: "i" }, sidecar] } } };
      const job = renderJob(makeInput({ ...spec, checkout: { enabled: true }, services: [{ name: "db", image: "i" }] }));
      const roles = readRoles(job);
      assert.equal(roles.test, names.includes("test") ? "test" : names[0]);
      assert.deepEqual([roles.services, roles.inits, roles.checkout], [["db", "cache"], ["setup"], true]);
      assert.deepEqual(roles, rolesOfTemplate(job.spec?.template.spec));
      assert.equal(job.spec?.template.spec.containers[0]?.name, roles.test);
    }
  });

  test("says that the runner of a script leaves a mark, and no image's own command", () => {
    const marked = (spec: object) => readRoles(renderJob(makeInput({ image: "i", ...spec }))).marked;
    assert.deepEqual([marked({ script: "exit 1" }), marked({})], [true, false]);
  });

  test("says on the Job what its log is to show, as the task said it then", () => {
    const checks = [{ name: "a", pattern: { regex: "x" } }];
    const annotationOf = (spec: object) => renderJob(makeInput({ image: "i", ...spec })).metadata.annotations?.["turbo-hipster.io/checks"];
    assert.equal(annotationOf({ checks }), '[{"name":"a","pattern":{"regex":"x","expect":"absent"}}]');
    assert.deepEqual([annotationOf({ checks: [] }), annotationOf({})], [undefined, undefined]);
  });

  const golden: Record<string, ManifestInput> = {
    private: makeInput(
      {
        checkout: {
          cache: { claimName: "git-cache" },
          credentials: [
            { url: "https://git.example.org", secretName: "merger" },
            { url: "ssh://git@git.example.org:29418/p", secretName: "gerrit" },
          ],
        },
        image: "python:3.12",
      },
      { ZUUL_PROJECT: "org/project" },
    ),
    script: makeInput({ image: "python:3.12", script: "tox -e py312\n" }, { ZUUL_UUID: "f00", ZUUL_PROJECT: "org/project" }),
    checkout: makeInput(
      { checkout: { enabled: true }, image: "python:3.12", script: "make test", timeouts: { run: "10m", pull: "1m" } },
      { ZUUL_PROJECT: "org/project", ZUUL_URL: "https://git.example.org", ZUUL_REF: "refs/zuul/master/Z1", ZUUL_COMMIT: "a".repeat(40) },
    ),
    template: makeInput(
      {
        nodeLabels: [{ name: "bionic", image: "ubuntu:18.04", nodeSelector: { os: "bionic" }, tolerations: [{ operator: "Exists" }] }],
        template: {
          metadata: { labels: { team: "nova" }, annotations: { "karpenter.sh/do-not-disrupt": "false" } },
          spec: {
            automountServiceAccountToken: true,
            nodeSelector: { disk: "ssd" },
            securityContext: { runAsUser: 2000 },
            containers: [
              { name: "web", image: "nginx" },
              { name: "test", image: "ubuntu:24.04", command: ["run"], env: [{ name: "BASE", value: "$(ZUUL_UUID)" }] },
            ],
          },
        },
      },
      { ZUUL_UUID: "f00", BASE: "overridden" },
      "build:unit:bionic",
    ),
    services: makeInput(
      {
        checkout: { path: "/src" },
        image: "python:3.12",
        script: "tox -e functional",
        services: [
          {
            name: "mysql",
            image: "mysql:8",
            args: ["--skip-log-bin"],
            env: [{ name: "MYSQL_ROOT_PASSWORD", valueFrom: { secretKeyRef: { name: "database", key: "root" } } }],
            ports: [{ containerPort: 3306 }],
            resources: { limits: { memory: "1Gi" } },
            ready: { exec: { command: ["mysqladmin", "ping"] }, timeoutSeconds: 10 },
          },
          { name: "cache", image: "memcached" },
        ],
        template: { spec: { initContainers: [{ name: "migrate", image: "migrate:1" }], containers: [{ name: "test" }] } },
      },
      { ZUUL_PROJECT: "org/project", ZUUL_URL: "https://git.example.org", ZUUL_REF: "refs/zuul/master/Z1" },
    ),
    artifacts: makeInput({
      image: "python:3.12",
      script: "tox -e py312",
      timeouts: { collect: "5m" },
      services: [{ name: "db", image: "mysql:8" }],
      artifacts: { paths: ["results/", "$(HOME)/*.xml"], junit: ["**/junit.xml"] },
      template: { spec: { terminationGracePeriodSeconds: 20, containers: [{ name: "test", workingDir: "/workspace/src" }] } },
    }),
    everything: makeInput(
      {
        nodeLabels: [{ name: "large", resources: { limits: { memory: "16Gi" } } }],
        image: "debian:12",
        env: [{ name: "TOKEN", valueFrom: { configMapKeyRef: { name: "settings", key: "token", optional: true } } }],
        envFrom: [{ prefix: "DB_", secretRef: { name: "database" } }],
        resources: { limits: { memory: "1Gi" } },
        serviceAccountName: "tester",
        priorityClassName: "low",
        securityContext: { runAsUser: 0, runAsGroup: 0, capabilities: { add: ["CHOWN"], drop: ["ALL"] } },
        labels: { "kueue.x-k8s.io/queue-name": "ci", team: "nova" },
        annotations: { "cluster-autoscaler.kubernetes.io/safe-to-evict": "true", "example.com/cost": "4711" },
        timeouts: { schedule: "2h", pull: "5m", run: "90m", collect: "3m" },
        template: {
          metadata: { labels: { team: "neutron", tier: "ci" } },
          spec: {
            serviceAccountName: "other",
            containers: [
              { name: "test", image: "other", envFrom: [{ configMapRef: { name: "base" } }], securityContext: { runAsUser: 2000 } },
              { name: "helper", image: "helper:1" },
            ],
          },
        },
      },
      {},
      "build:unit:large",
    ),
  };
  for (const name of Object.keys(DATASETS) as (keyof typeof DATASETS)[]) golden[`dataset-${name}`] = makeDatasetInput(name);
  for (const [name, input] of Object.entries(golden)) {
    test(`renders ${name} as recorded (UPDATE=1 records anew)`, () => {
      const file = new URL(`${name}.yaml`, GOLDEN);
      const rendered = stringify(renderJob(input), { lineWidth: 0, aliasDuplicateObjects: false });
      if (process.env.UPDATE) writeFileSync(file, rendered);
      assert.deepEqual(parse(rendered), parse(readFileSync(file, "utf8")));
    });
  }

  test("escapes every dollar of parameters, and none of the task's", () => {
    const container = testContainer(makeInput({ image: "i", env: [{ name: "OWN", value: "$(A)" }] }, { A: "$(SECRET) $$" }));
    assert.equal(container.env?.find(({ name }) => name === "A")?.value, "$$(SECRET) $$$$");
    assert.equal(container.env?.find(({ name }) => name === "OWN")?.value, "$(A)");
  });

  test("names each variable once, the task's before the request's", () => {
    const container = testContainer(makeInput({ image: "i", env: [{ name: "A", value: "task" }] }, { A: "request", B: "b" }));
    const names = container.env?.map(({ name }) => name) ?? [];
    assert.equal(new Set(names).size, names.length);
    assert.equal(container.env?.find(({ name }) => name === "A")?.value, "task");
  });

  test("tells scripts that it is a CI, and where the workspace is, unless request or task say otherwise", () => {
    const valuesOf = (spec: object, parameters: Record<string, unknown> = {}) => {
      const { env = [] } = testContainer(makeInput({ image: "i", checkout: { path: "/src" }, ...spec }, parameters));
      return ["CI", "WORKSPACE"].map((wanted) => env.find(({ name }) => name === wanted)?.value);
    };
    assert.deepEqual(valuesOf({}), ["true", "/src"]);
    assert.deepEqual(valuesOf({ env: [{ name: "CI", value: "false" }] }, { CI: "1", WORKSPACE: "/w" }), ["false", "/w"]);
  });

  test("tells the checkout what the task says of it", () => {
    const argsOf = (checkout: object) => renderJob(makeInput({ image: "i", checkout })).spec?.template.spec.initContainers?.[0]?.args;
    const usual = ["checkout", "--path", "/workspace", "--timeout", "10m"];
    const urls = ["--allowed-url", "https://git.example.org/"];
    assert.deepEqual(argsOf({}), [...usual, ...urls]);
    assert.deepEqual(argsOf({ branch: "stable/x" }), [...usual, "--branch", "stable/x", ...urls]);
    assert.deepEqual(
      argsOf({ gitUrl: "https://git.example.org", projects: ["a", "b/c"], projectBranches: { "b/c": "x", "$(HOME)": "y" } }),
      [
        ...usual,
        ...["--git-url", "https://git.example.org", "--project", "a", "--project", "b/c"],
        ...["--project-branch", "b/c=x", "--project-branch", "$$(HOME)=y"],
        ...urls,
      ],
    );
    assert.deepEqual(argsOf({ submodules: false }), [...usual, "--leave-submodules", ...urls]);
  });

  test("tells the test which parameters are only in the file", () => {
    const container = testContainer(makeInput({ image: "i" }, { PATH: "/evil", "a-b": "x" }));
    assert.equal(container.env?.find(({ name }) => name === "TH_OMITTED_PARAMETERS")?.value, '["PATH","a-b"]');
    assert.equal(
      container.env?.some(({ name }) => name === "PATH"),
      false,
    );
  });

  test("works in the project's folder, and never in one that leaves the workspace", () => {
    const url = { ZUUL_URL: "https://git.example.org", ZUUL_REF: "refs/zuul/master/Z1" };
    const spec = { image: "i", checkout: { enabled: true } };
    assert.equal(testContainer(makeInput(spec, { ...url, ZUUL_PROJECT: "org/project" })).workingDir, "/workspace/org/project");
    assert.equal(testContainer(makeInput(spec, { ...url, ZUUL_PROJECT: "../../etc" })).workingDir, "/workspace");
    assert.equal(testContainer(makeInput({ image: "i", script: "ls" }, { ...url, ZUUL_PROJECT: "org/project" })).workingDir, "/workspace");
  });

  test("lets what an image brings along run where the image says, unless something is checked out for it", () => {
    const url = { ZUUL_URL: "https://git.example.org", ZUUL_REF: "refs/zuul/master/Z1", ZUUL_PROJECT: "org/project" };
    const own = testContainer(makeInput({ image: "i" }, url));
    assert.equal("workingDir" in own, false);
    assert.equal(own.env?.find(({ name }) => name === "HOME")?.value, "/workspace");
    const template = (test: object) => ({ template: { spec: { containers: [{ name: "test", image: "i", ...test }] } } });
    assert.equal("workingDir" in testContainer(makeInput(template({ command: ["node", "--test"] }))), false);
    assert.equal(testContainer(makeInput(template({ workingDir: "/app" }))).workingDir, "/app");
    assert.equal(testContainer(makeInput({ ...template({ workingDir: "/app" }), script: "ls" })).workingDir, "/app");
    assert.equal(testContainer(makeInput({ image: "i", checkout: {} }, url)).workingDir, "/workspace/org/project");
  });

  test("replaces references to variables of ours and of the request", () => {
    const spec = {
      image: "i",
      env: [
        { name: "JUNIT_FILE", value: "$(TH_ARTIFACTS_DIR)/junit.xml" },
        { name: "CHANGE", value: "change $(ZUUL_CHANGE)" },
      ],
    };
    const env = testContainer(makeInput(spec, { ZUUL_CHANGE: "1" })).env ?? [];
    const position = (wanted: string) => env.findIndex(({ name }) => name === wanted);
    assert.ok(position("TH_ARTIFACTS_DIR") < position("JUNIT_FILE"));
    assert.ok(position("ZUUL_CHANGE") < position("CHANGE"));
  });

  test("shows the checkout's Secrets, copies of keys and cache to the checkout alone", () => {
    const credentials = [{ url: "https://git.example.org", secretName: "merger" }];
    const services = [{ name: "db", image: "i", workspace: true }];
    const template = {
      spec: {
        containers: [
          { name: "test", image: "i" },
          { name: "web", image: "i" },
        ],
        initContainers: [{ name: "setup", image: "i" }],
      },
    };
    const artifacts = { paths: ["x"] };
    const input = makeInput({ template, services, artifacts, checkout: { credentials, cache: { claimName: "git-cache" } } });
    const pod = renderJob(input).spec?.template.spec;
    const own = ["th-git-cache", "th-credentials-0", "th-private"];
    for (const name of own)
      assert.ok(
        pod?.volumes?.some((volume) => volume.name === name),
        name,
      );
    for (const { name, volumeMounts = [] } of [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]) {
      const mounted = volumeMounts.map((mount) => mount.name).filter((mount) => own.includes(mount));
      assert.deepEqual(mounted, name === "checkout" ? own : [], name);
    }
    const disabled = renderJob(makeInput({ image: "i", checkout: { enabled: false, credentials } })).spec?.template.spec;
    assert.ok(!disabled?.volumes?.some(({ name }) => own.includes(name)));
  });

  test("renders no credentials where the configuration limits no URLs, and says where to", () => {
    const input = makeInput({ image: "i", checkout: { credentials: [{ url: "https://git.example.org", secretName: "merger" }] } });
    const rendered = tryRenderJob({ ...input, settings: { ...input.settings, checkout: { allowedUrls: [] } } });
    assert.ok(!rendered.ok);
    assert.match(
      rendered.problem,
      /look at spec\.checkout\.credentials\S* - credentials need checkout\.allowedUrls in the operator's configuration/,
    );
  });

  test("gives the checkout what the test may use, devices excepted, or what the configuration says", () => {
    const checkoutOf = (input: ManifestInput) => renderJob(input).spec?.template.spec.initContainers?.[0];
    const resources = {
      requests: { cpu: "1", memory: "1Gi", "example.com/gpu": 1 },
      limits: { memory: "2Gi", "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "example.com/gpu": 1 },
    };
    const input = makeInput({ image: "i", checkout: {}, resources, nodeLabels: [{ name: "small", resources: { limits: { cpu: 1 } } }] });
    assert.deepEqual(checkoutOf(input)?.resources, {
      requests: { cpu: "1", memory: "1Gi" },
      limits: { memory: "2Gi", "ephemeral-storage": "1Gi" },
    });
    assert.deepEqual(checkoutOf({ ...input, function: readBuildFunction("build:unit:small") })?.resources, { limits: { cpu: 1 } });
    const own = { limits: { memory: "4Gi" } };
    const settings = { ...input.settings, checkout: { ...input.settings.checkout, resources: own } };
    assert.deepEqual(checkoutOf({ ...input, settings })?.resources, own);
    assert.equal("resources" in (checkoutOf(makeInput({ image: "i", checkout: {} })) ?? {}), false);
  });

  test("leaves user and groups to the cluster where the installation says so, and to nobody's root", () => {
    const input = makeInput({ image: "i" });
    const contextOf = (made: ManifestInput) => renderJob(made).spec?.template.spec.securityContext;
    assert.deepEqual(contextOf({ ...input, settings: { ...input.settings, podUser: "cluster" } }), {
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    const asked = makeInput({ image: "i", securityContext: { runAsUser: 2000 } });
    assert.equal(contextOf({ ...asked, settings: { ...asked.settings, podUser: "cluster" } })?.runAsUser, 2000);
  });

  test("gives a service the workspace where it asks for it", () => {
    const services = [
      { name: "docker", image: "dind", workspace: true },
      { name: "db", image: "mysql", workspace: false },
    ];
    const input = makeInput({ image: "i", script: "ls", checkout: { enabled: false, path: "/src" }, services });
    const rendered = renderJob(input).spec?.template.spec.initContainers ?? [];
    assert.deepEqual(
      rendered.map(({ volumeMounts }) => volumeMounts),
      [[{ name: "th-workspace", mountPath: "/src" }], undefined],
    );
    assert.equal("workspace" in (rendered[0] ?? {}), false);
  });

  test("lets a template be privileged, which forbids to forbid escalation", () => {
    const container = testContainer(
      makeInput({ template: { spec: { containers: [{ name: "test", image: "i", securityContext: { privileged: true } }] } } }),
    );
    assert.deepEqual(container.securityContext, { capabilities: { drop: ["ALL"] }, privileged: true });
  });

  test("adds the task's sources of variables to the template's, and needs none of those", () => {
    const envFrom = [{ secretRef: { name: "s" } }];
    const template = { spec: { containers: [{ name: "test", image: "i", envFrom: [{ configMapRef: { name: "c" } }] }] } };
    assert.deepEqual(testContainer(makeInput({ image: "i", envFrom })).envFrom, envFrom);
    assert.deepEqual(testContainer(makeInput({ envFrom, template })).envFrom, [{ configMapRef: { name: "c" } }, ...envFrom]);
  });

  test("leaves what the template mounts where it is, and mounts the rest beside it", () => {
    const volumeMounts = [
      { name: "scratch", mountPath: "/tmp" },
      { name: "cache", mountPath: "/cache" },
    ];
    const mounts = testContainer(
      makeInput({ template: { spec: { containers: [{ name: "test", image: "i", volumeMounts }] } } }),
    ).volumeMounts;
    assert.deepEqual(mounts?.slice(0, 2), volumeMounts);
    assert.deepEqual(
      mounts?.slice(2).map(({ name }) => name),
      ["th-workspace", "th-artifacts", "th-request"],
    );
  });

  test("tells of many parameters that are only in the file as many as a variable has room for", () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`a-${index}`, ""]));
    assert.equal(
      testContainer(makeInput({ image: "i" }, many)).env?.find(({ name }) => name === "TH_OMITTED_PARAMETERS")?.value?.length,
      4096,
    );
  });

  test("gives the pod a deadline beyond all limits of the build", () => {
    const { activeDeadlineSeconds } = renderJob(makeInput({ image: "i", timeouts: { pull: "10m", run: "1h" } })).spec?.template.spec ?? {};
    assert.equal(activeDeadlineSeconds, (10 + 10 + 60 + 10) * 60);
  });
});
