import { join } from "node:path";
import { stringify } from "yaml";
import type { CertificateRequest } from "../certificates.ts";
import { certificatePaths } from "../certificates.ts";
import type { ClusterPaths } from "../cluster-paths.ts";
import type { ClusterAddresses } from "./cluster-network.ts";

/** The name under which the sandbox image is known to the cluster's containerd. */
export const PAUSE_IMAGE = "localhost/turbo-hipster-pause:1";
export const API_PORT = 6443;
export const CLUSTER_DOMAIN = "cluster.local";

/** What a cluster's programs are told; everything here is pure. */
export interface ClusterPlan {
  paths: ClusterPaths;
  addresses: ClusterAddresses;
  /** Directory of the CNI plugins and the path of runc on this machine. */
  cniPlugins: string;
  runc: string;
}

/** The program's name is its file's in the node's bin directory, or a path. */
export interface ClusterProgram {
  name: string;
  command: string;
  args: string[];
}

export function apiServerUrl(addresses: ClusterAddresses): string {
  return `https://${addresses.node}:${API_PORT}`;
}

export function certificateRequests({ paths, addresses }: ClusterPlan): CertificateRequest[] {
  return [
    { file: "admin", subject: "/O=system:masters/CN=admin" },
    { file: "controller-manager", subject: "/CN=system:kube-controller-manager" },
    { file: "scheduler", subject: "/CN=system:kube-scheduler" },
    { file: "proxy", subject: "/CN=system:kube-proxy" },
    {
      file: "node",
      subject: `/O=system:nodes/CN=system:node:${paths.name}`,
      alternativeNames: [`DNS:${paths.name}`, `IP:${addresses.node}`],
    },
    {
      file: "api-server",
      subject: "/CN=kube-apiserver",
      alternativeNames: [
        ...["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost", paths.name],
      ]
        .map((name) => `DNS:${name}`)
        .concat(["127.0.0.1", addresses.node, addresses.apiService].map((address) => `IP:${address}`)),
    },
  ];
}

/** A kubeconfig with everything in it, so that it can be copied anywhere. */
export function renderKubeconfig(plan: ClusterPlan, user: string, pem: { ca: string; certificate: string; key: string }): string {
  const { name } = plan.paths;
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: apiServerUrl(plan.addresses), "certificate-authority-data": base64(pem.ca) } }],
    users: [
      {
        name: `${name}-${user}`,
        user: { "client-certificate-data": base64(pem.certificate), "client-key-data": base64(pem.key) },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: `${name}-${user}` } }],
    "current-context": name,
  });
}

/** The users whose kubeconfig is written, by the file of their certificate. The admin's is the cluster's `kubeconfig`. */
export const KUBECONFIG_USERS = ["admin", "controller-manager", "scheduler", "proxy", "node"] as const;

export function kubeconfigPath(paths: ClusterPaths, user: (typeof KUBECONFIG_USERS)[number]): string {
  return user === "admin" ? paths.kubeconfig : join(paths.directory, "config", `${user}.kubeconfig`);
}

/** The configuration files, by their path. */
export function renderConfigFiles(plan: ClusterPlan): Record<string, string> {
  const config = join(plan.paths.directory, "config");
  return {
    [join(config, "containerd.toml")]: renderContainerdConfig(plan),
    [join(config, "cni", "10-pods.conflist")]: renderCniConfig(plan),
    [join(config, "kubelet.yaml")]: stringify(kubeletConfig(plan)),
    [join(config, "scheduler.yaml")]: stringify({
      apiVersion: "kubescheduler.config.k8s.io/v1",
      kind: "KubeSchedulerConfiguration",
      clientConnection: { kubeconfig: kubeconfigPath(plan.paths, "scheduler"), qps: 300, burst: 600 },
      leaderElection: { leaderElect: false },
    }),
    [join(config, "proxy.yaml")]: stringify({
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      mode: "nftables",
      clientConnection: { kubeconfig: kubeconfigPath(plan.paths, "proxy") },
      hostnameOverride: plan.paths.name,
      clusterCIDR: plan.addresses.pods,
      // The node's kernel limits are the host's, not ours to change.
      conntrack: { maxPerCore: 0 },
      oomScoreAdj: 0,
      healthzBindAddress: "127.0.0.1:10256",
      metricsBindAddress: "127.0.0.1:10249",
    }),
    [join(config, "Corefile")]: renderCorefile(plan),
    [auditPolicyPath(plan.paths)]: stringify({
      apiVersion: "audit.k8s.io/v1",
      kind: "Policy",
      // A watch is told of as it begins, anything else when it is over.
      omitStages: ["RequestReceived"],
      rules: [
        { level: "None", userGroups: ["system:serviceaccounts:kube-system"] },
        { level: "Metadata", userGroups: ["system:serviceaccounts"] },
        { level: "None" },
      ],
    }),
  };
}

/** What the node's own programs and pods with `dnsPolicy: Default` ask. */
export function resolvConfPath(paths: ClusterPaths): string {
  return join(paths.directory, "config", "resolv.conf");
}

function auditPolicyPath(paths: ClusterPaths): string {
  return join(paths.directory, "config", "audit-policy.yaml");
}

function renderContainerdConfig({ paths, cniPlugins, runc }: ClusterPlan): string {
  const directory = join(paths.directory, "containerd");
  return `version = 2
root = "${join(directory, "root")}"
state = "${join(directory, "state")}"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "${paths.containerdSocket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(directory, "opt")}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Root without CAP_SYS_RESOURCE may not lower it, and every sandbox would fail.
  restrict_oom_score_adj = true
  # Its profile would be loaded into the host's kernel.
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniPlugins}"
    conf_dir = "${join(paths.directory, "config", "cni")}"
  # https://github.com/containerd/containerd/blob/main/docs/hosts.md
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${paths.registries}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "${runc}"
`;
}

/** The cluster's own names, and for all others the node's resolvers. */
function renderCorefile({ paths, addresses }: ClusterPlan): string {
  return `.:53 {
  bind ${addresses.node}
  errors
  cache 30
  kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
    kubeconfig ${paths.kubeconfig}
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . ${resolvConfPath(paths)}
}
`;
}

/**
 * Each pod hangs on a cable of its own and all is routed. On a bridge, what one pod answers to another behind a service address would bypass
 * the node's address translation unless the host's kernel hands bridged packets to it.
 */
function renderCniConfig({ paths, addresses }: ClusterPlan): string {
  const ipam = {
    type: "host-local",
    dataDir: join(paths.directory, "cni"),
    ranges: [[{ subnet: addresses.pods }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      { type: "ptp", ipMasq: false, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}

function kubeletConfig({ paths, addresses }: ClusterPlan): object {
  const serving = certificatePaths(paths.pki, "node");
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: addresses.node,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(paths.pki, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: serving.certificate,
    tlsPrivateKeyFile: serving.key,
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    podLogsDir: join(paths.directory, "pod-logs"),
    resolvConf: resolvConfPath(paths),
    clusterDNS: [addresses.node],
    clusterDomain: CLUSTER_DOMAIN,
    volumePluginDir: join(paths.directory, "kubelet", "volume-plugins"),
    cgroupDriver: "cgroupfs",
    // A kubelet kills the pods it does not know below its root, so two must not share one.
    cgroupRoot: `/${paths.cgroup}`,
    // Since 1.35 a kubelet refuses hosts with cgroup version 1 unless told so.
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    maxPods: 250,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    // A disk that is rather full is no reason to throw away images or pods that nobody can pull or start again.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: { "memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%" },
  };
}

/** In the order in which they are started: what stores, what runs containers, the API; the rest needs the API. */
export function renderPrograms(plan: ClusterPlan): { first: ClusterProgram[]; withApi: ClusterProgram[] } {
  const { paths, addresses } = plan;
  const config = join(paths.directory, "config");
  const program = (name: string, args: string[]) => ({ name, command: join(paths.bin, name), args });
  const pki = (file: string) => join(paths.pki, file);
  const etcdUrl = "http://127.0.0.1:2379";
  return {
    first: [
      program("etcd", [
        ...[`--name=${paths.name}`, `--data-dir=${join(paths.directory, "etcd")}`, "--unsafe-no-fsync", "--log-level=warn"],
        ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`, "--listen-peer-urls=http://127.0.0.1:2380"],
      ]),
      program("kube-apiserver", [
        ...[`--etcd-servers=${etcdUrl}`, "--bind-address=0.0.0.0", `--secure-port=${API_PORT}`, `--advertise-address=${addresses.node}`],
        ...[
          `--tls-cert-file=${pki("api-server.crt")}`,
          `--tls-private-key-file=${pki("api-server.key")}`,
          `--client-ca-file=${pki("ca.crt")}`,
        ],
        ...[
          `--service-account-key-file=${pki("service-accounts.pub")}`,
          `--service-account-signing-key-file=${pki("service-accounts.key")}`,
        ],
        ...["--service-account-issuer=https://kubernetes.default.svc", `--service-cluster-ip-range=${addresses.services}`],
        ...["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"],
        ...[`--kubelet-client-certificate=${pki("admin.crt")}`, `--kubelet-client-key=${pki("admin.key")}`],
        ...[`--kubelet-certificate-authority=${pki("ca.crt")}`, "--kubelet-preferred-address-types=InternalIP"],
        // Megabytes; then the file begins anew, and one like it is kept.
        ...[`--audit-policy-file=${auditPolicyPath(paths)}`, `--audit-log-path=${paths.auditLog}`],
        ...["--audit-log-maxsize=100", "--audit-log-maxbackup=1"],
        "--profiling=false",
      ]),
      { name: "containerd", command: "containerd", args: ["--config", join(config, "containerd.toml"), "--log-level", "warn"] },
    ],
    withApi: [
      program("kube-controller-manager", [
        ...[`--kubeconfig=${kubeconfigPath(paths, "controller-manager")}`, `--root-ca-file=${pki("ca.crt")}`, "--leader-elect=false"],
        ...[`--service-account-private-key-file=${pki("service-accounts.key")}`, "--use-service-account-credentials", "--secure-port=0"],
        ...["--kube-api-qps=300", "--kube-api-burst=600", "--concurrent-job-syncs=20", "--profiling=false"],
      ]),
      program("kube-scheduler", [`--config=${join(config, "scheduler.yaml")}`, "--secure-port=0"]),
      program("kubelet", [
        ...[`--config=${join(config, "kubelet.yaml")}`, `--kubeconfig=${kubeconfigPath(paths, "node")}`],
        ...[`--hostname-override=${paths.name}`, `--node-ip=${addresses.node}`],
        ...[`--root-dir=${join(paths.directory, "kubelet")}`, `--cert-dir=${join(paths.pki, "kubelet")}`],
      ]),
      program("kube-proxy", [`--config=${join(config, "proxy.yaml")}`]),
      program("coredns", ["-conf", join(config, "Corefile")]),
    ],
  };
}
