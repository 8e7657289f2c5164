/** Something that the operator asks of the API server. */
export interface NeededRight {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verbs: readonly string[];
  /** each: in every namespace that is served; own: in that of the Leases; cluster: of no namespace. */
  readonly where: "each" | "own" | "cluster";
  /** Of the only object that it is needed for. */
  readonly name?: string;
  /** What is lost without it, where the operator does all else. */
  readonly lost?: string;
}

/** All of them, as the chart's roles grant them. `storesLogs`: whether the configuration names a log store. */
export function neededRights(installation: string, storesLogs: boolean): NeededRight[] {
  const tokens: NeededRight = {
    ...{ group: "authentication.k8s.io", resource: "tokenreviews", verbs: ["create"], where: "cluster" },
    lost: "artifacts of builds are refused",
  };
  return [
    { group: "turbo-hipster.io", resource: "testtasks", verbs: ["list", "watch"], where: "each" },
    { group: "turbo-hipster.io", resource: "testtasks", subresource: "status", verbs: ["patch"], where: "each" },
    { group: "batch", resource: "jobs", verbs: ["create", "delete", "get", "list", "patch", "watch"], where: "each" },
    { group: "", resource: "pods", verbs: ["create", "delete", "list", "patch", "watch"], where: "each" },
    { group: "", resource: "pods", subresource: "log", verbs: ["get"], where: "each" },
    { group: "", resource: "secrets", verbs: ["get"], where: "each", lost: "values of Secrets are not masked in logs" },
    { group: "", resource: "events", verbs: ["create", "list", "patch", "watch"], where: "each" },
    { group: "", resource: "configmaps", verbs: ["get", "patch"], where: "own", name: `${installation}-functions` },
    { group: "", resource: "configmaps", verbs: ["create"], where: "own" },
    { group: "coordination.k8s.io", resource: "leases", verbs: ["create", "delete", "get", "list", "patch", "watch"], where: "own" },
    ...(storesLogs ? [tokens] : []),
  ];
}

/** One verb of one of them at one place, to be asked for. */
export interface RightQuestion {
  readonly right: NeededRight;
  readonly verb: string;
  /** undefined: in all of them, or of none. */
  readonly namespace: string | undefined;
}

/** Each verb that the operator needs in each namespace, or in all together where `namespaces` is undefined; `own` is that of the Leases. */
export function rightQuestions(
  rights: readonly NeededRight[],
  { namespaces, own }: { readonly namespaces: readonly string[] | undefined; readonly own: string },
): RightQuestion[] {
  const placesOf = { each: namespaces ?? [undefined], own: [own], cluster: [undefined] } as const;
  return rights.flatMap((right) => placesOf[right.where].flatMap((namespace) => right.verbs.map((verb) => ({ right, verb, namespace }))));
}

/** `patch testtasks.turbo-hipster.io/status`, as `kubectl auth can-i` takes it. */
export function renderRight({ right, verb }: RightQuestion): string {
  const group = right.group === "" ? "" : `.${right.group}`;
  return `${verb} ${right.resource}${group}${right.subresource === undefined ? "" : `/${right.subresource}`}`;
}
