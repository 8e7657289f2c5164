import { JOB_UID_LABEL } from "../../core/kubernetes/labels.ts";
import type { PodSpec } from "../../core/kubernetes/objects.ts";
import { type Masker, makeMasker } from "../../core/logs/masking.ts";
import { namedSecrets } from "../../core/logs/named-secrets.ts";
import type { SecretValue } from "../../core/logs/secret-patterns.ts";
import { TurboHipsterError } from "../../runtime/errors.ts";
import type { RecordingCluster } from "./recording-cluster.ts";

type SecretCluster = Pick<RecordingCluster, "getJob" | "readWholePods" | "secretValues">;

/** It is not known what would have to be masked: nothing of what a pod has printed may be shown. The message is a clause, with the remedy. */
export class UnmaskableError extends TurboHipsterError {
  constructor(message: string) {
    super("TH_UNMASKABLE", message);
  }
}

/** What is masked in all that is kept of a build; `withheld` says in a clause why nothing more of it is kept, where that is not known. */
export interface Masked {
  masker: Masker;
  withheld: string | undefined;
}

export function withhold({ message }: UnmaskableError): Masked {
  return { masker: makeMasker([]), withheld: message };
}

/**
 * Masks the values of the Secrets that a build's pod names, as they are now. Where its Job is gone its pods may still print, for as long as their
 * grace, or for ever (`kubectl delete --cascade=orphan`): then they say which Secrets those are. Rejects where that can't be told now, with an
 * UnmaskableError where one may not be read, or is not there though the pod does not begin without it. What is too short to be masked is told by
 * `unmasked`.
 */
export async function readMasker(
  cluster: SecretCluster,
  { namespace, jobName, uid }: { namespace: string; jobName: string; uid: string | undefined },
): Promise<Masker> {
  const job = await cluster.getJob(namespace, jobName);
  const isIt = job?.spec !== undefined && job.metadata.uid === uid;
  const specs = isIt ? [job.spec?.template.spec] : await readPodSpecs(cluster, { namespace, jobName, uid });
  const values: SecretValue[] = [];
  for (const { name, keys, isOptional } of namedSecrets(specs.filter((spec) => spec !== undefined))) {
    const found = await cluster.secretValues(namespace, name);
    if (found === "refused")
      throw new UnmaskableError(
        `the operator may not read the Secret ${name}, whose values would have to be masked: let it get Secrets in ${namespace}`,
      );
    if (found === undefined && !isOptional)
      throw new UnmaskableError(`the Secret ${name} is not there, whose values would have to be masked`);
    for (const [key, value] of found ?? [])
      if (keys === undefined || keys.has(key)) values.push({ name: `Secret ${name}, key ${key}`, value });
  }
  return makeMasker(values);
}

async function readPodSpecs(
  cluster: SecretCluster,
  { namespace, jobName, uid }: { namespace: string; jobName: string; uid: string | undefined },
): Promise<(PodSpec | undefined)[]> {
  const pods = await cluster.readWholePods(namespace, jobName);
  return pods.filter(({ metadata }) => metadata.labels?.[JOB_UID_LABEL] === uid).map(({ spec }) => spec);
}
