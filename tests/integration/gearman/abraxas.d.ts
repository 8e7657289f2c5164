/** As much of abraxas 2.1.10 as the tests use; it brings no types. */
declare module "abraxas" {
  import type { EventEmitter } from "node:events";

  /** Reads as all WORK_DATA and the WORK_COMPLETE in one stream: where a packet ends is lost. */
  type ClientTask = EventEmitter;
  interface WorkerTask {
    readonly payload: string;
    readonly uniqueid: string;
    write(data: string): void;
    end(data?: string): void;
  }
  interface AbraxasClient extends EventEmitter {
    submitJob(functionName: string, options: { uniqueid?: string; priority?: "high" | "low" }, data: string | Buffer): ClientTask;
    /** By name. */
    status(onAnswer: (error: Error | null, answer: Record<string, { inqueue: number; running: number; workers: number }>) => void): void;
    workers(onAnswer: (error: Error | null, answer: { clientid: string | null; functions: string[] }[]) => void): void;
    registerWorker(functionName: string, onTask: (task: WorkerTask) => void): void;
    disconnect(): void;
  }
  const abraxas: { Client: { connect(options: { servers: string[]; defaultEncoding?: string }): AbraxasClient } };
  export default abraxas;
}
