import { readdirSync } from "node:fs";
import { Counter, Gauge, type Registry } from "prom-client";

/**
 * This process, by the names that Prometheus' own clients give: what costs nothing between scrapes. prom-client's default metrics are not
 * used for that: they keep a timer and a hook on the garbage collector running.
 */
export function registerProcessMetrics(registry: Registry, version: string): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  const total = (name: string, help: string, read: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  new Gauge({
    ...{ name: "turbo_hipster_version_info", help: "1, with the version of the program.", labelNames: ["version"], registers },
  }).set({ version }, 1);
  total("process_cpu_seconds_total", "User and system CPU time spent in seconds.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  total("turbo_hipster_event_loop_active_seconds_total", "Time that the event loop was busy; its rate is its utilization.", () => {
    return performance.eventLoopUtilization().active / 1000;
  });
  gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", () => performance.timeOrigin / 1000);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", () => process.memoryUsage.rss());
  gauge("process_heap_bytes", "Size of the used JavaScript heap in bytes.", () => process.memoryUsage().heapUsed);
  gauge("process_open_fds", "Number of open file descriptors; where the system tells it.", countFileDescriptors);
}

function countFileDescriptors(): number | undefined {
  try {
    // One of them is this reading itself.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}
