/**
 * Of each field of a TestTask's spec an example: lines of YAML as they stand below `spec:`. Together with an image and a script where the
 * example has none it is a valid TestTask; fields within a field are shown, but for alternatives and what has a page of its own.
 */
export const TEST_TASK_EXAMPLES: Readonly<Record<string, string>> = {
  jobs: "jobs: [gate-nova-python312, check-nova-python312]",
  nodeLabels: `nodeLabels:
  - name: bionic
    image: registry.example.org/ci/bionic:1
    nodeSelector: {kubernetes.io/arch: amd64}
    tolerations:
      - {key: ci, operator: Equal, value: bionic, effect: NoSchedule}
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 60}
    resources: {requests: {cpu: 2}, limits: {memory: 4Gi}}`,
  suspend: "suspend: true",
  maxConcurrent: "maxConcurrent: 8",
  pipelines: "pipelines: [gate, post]",
  timeouts: "timeouts: {schedule: 30m, pull: 15m, run: 2h, collect: 5m}",
  checkout: `checkout:
  enabled: true
  gitUrl: https://review.example.org
  projects: [openstack/requirements, openstack/oslo.config]
  branch: stable/2.0
  projectBranches: {openstack/requirements: master}
  submodules: false
  credentials:
    - {url: "https://review.example.org", secretName: review}
  cache: {claimName: git-cache}    # or, without it, depth: 50 and filter: "blob:none"
  path: /home/ci/src`,
  image: "image: python:3.12",
  script: `script: |
  #!/bin/bash -e
  pip install tox
  tox -e py312`,
  env: `env:
  - {name: TOX_PARALLEL, value: "4"}
  - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password, optional: false}}}
  - {name: MIRROR, valueFrom: {configMapKeyRef: {name: mirrors, key: pypi, optional: true}}}`,
  envFrom: `envFrom:
  - {prefix: CLOUD_, secretRef: {name: cloud, optional: false}}
  - {configMapRef: {name: mirrors, optional: true}}`,
  resources: "resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {memory: 2Gi}}",
  services: `services:
  - name: mysql
    image: mysql:8
    args: [--innodb-buffer-pool-size=256M]
    env:
      - {name: MYSQL_ALLOW_EMPTY_PASSWORD, value: "1"}
    ports:
      - {containerPort: 3306, name: mysql, protocol: TCP}
    resources: {limits: {memory: 1Gi}}
    ready: {exec: {command: [mysqladmin, ping, -h, 127.0.0.1]}}
  - name: docs
    image: nginx:1.27
    command: [nginx, -g, "daemon off;"]
    workspace: true
    ready: {httpGet: {path: /, port: 8000}}`,
  serviceAccountName: "serviceAccountName: integration-tests",
  securityContext: `securityContext:
  runAsUser: 0
  runAsGroup: 0
  capabilities: {add: [CHOWN, SETGID, SETUID], drop: [ALL]}`,
  priorityClassName: "priorityClassName: ci-gate",
  labels: "labels: {kueue.x-k8s.io/queue-name: ci}",
  annotations: 'annotations: {cluster-autoscaler.kubernetes.io/safe-to-evict: "true"}',
  artifacts: `artifacts:
  paths: [results/, "*.log", "**/*.png"]
  junit: [results/*.xml]`,
  datasets: `datasets:
  - name: small
    version: 2026-10-01
    projects: [openstack/nova]
    branches: [master]
    path: /datasets/small
    containers: [test]
    volumeSnapshot: {name: nova-small}
    size: 20Gi
    storageClassName: fast
  - name: large
    persistentVolumeClaim: {claimName: nova-large, readOnly: true}
  - name: fixtures
    image: {reference: "registry.example.org/ci/fixtures:7", path: /fixtures}
  - name: settings
    configMap: {name: nova-settings}`,
  whenNoDataset: "whenNoDataset: succeed",
  checks: `checks:
  - name: no-traceback
    pattern: {regex: "^Traceback", expect: absent}
  - name: migrations
    message: Migration {step} took too long
    steps:
      start: "Migrating ([0-9]+->[0-9]+)"
      end: "Migrated ([0-9]+->[0-9]+)"
      limit: 60s`,
  template: `template:
  metadata:
    labels: {team: nova}
  spec:
    nodeSelector: {kubernetes.io/arch: arm64}
    containers:
      - name: test
        image: python:3.12
        volumeMounts:
          - {name: ccache, mountPath: /ccache}
    volumes:
      - name: ccache
        emptyDir: {sizeLimit: 2Gi}`,
};
