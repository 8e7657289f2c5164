import { service, terminated, waiting } from "./build-objects.ts";

/** What `makePod` changes for the ends of pods that rules are about: each with a container `test`. */

export const DELETED = { deletionTimestamp: "2026-01-01T00:00:20Z" };
export const MEMORY = { resources: { limits: { memory: "2Gi" } } };

export const pending = (reason: string, message = "") => ({
  status: { phase: "Pending", containerStatuses: [waiting("test", reason, message)] },
});

export const failed = (exitCode: number, more: object = {}, status: object = {}) => ({
  status: { phase: "Failed", containerStatuses: [terminated("test", exitCode, more)], ...status },
});

export const initFailed = (container: string, exitCode: number, more: object = {}, limits: object = {}) => ({
  spec: { initContainers: [{ name: container, ...limits }] },
  status: {
    phase: "Failed",
    initContainerStatuses: [terminated(container, exitCode, more)],
    containerStatuses: [waiting("test", "PodInitializing")],
  },
});

/** Its test has ended, and a service `db` is as `state` says. */
export const withService = (state: object, exitCode = 1, limits: object = {}) => ({
  spec: { containers: [{ name: "test" }], initContainers: [{ name: "db", restartPolicy: "Always", ...limits }] },
  status: { phase: "Running", containerStatuses: [terminated("test", exitCode)], initContainerStatuses: [service("db", state)] },
});
