import type { PodSpec } from "../../core/kubernetes/objects.ts";
import { type Masker, makeMasker } from "../../core/logs/masking.ts";
import { namedSecrets } from "../../core/logs/named-secrets.ts";
import type { SecretValue } from "../../core/logs/secret-patterns.ts";
import type { RecordingCluster } from "./recording-cluster.ts";

/**
 * Masks the values of the Secrets that a pod names, as they are now. Rejects where that can't be told now. What may not be read, or is too short
 * to be masked, is told by `unmasked`.
 */
export async function readMasker(cluster: Pick<RecordingCluster, "secretValues">, namespace: string, spec: PodSpec): Promise<Masker> {
  const values: SecretValue[] = [];
  const unread: { name: string; why: string }[] = [];
  for (const { name, keys } of namedSecrets(spec)) {
    const found = await cluster.secretValues(namespace, name);
    if (found === "refused") unread.push({ name: `Secret ${name}`, why: "the operator may not read it" });
    else
      for (const [key, value] of found ?? [])
        if (keys === undefined || keys.has(key)) values.push({ name: `Secret ${name}, key ${key}`, value });
  }
  const masker = makeMasker(values);
  return { begin: () => masker.begin(), unmasked: [...unread, ...masker.unmasked] };
}
