import type { TerminatedState } from "./objects.ts";

/** Why a container's first process could not be started; undefined for one that was. `isConfiguration`: it never will be. */
export function startFailure({ reason, message = "" }: TerminatedState): { cause: string; isConfiguration: boolean } | undefined {
  if (reason !== "StartError" && reason !== "ContainerCannotRun" && reason !== "RunContainerError") return undefined;
  const cause = causeOf(message);
  return { cause: cause === "" ? "the runtime gave no reason" : cause, isConfiguration: isOfCommand(message) };
}

/** runc's words when the command itself is at fault; what it says of cgroups, mounts or memory is not of this kind. */
function isOfCommand(message: string): boolean {
  const isExec = /\bexec:? |\bchdir to cwd |\bstat /.test(message);
  return isExec && /executable file not found|no such file or directory|permission denied|is a directory|exec format error/.test(message);
}

/** The part of `failed to create ...: OCI runtime create failed: ...: unable to start container process: CAUSE: unknown` that says why. */
function causeOf(message: string): string {
  const cause =
    /(?:unable to start container process|starting container process caused): (?:error during container init: )?(.*)$/s.exec(
      message,
    )?.[1] ?? message;
  return cause.replace(/: unknown$/, "").trim();
}
