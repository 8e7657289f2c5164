/** What a cluster's provisioner would make for a claim of the chart, which gets it: a PersistentVolume, named as the namespace, on a directory of the node. */
export function claimVolume(namespace: string, claim: string, path: string): object {
  return {
    ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: namespace } },
    spec: {
      ...{ capacity: { storage: "50Gi" }, accessModes: ["ReadWriteOnce"], persistentVolumeReclaimPolicy: "Retain" },
      ...{ hostPath: { path, type: "Directory" }, claimRef: { namespace, name: claim } },
    },
  };
}
