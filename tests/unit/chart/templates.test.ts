import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../../../src/config.ts";
import { parseDurationMs } from "../../../src/core/kubernetes/duration.ts";
import { TEST_TASK_CRD_NAME } from "../../../src/core/test-task/crd.ts";
import { VERSION } from "../../../src/version.ts";
import { CHART, configText, EXAMPLES, find, helm, LEAST_VALUES, renderChart } from "./render-chart.ts";

describe("what the chart makes", () => {
  test("the least values give two replicas of the operator with their account, rights, configuration and two Services", async () => {
    const objects = await renderChart(LEAST_VALUES);
    assert.equal(objects.length, 14);
    assert.deepEqual(
      new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`)),
      new Set([
        "ClusterRole /ci-turbo-hipster",
        "ClusterRole /ci-turbo-hipster-edit",
        "ClusterRole /ci-turbo-hipster-view",
        "ClusterRoleBinding /ci-turbo-hipster",
        "ConfigMap ci/turbo-hipster",
        `CustomResourceDefinition /${TEST_TASK_CRD_NAME}`,
        "Deployment ci/turbo-hipster",
        "NetworkPolicy ci/turbo-hipster-builds",
        "PersistentVolumeClaim ci/turbo-hipster-logs",
        "Role ci/turbo-hipster",
        "RoleBinding ci/turbo-hipster",
        "Service ci/turbo-hipster",
        "Service ci/turbo-hipster-internal",
        "ServiceAccount ci/turbo-hipster",
      ]),
    );
    assert.equal(find(objects, "Deployment").spec.replicas, 2);
  });

  test("its version is the program's, and so is the tag of the image", async () => {
    const chart = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8"));
    assert.equal(chart.appVersion, VERSION);
    const container = find(await renderChart(LEAST_VALUES), "Deployment").spec.template.spec.containers[0];
    assert.equal(container.image, `turbo-hipster:${VERSION}`);
  });

  test("helm lint finds nothing in it, with the example values as well", async () => {
    for (const file of ["values.yaml", "values-local.yaml"]) {
      const output = await helm(["lint", "--strict", CHART, "--values", join(EXAMPLES, file), "--set", "config.gearman.servers={a:1}"]);
      assert.doesNotMatch(output, /WARNING|ERROR/);
    }
  });

  test("names and namespaces that look like numbers stay text", async () => {
    const objects = await renderChart(LEAST_VALUES, { release: "1234", namespace: "567" });
    const deployment = find(objects, "Deployment");
    assert.equal(deployment.metadata.namespace, "567");
    assert.equal(deployment.spec.selector.matchLabels["app.kubernetes.io/instance"], "1234");
    const config = parseConfig(configText(objects), "config.yaml");
    assert.deepEqual([config.installation, config.namespaces], ["1234", ["567"]]);
  });

  test("names of a long release stay within what Kubernetes allows, and inside one release the same", async () => {
    const release = `x${"-long".repeat(10)}ly`;
    const objects = await renderChart({ ...LEAST_VALUES, config: { ...LEAST_VALUES.config, installation: "short" } }, { release });
    const own = objects.filter(({ kind }) => kind !== "CustomResourceDefinition");
    for (const { metadata } of own) assert.ok(metadata.name.length <= 63, metadata.name);
    // Of the cluster's objects the name begins with the namespace, two of which have an end of their own; so have the Service for pods, the claim
    // and the policy.
    assert.equal(new Set(own.map(({ metadata }) => metadata.name)).size, 7);
  });

  test("the definition can be left out, and is kept at uninstall unless that is unwanted", async () => {
    const policy = (objects: Awaited<ReturnType<typeof renderChart>>) =>
      find(objects, "CustomResourceDefinition").metadata.annotations?.["helm.sh/resource-policy"];
    assert.equal(policy(await renderChart(LEAST_VALUES)), "keep");
    assert.equal(policy(await renderChart({ ...LEAST_VALUES, crds: { keep: false } })), undefined);
    const without = await renderChart({ ...LEAST_VALUES, crds: { install: false } });
    assert.ok(!without.some(({ kind }) => kind === "CustomResourceDefinition"));
  });
});

describe("the configuration", () => {
  test("what the release knows stands in for installation, namespaces and image", async () => {
    const objects = await renderChart(
      { ...LEAST_VALUES, image: { repository: "r.example/th", tag: "7" } },
      { release: "one", namespace: "two" },
    );
    const config = parseConfig(configText(objects), "config.yaml");
    assert.deepEqual([config.installation, config.namespaces, config.image], ["one", ["two"], "r.example/th:7"]);
  });

  test("with every namespace served the release's own has the Leases, or the one that is named", async () => {
    const placesOf = async (config: object) => {
      const values = { config: { ...LEAST_VALUES.config, ...config }, networkPolicy: { builds: { enabled: false } } };
      const { namespaces, ownNamespace } = parseConfig(configText(await renderChart(values, { namespace: "operators" })), "config.yaml");
      return [namespaces, ownNamespace];
    };
    assert.deepEqual(await placesOf({ namespaces: ["*"] }), [["*"], "operators"]);
    assert.deepEqual(await placesOf({ namespaces: ["*"], ownNamespace: "a" }), [["*"], "a"]);
    assert.deepEqual(await placesOf({ namespaces: ["a"] }), [["a"], undefined]);
  });

  test("the block is handed on as it is", async () => {
    const config = {
      installation: "named",
      namespaces: ["a", "b"],
      gearman: { servers: ["zuul.example.org", "[::1]:4731"], clientGoneAfter: "90s" },
      image: "r.example/other:1",
      maxBuilds: 10_000,
      results: "token",
      checkout: { allowedUrls: ["https://zuul.example.org/p/{{x}}"], resources: { requests: { cpu: "1" }, limits: { memory: "1Gi" } } },
      podUser: "cluster",
      keepJobs: "1h30m",
      maxKeptJobs: 100_000,
      drain: "90s",
      publicUrl: "https://builds.example.org/?a=1&b=#c",
      internalUrl: "http://operator.example.org:9081",
      http: { public: "0.0.0.0:9080", internal: "[::]:9081" },
      logs: { store: "s3", bucket: "logs", limit: "1Gi", retention: { size: "1Ti" } },
      log: { level: "debug" },
    };
    const text = configText(await renderChart({ config }));
    assert.deepEqual(parse(text), config);
    assert.equal(parseConfig(text, "config.yaml").maxBuilds, 10_000);
  });

  test("a change of it starts a new operator, anything else in the values does not", async () => {
    const checksum = async (values: object) =>
      find(await renderChart(values), "Deployment").spec.template.metadata.annotations["checksum/config"];
    const before = await checksum(LEAST_VALUES);
    assert.match(before, /^[0-9a-f]{64}$/);
    assert.notEqual(await checksum({ config: { ...LEAST_VALUES.config, maxBuilds: 7 } }), before);
    assert.equal(await checksum({ ...LEAST_VALUES, service: { port: 80 }, podAnnotations: { "checksum/config": "mine" } }), before);
  });

  for (const file of ["values.yaml", "values-local.yaml"]) {
    test(`deploy/examples/${file} is a configuration that the operator takes`, async () => {
      const values = file === "values.yaml" ? {} : LEAST_VALUES;
      const config = parseConfig(configText(await renderChart(values, { files: [join(EXAMPLES, file)] })), file);
      assert.equal(config.gearman.servers.length, 1);
    });
  }
});

describe("logs", () => {
  const rendered = async (values: object) => {
    const objects = await renderChart({ ...LEAST_VALUES, ...values });
    const { affinity, volumes, containers } = find(objects, "Deployment").spec.template.spec;
    const claim = objects.find(({ kind }) => kind === "PersistentVolumeClaim");
    const { logs, internalUrl } = parseConfig(configText(objects), "config.yaml");
    return { objects, affinity, volumes, mounts: containers[0].volumeMounts, claim, logs, internalUrl };
  };
  const withLogs = (logs: object, values: object = {}) => rendered({ ...values, config: { ...LEAST_VALUES.config, logs } });

  test("are files on a claim that one node mounts, which all replicas run on, and which is never full of old builds", async () => {
    const { affinity, claim, logs, volumes, mounts, internalUrl } = await rendered({ persistence: { size: "10Gi" } });
    assert.deepEqual(claim?.spec, { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "10Gi" } } });
    assert.equal(claim?.metadata.annotations?.["helm.sh/resource-policy"], "keep");
    assert.deepEqual(Object.keys(affinity.podAffinity), ["requiredDuringSchedulingIgnoredDuringExecution"]);
    assert.deepEqual([logs.store, logs.directory, logs.retention], ["files", "/var/lib/turbo-hipster", { age: "720h", size: "9216Mi" }]);
    const volume = volumes.find(({ persistentVolumeClaim }: { persistentVolumeClaim?: object }) => persistentVolumeClaim);
    assert.equal(volume.persistentVolumeClaim.claimName, "turbo-hipster-logs");
    assert.equal(mounts.find(({ name }: { name: string }) => name === volume.name).mountPath, logs.directory);
    assert.equal(internalUrl, "http://turbo-hipster-internal.ci.svc:8081");
  });

  test("of pods, while they are looked at, fill no node's disk", async () => {
    const { volumes, mounts } = await withLogs({ store: "none" });
    const { name } = mounts.find(({ mountPath }: { mountPath: string }) => mountPath === "/tmp/turbo-hipster-pages");
    const { emptyDir } = volumes.find((volume: { name: string }) => volume.name === name);
    assert.equal(emptyDir.sizeLimit, "2Gi");
  });

  test("on a claim that many nodes mount, or in a bucket, let the replicas spread", async () => {
    const many = await rendered({ persistence: { accessMode: "ReadWriteMany" } });
    const bucket = await withLogs({ store: "s3", bucket: "logs" });
    for (const { affinity } of [many, bucket]) assert.deepEqual(Object.keys(affinity), ["podAntiAffinity"]);
    assert.deepEqual([many.claim?.spec.accessModes, bucket.claim], [["ReadWriteMany"], undefined]);
  });

  test("can have a claim of their own", async () => {
    const { claim, volumes, logs } = await rendered({ persistence: { existingClaim: "mine" } });
    assert.equal(claim, undefined);
    assert.ok(
      volumes.some((volume: { persistentVolumeClaim?: { claimName: string } }) => volume.persistentVolumeClaim?.claimName === "mine"),
    );
    assert.equal(logs.retention.size, undefined);
  });

  test("that are kept nowhere need neither a claim nor the rights to take artifacts", async () => {
    const { claim, objects, affinity } = await withLogs({ store: "none" });
    assert.equal(claim, undefined);
    assert.deepEqual(Object.keys(affinity), ["podAntiAffinity"]);
    assert.ok(!objects.some(({ kind, metadata }) => kind.startsWith("ClusterRole") && !/-(edit|view)$/.test(metadata.name)));
  });

  test("that the operator would refuse are refused before it is installed, with the remedy", async () => {
    const refused: [object, RegExp][] = [
      [{ store: "s3" }, /config\.logs\.bucket names no bucket/],
      [{ bucket: "ci-logs" }, /config\.logs\.bucket is of config\.logs\.store s3 alone, and that is files\. Set config\.logs\.store to s3/],
      [{ store: "none", pathStyle: false }, /config\.logs\.pathStyle is of .* and that is none/],
      [{ store: "s3", bucket: "ci-logs", directory: "/x" }, /config\.logs\.directory is of config\.logs\.store files alone/],
    ];
    for (const [logs, sentence] of refused) {
      assert.throws(() => parseConfig(JSON.stringify({ ...LEAST_VALUES.config, logs }), "config.yaml"), /logs\./);
      await assert.rejects(withLogs(logs), sentence);
    }
  });

  test("without the right to read Secrets have none masked", async () => {
    const { objects } = await rendered({ rbac: { secrets: false } });
    assert.ok(!find(objects, "Role").rules.some(({ resources }: { resources: string[] }) => resources.includes("secrets")));
  });
});

describe("replicas", () => {
  const rendered = async (values: object) => {
    const persistence = { accessMode: "ReadWriteMany" };
    const objects = await renderChart({ ...LEAST_VALUES, persistence, ...values });
    const { replicas, selector, template } = find(objects, "Deployment").spec;
    return { replicas, selector, affinity: template.spec.affinity, budget: objects.find(({ kind }) => kind === "PodDisruptionBudget") };
  };

  test("several are kept on different nodes where that can be, and leave them one at a time", async () => {
    const { replicas, selector, affinity, budget } = await rendered({ replicas: 3 });
    assert.equal(replicas, 3);
    const podAffinityTerm = { topologyKey: "kubernetes.io/hostname", labelSelector: selector };
    const preferredDuringSchedulingIgnoredDuringExecution = [{ weight: 100, podAffinityTerm }];
    assert.deepEqual(affinity, { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution } });
    assert.deepEqual(budget?.spec, { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector });
  });

  test("of a claim that is mounted on one node leave it together: the budget would keep the last on a node that is emptied, for ever", async () => {
    assert.equal((await rendered({ persistence: {} })).budget, undefined);
    for (const more of [{}, { persistence: { accessMode: "ReadWriteOnce" }, config: { ...LEAST_VALUES.config, logs: { store: "none" } } }])
      assert.ok((await rendered(more)).budget, JSON.stringify(more));
  });

  test("a single one has neither", async () => {
    const { replicas, affinity, budget } = await rendered({ replicas: 1 });
    assert.deepEqual([replicas, affinity, budget], [1, undefined, undefined]);
  });

  test("the user's affinity stands instead of the chart's, and the budget can be left out", async () => {
    const { affinity, budget } = await rendered({ affinity: { nodeAffinity: {} }, podDisruptionBudget: { enabled: false } });
    assert.deepEqual([affinity, budget], [{ nodeAffinity: {} }, undefined]);
  });

  test("stay on the node of a claim that is mounted on one, whatever else their affinity is", async () => {
    const here = (selector: object) => ({ topologyKey: "kubernetes.io/hostname", labelSelector: selector });
    const cache = { topologyKey: "zone", labelSelector: { matchLabels: { app: "cache" } } };
    const persistence = { accessMode: "ReadWriteOnce" };
    const podAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [cache] };
    for (const replicas of [1, 2]) {
      const given = { nodeAffinity: {}, podAffinity, podAntiAffinity: podAffinity };
      const { affinity, selector } = await rendered({ replicas, persistence, affinity: given });
      const both = { requiredDuringSchedulingIgnoredDuringExecution: [cache, here(selector)] };
      assert.deepEqual(affinity, { ...given, podAffinity: both });
    }
  });

  test("that an affinity would keep from the one node of their claim are refused", async () => {
    const { selector } = await rendered({});
    const apart = (matchLabels: object) => ({
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels } }],
      },
    });
    const affinity = apart(selector.matchLabels);
    await assert.rejects(rendered({ persistence: {}, affinity }), /affinity would keep replicas apart by kubernetes.io\/hostname/);
    assert.deepEqual((await rendered({ affinity })).affinity, affinity);
  });

  test("are replaced without a moment in which no operator is registered", async () => {
    const { strategy } = find(await renderChart(LEAST_VALUES), "Deployment").spec;
    assert.deepEqual(strategy, { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
  });
});

describe("the time that an operator has to end its builds", () => {
  const graceSeconds = async (values: { config?: object; terminationGracePeriodSeconds?: number }): Promise<number> => {
    const config = { ...LEAST_VALUES.config, ...values.config };
    const objects = await renderChart({ ...values, config });
    return find(objects, "Deployment").spec.template.spec.terminationGracePeriodSeconds;
  };

  test("is the configuration's drain and a minute", async () => {
    for (const drain of ["0s", "90s", "1h30m", "1.5h", "250ms", "1.1m", "0.1s0.2s", "2m3s4ms", "08m", "999999h"]) {
      assert.equal(await graceSeconds({ config: { drain } }), Math.ceil(parseDurationMs(drain) / 1000) + 60, drain);
    }
  });

  test("follows the default that the operator has", async () => {
    const { drain } = parseConfig(configText(await renderChart(LEAST_VALUES)), "config.yaml");
    assert.equal(await graceSeconds({}), parseDurationMs(drain) / 1000 + 60);
  });

  test("is what the user has set, large or none at all", async () => {
    assert.equal(await graceSeconds({ config: { drain: "2h" }, terminationGracePeriodSeconds: 5_000_000 }), 5_000_000);
    assert.equal(await graceSeconds({ terminationGracePeriodSeconds: 0 }), 0);
  });
});

describe("the operator's pod", () => {
  test("keeps the restricted Pod Security Standard, with a read-only root file system", async () => {
    const { spec } = find(await renderChart(LEAST_VALUES), "Deployment").spec.template;
    assert.deepEqual(spec.securityContext, { runAsNonRoot: true, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } });
    assert.deepEqual(spec.containers[0].securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assert.equal(find(await renderChart(LEAST_VALUES), "ServiceAccount").automountServiceAccountToken, false);
    assert.equal(spec.automountServiceAccountToken, true);
  });

  test("is probed on the internal port, and the Services lead to the ports of the configuration", async () => {
    const objects = await renderChart({ config: { ...LEAST_VALUES.config, http: { public: "0.0.0.0:9080", internal: "[::]:9081" } } });
    const container = find(objects, "Deployment").spec.template.spec.containers[0];
    assert.deepEqual(container.ports, [
      { name: "http", containerPort: 9080 },
      { name: "internal", containerPort: 9081 },
    ]);
    assert.deepEqual(container.livenessProbe.httpGet, { path: "/healthz", port: "internal" });
    assert.deepEqual(container.startupProbe.httpGet, { path: "/healthz", port: "internal" });
    assert.deepEqual(container.readinessProbe.httpGet, { path: "/readyz", port: "internal" });
    const ports = (name: string) => find(objects, "Service", name).spec.ports.map((port: object) => ({ ...port, appProtocol: undefined }));
    assert.deepEqual(ports("turbo-hipster"), [{ name: "http", port: 8080, targetPort: "http", appProtocol: undefined }]);
    assert.deepEqual(ports("turbo-hipster-internal"), [{ name: "internal", port: 9081, targetPort: "internal", appProtocol: undefined }]);
  });

  test("takes what users set for scheduling, pulling and labelling", async () => {
    const values = {
      ...LEAST_VALUES,
      image: { repository: "r.example/th", tag: "ignored", digest: `sha256:${"a".repeat(64)}`, pullPolicy: "Always" },
      imagePullSecrets: [{ name: "pull" }],
      priorityClassName: "high",
      persistence: { accessMode: "ReadWriteMany" },
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "ci", operator: "Exists" }],
      affinity: { nodeAffinity: {} },
      podAnnotations: { a: "b" },
      podLabels: { team: "ci", "app.kubernetes.io/instance": "stolen" },
      extraEnv: [{ name: "NODE_OPTIONS", value: "--max-old-space-size=512" }],
      resources: { limits: { memory: "2Gi" } },
      terminationGracePeriodSeconds: 7,
      serviceAccount: { annotations: { role: "x" } },
    };
    const objects = await renderChart(values);
    const { template, selector } = find(objects, "Deployment").spec;
    const { containers, ...spec } = template.spec;
    assert.equal(containers[0].image, `r.example/th@sha256:${"a".repeat(64)}`);
    assert.equal(containers[0].imagePullPolicy, "Always");
    // What is given last counts.
    assert.deepEqual(containers[0].env, [{ name: "UV_THREADPOOL_SIZE", value: "64" }, ...values.extraEnv]);
    assert.deepEqual(containers[0].resources, { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "2Gi" } });
    for (const name of ["imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations", "affinity"] as const) {
      assert.deepEqual(spec[name], values[name], name);
    }
    assert.equal(spec.terminationGracePeriodSeconds, 7);
    assert.equal(template.metadata.annotations.a, "b");
    assert.deepEqual(template.metadata.labels, { team: "ci", ...selector.matchLabels });
    assert.equal(selector.matchLabels["app.kubernetes.io/instance"], "turbo-hipster");
    assert.deepEqual(find(objects, "ServiceAccount").metadata.annotations, { role: "x" });
  });
});
