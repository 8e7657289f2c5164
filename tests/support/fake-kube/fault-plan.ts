/** One call as the fake saw it. `code` is 0 until it is answered, and stays 0 when it never was. */
export interface FakeCall {
  readonly verb: string;
  /** As RBAC names it: `jobs`, `testtasks/status`, `pods/log`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  code: number;
}

export type CallMatch = Partial<Pick<FakeCall, "verb" | "resource" | "namespace" | "name">> & {
  /** Dry runs only; a match for creates without it means those that store something. */
  readonly dryRun?: boolean;
};

/** What goes wrong. `until` effects wait for the promise first, so that tests decide by events how long. */
export type FaultEffect =
  /** Answers with this Status and does nothing. */
  | {
      readonly kind: "status";
      readonly code: number;
      readonly reason?: string;
      readonly message?: string;
      readonly details?: Record<string, unknown>;
      readonly retryAfterSeconds?: number;
    }
  /** Answers with this text, as whatever stands between does, and does nothing. */
  | { readonly kind: "page"; readonly code: number; readonly text: string }
  /** Closes the connection without an answer; `afterwards`: the call is carried out first, only its answer is lost. */
  | { readonly kind: "drop"; readonly afterwards?: boolean }
  /** Takes the call and never answers. */
  | { readonly kind: "hang" }
  | { readonly kind: "delay"; readonly until: Promise<unknown> }
  /** Sends half of the answer and closes the connection. */
  | { readonly kind: "truncate" }
  /** Answers 200 with this text instead of JSON. */
  | { readonly kind: "garbage"; readonly text: string };

export interface Fault {
  /** Calls it has struck. */
  readonly struck: number;
  stop(): void;
}

export interface FaultPlan {
  add(match: CallMatch, effect: FaultEffect, times: number): Fault;
  /** The effect for this call, if any; counts it. */
  take(call: FakeCall): FaultEffect | undefined;
}

export function makeFaultPlan(): FaultPlan {
  const faults = new Set<{ match: CallMatch; effect: FaultEffect; left: number; struck: number }>();
  return {
    add(match, effect, times) {
      const fault = { match, effect, left: times, struck: 0 };
      faults.add(fault);
      return {
        get struck() {
          return fault.struck;
        },
        stop: () => void faults.delete(fault),
      };
    },
    take(call) {
      for (const fault of faults) {
        if (!matches(fault.match, call)) continue;
        fault.struck += 1;
        fault.left -= 1;
        if (fault.left <= 0) faults.delete(fault);
        return fault.effect;
      }
      return undefined;
    },
  };
}

export function matches({ dryRun, ...match }: CallMatch, call: FakeCall): boolean {
  const isDryRun = call.query.get("dryRun") === "All";
  if (dryRun === undefined ? match.verb === "create" && isDryRun : dryRun !== isDryRun) return false;
  return Object.entries(match).every(([field, value]) => value === undefined || call[field as keyof typeof match] === value);
}
