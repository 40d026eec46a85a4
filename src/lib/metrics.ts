/**
 * Metrics: Prometheus counters, gauges and histograms, all named `atoll_…`.
 *
 * `main.ts` creates a registry and passes it down. Each part declares its metrics once, when it is
 * created.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type { Counter, Gauge }

/** Where the parts of a daemon declare their metrics. */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>
  gauge<L extends string>(name: string, help: string, labels?: readonly L[]): Gauge<L>
  /** Buckets in seconds. */
  histogram<L extends string>(
    name: string,
    help: string,
    labels?: readonly L[],
    buckets?: readonly number[],
  ): Histogram<L>
  /** All metrics in Prometheus's text format. */
  render(): Promise<string>
}

/**
 * Sampling interval of the event loop's delay. The library's default of 10 ms would wake an idle
 * daemon a hundred times a second.
 */
const LOOP_SAMPLE_MS = 1000
const LATENCY_BUCKETS_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

/** An empty registry. With `process: true` it includes Node's and the process's own metrics. */
export function createMetrics(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry()
  if (options.process === true)
    collectDefaultMetrics({
      register: registry,
      eventLoopMonitoringPrecision: LOOP_SAMPLE_MS,
    })
  const registers = [registry]
  return {
    counter: (name, help, labels = []) =>
      new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = []) =>
      new Gauge({ name, help, labelNames: [...labels], registers }),
    histogram: (name, help, labels = [], buckets = LATENCY_BUCKETS_SECONDS) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    render: () => registry.metrics(),
  }
}
