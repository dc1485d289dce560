import { Counter, Gauge, Histogram, Registry } from "prom-client";

/**
 * The node's metrics. Names follow Prometheus' conventions; every label has a small fixed set of values (never a topic
 * or a peer), so a scrape is bounded whatever clients do.
 */
export interface Metrics {
  readonly registry: Registry;
  readonly callsStarted: Counter<"method">;
  readonly callsEnded: Counter<"method" | "status">;
  readonly recordsIn: Counter;
  readonly bytesIn: Counter;
  readonly recordsOut: Counter;
  readonly bytesOut: Counter;
  readonly commitRecords: Histogram;
  readonly appendSeconds: Histogram;
  readonly appendsRestamped: Counter;
  readonly pageReads: Counter<"source">;
  readonly followsFellBehind: Counter;
  readonly recordsDelivered: Counter<"attempt">;
  readonly recordsFailed: Counter;
  readonly recordsParked: Counter;
  readonly databaseErrors: Counter<"kind">;
  /** Reads a value when it is scraped. */
  gauge(name: string, help: string, read: () => number): void;
}

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter<Label>({ name: `millrace_${name}`, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `millrace_${name}`, help, buckets, registers });
  return {
    registry,
    callsStarted: counter("calls_started_total", "Calls that began", ["method"]),
    callsEnded: counter("calls_ended_total", "Calls that ended, by gRPC status", ["method", "status"]),
    recordsIn: counter("records_in_total", "Records committed by this node"),
    bytesIn: counter("bytes_in_total", "Frame bytes committed by this node"),
    recordsOut: counter("records_out_total", "Records that transports took"),
    bytesOut: counter("bytes_out_total", "Message bytes that transports took"),
    commitRecords: histogram("commit_records", "Records in one commit", [1, 2, 5, 10, 50, 100, 500, 1000, 5000, 20000]),
    appendSeconds: histogram("append_seconds", "From a batch's arrival to its durable commit", seconds),
    appendsRestamped: counter("appends_restamped_total", "Commits repeated because another node had written"),
    pageReads: counter("page_reads_total", "Pages given to readers, by source", ["source"]),
    followsFellBehind: counter("follows_fell_behind_total", "Times a live follower left the node's memory"),
    recordsDelivered: counter(
      "records_delivered_total",
      "Records delivered: for the `first` time, or by a `redelivery`",
      ["attempt"],
    ),
    recordsFailed: counter(
      "records_failed_total",
      "Deliveries that were rejected, too late, or lost with their consumer",
    ),
    recordsParked: counter("records_parked_total", "Records parked by subscriptions"),
    databaseErrors: counter("database_errors_total", "Statements that failed", ["kind"]),
    gauge(name, help, read) {
      new Gauge({
        name: `millrace_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
}
