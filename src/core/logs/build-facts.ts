import * as z from "zod";
import { type CheckoutRecord, parseCheckoutRecord } from "../checkout/record.ts";
import { type CheckResult, checkResultSchema } from "../checks/check-result.ts";
import { CHECKOUT_CONTAINER } from "../kubernetes/container-roles.ts";
import { VERDICT_ANNOTATION } from "../kubernetes/labels.ts";
import type { ContainerStatus, Job, Pod } from "../kubernetes/objects.ts";
import type { Evidence } from "../verdict/sighting.ts";
import type { BuildFile } from "./build-file.ts";

/** What a build's pod and Job say when all is over, for `build.json`. Both as a whole: caches leave most of it out. */

/** With the images that their names stood for. */
export function containersOf(pod: Pod | undefined): BuildFile["containers"] {
  return statusesOf(pod).map(({ name, image = "", imageID, state, lastState }) => {
    const end = state?.terminated ?? lastState?.terminated;
    return {
      ...{ name, image },
      ...without({
        imageId: imageID || undefined,
        startedAt: end?.startedAt ?? state?.running?.startedAt,
        finishedAt: end?.finishedAt,
        exitCode: end?.exitCode,
        reason: end?.reason,
      }),
    };
  });
}

/** What was checked out. */
export function commitsOf(pod: Pod | undefined): CheckoutRecord[] {
  const end = statusesOf(pod).find(({ name }) => name === CHECKOUT_CONTAINER)?.state?.terminated;
  return end?.exitCode === 0 ? parseCheckoutRecord(end.message ?? "") : [];
}

/** What the rule of the verdict kept of what was seen; read apart, as nothing is decided by it. */
export function evidenceOf({ metadata }: Job): Evidence | undefined {
  try {
    const { evidence } = JSON.parse(metadata.annotations?.[VERDICT_ANNOTATION] ?? "{}") as { evidence?: unknown };
    if (typeof evidence !== "object" || evidence === null) return undefined;
    const isTold = (entry: [string, unknown]): entry is [string, string | number] => ["string", "number"].includes(typeof entry[1]);
    return Object.fromEntries(Object.entries(evidence).filter(isTold));
  } catch {
    return undefined;
  }
}

/** What each check has found; undefined where none was made. */
export function checksOf({ metadata }: Job): CheckResult[] | undefined {
  try {
    const { checks } = JSON.parse(metadata.annotations?.[VERDICT_ANNOTATION] ?? "{}") as { checks?: unknown };
    return z.array(checkResultSchema).safeParse(checks).data;
  } catch {
    return undefined;
  }
}

function statusesOf(pod: Pod | undefined): ContainerStatus[] {
  return [...(pod?.status?.containerStatuses ?? []), ...(pod?.status?.initContainerStatuses ?? [])];
}

type Told<T> = { [K in keyof T]?: NonNullable<T[K]> };

function without<T extends object>(members: T): Told<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== null)) as Told<T>;
}
