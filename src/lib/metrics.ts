/**
 * Metrics: Prometheus counters, gauges and histograms, all named `atoll_…`.
 *
 * A registry is made in `main.ts` and handed down; each part declares its own metrics once, when it
 * is built.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type { Counter, Gauge }

/** Where the parts of one daemon declare their metrics. */
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
  /** The Prometheus text exposition of everything declared. */
  render(): Promise<string>
}

/**
 * How often the delay of the event loop is sampled. Every 10 ms, as the library would, is a hundred
 * wake-ups a second of an idle daemon.
 */
const LOOP_SAMPLE_MS = 1000
const LATENCY_BUCKETS_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

/** An empty registry. With `process: true` it also has Node's and the process's own figures. */
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
