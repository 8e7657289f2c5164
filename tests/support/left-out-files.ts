/** Test files that can't run in a cluster that somebody else made, each with the reason. Files with a cluster that are not here can. */
export const NEED_OWN_CLUSTER: Readonly<Record<string, string>> = {
  "tests/contract/datasets.test.ts": "it defines VolumeSnapshots, for all of its cluster and for good",
  "tests/contract/test-task-crd.test.ts": "it replaces the definition of TestTasks, in a cluster of its own",
  "tests/e2e/autoscaler.test.ts": "it plays nodes with kwok, and a Karpenter of its own adds and takes away nodes",
  "tests/e2e/bundled-gearmand.test.ts": "it loads the image of the chart's Gearman server into the node",
  "tests/e2e/chart.test.ts": "it reads the API server's audit log, and its claim is a directory of this machine",
  "tests/e2e/checkout.test.ts": "its cache is a directory of this machine, which is its node",
  "tests/e2e/copies-of-datasets.test.ts": "its volumes are directories of this machine, which is its node",
  "tests/e2e/datasets.test.ts": "its volumes are directories of this machine, which is its node",
  "tests/e2e/db-migrations.test.ts": "it loads images of its own into the node",
  "tests/e2e/demo.test.ts": "it looks at all that the demo's own cluster is made of",
  "tests/e2e/drill.test.ts": "it stops and kills the cluster's programs",
  "tests/e2e/every-namespace.test.ts": "it reads the API server's audit log, and its claim is a directory of this machine",
  "tests/e2e/injected-containers.test.ts": "it resets the node",
  "tests/e2e/local-cluster.test.ts": "it is about the local cluster itself",
  "tests/e2e/log-following.test.ts": "it changes the kubelet's settings and reads the node's files",
  "tests/e2e/network-policies.test.ts": "it puts a program that enforces them into the node's network",
  "tests/e2e/pip-install.test.ts": "it loads an image of its own into the node",
  "tests/e2e/registry.test.ts": "it pulls from a registry of its own, which its cluster's containerd is told of",
  "tests/e2e/rolling-restart.test.ts": "its tests wait at files of this machine, which is its node",
  "tests/e2e/scripts.test.ts": "it loads an image of its own into the node",
  "tests/e2e/uninstall.test.ts": "its tests wait at files of this machine, which is its node",
  "tests/e2e/upgrade.test.ts": "it loads the image of the first version into the node",
  "tests/e2e/verdicts.test.ts": "it changes the kubelet's settings, and drains the node",
};

/** Of the others, those whose pods talk to programs of this machine: a git server, an operator that takes uploads. */
export const NEED_HOST: readonly string[] = [
  "tests/e2e/admission.test.ts",
  "tests/e2e/artifacts.test.ts",
  "tests/e2e/checks.test.ts",
  "tests/e2e/recording.test.ts",
];

/** Test files without a cluster that only root can run, each with the reason. */
export const NEED_ROOT: Readonly<Record<string, string>> = {
  "tests/integration/in-pod/collect/collect.test.ts": "only root can run the collector as another user than the test",
  "tests/integration/logs/follow/log-follower.test.ts": "only root can mount the small disk that it fills",
  "tests/integration/logs/follow/log-spool.test.ts": "only root can mount the small disks that it fills",
  "tests/integration/logs/stores/files-faults.test.ts": "only root can mount the disks that it fills",
};
