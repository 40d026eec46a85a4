/**
 * Metrics: Prometheus counters, gauges and histograms, all named `atoll_…`.
 *
 * `main.ts` creates a registry and passes it down. Each part declares its metrics once, when it is
 * created.
 */
import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry,
} from 'prom-client'

export type { Counter, Gauge }

/** The metrics of another process. */
export type MeasuredMetrics = readonly object[]

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
  /** All metrics as JSON, for `parseMeasured` in another process. */
  measure(): Promise<string>
  /**
   * Adds what other processes have measured (`measured-metrics.ts`) to what is rendered. `read` is
   * called each time, and must not reject. There is one such function.
   */
  addUp(read: () => Promise<readonly MeasuredMetrics[]>): void
  /**
   * Calls `read` each time before metrics are rendered, and waits for it, until the returned
   * function is called. It must not reject.
   */
  beforeRender(read: () => Promise<void>): () => void
  /** Adds to what is rendered what `read` returns: metrics with other names, as text. */
  alsoRender(read: () => Promise<string>): void
  /**
   * For one of several parts that declare the same: they count together, and a gauge is the sum of
   * theirs. What is declared through a share is declared through shares only.
   */
  share(): MetricsShare
}

/** The metrics of one such part. */
export interface MetricsShare extends Metrics {
  /** Takes what its gauges say out of the sums. */
  end(): void
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
  const readers = new Set<() => Promise<void>>()
  const others: (() => Promise<string>)[] = []
  let measured: () => Promise<readonly MeasuredMetrics[]> = async () => []
  const readAll = () => Promise.all([...readers].map((read) => read()))
  const metrics: Omit<Metrics, 'share'> = {
    counter: (name, help, labels = []) =>
      new Counter({ name, help, labelNames: [...labels], registers }),
    gauge: (name, help, labels = []) =>
      new Gauge({ name, help, labelNames: [...labels], registers }),
    histogram: (name, help, labels = [], buckets = LATENCY_BUCKETS_SECONDS) =>
      new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers }),
    render: async () => {
      const [more, texts] = await Promise.all([
        measured(),
        Promise.all(others.map((read) => read())),
        readAll(),
      ])
      if (more.length === 0) return [await registry.metrics(), ...texts].join('')
      const lists = [await registry.getMetricsAsJSON(), ...(more as never[])]
      return [await AggregatorRegistry.aggregate(lists).metrics(), ...texts].join('')
    },
    alsoRender: (read) => {
      others.push(read)
    },
    measure: async () => {
      await readAll()
      return JSON.stringify(await registry.getMetricsAsJSON())
    },
    addUp(read) {
      measured = read
    },
    beforeRender: (read) => {
      readers.add(read)
      return () => readers.delete(read)
    },
  }
  return { ...metrics, share: createShares(registry, metrics) }
}

/** What shares of one registry have in common, by name. */
function createShares(registry: Registry, metrics: Omit<Metrics, 'share'>): () => MetricsShare {
  const counters = new Map<string, Counter>()
  const histograms = new Map<string, Histogram>()
  const sums = new Map<string, Set<Gauge>>()
  const declareSum = (name: string, help: string, labelNames: readonly string[]): Set<Gauge> => {
    const parts = new Set<Gauge>()
    const registers = [registry]
    new Gauge({
      ...{ name, help, labelNames: [...labelNames], registers },
      async collect() {
        this.reset()
        for (const part of parts)
          for (const { labels, value } of (await part.get()).values) this.inc(labels, value)
      },
    })
    return parts
  }
  const share = (): MetricsShare => {
    const endings: (() => void)[] = []
    return {
      counter: (name, help, labels) =>
        getOrMake(counters, name, () => metrics.counter(name, help, labels)),
      histogram: (name, help, labels, buckets) =>
        getOrMake(histograms, name, () => metrics.histogram(name, help, labels, buckets)),
      gauge: (name, help, labels = []) => {
        const parts = getOrMake(sums, name, () => declareSum(name, help, labels))
        const part = new Gauge({ name, help, labelNames: [...labels], registers: [] })
        parts.add(part)
        endings.push(() => parts.delete(part))
        return part
      },
      render: metrics.render,
      measure: metrics.measure,
      addUp: metrics.addUp,
      beforeRender: metrics.beforeRender,
      alsoRender: metrics.alsoRender,
      share,
      end: () => {
        for (const end of endings) end()
      },
    }
  }
  return share
}

function getOrMake<T>(known: Map<string, T>, name: string, make: () => T): T {
  const found = known.get(name) ?? make()
  known.set(name, found)
  return found
}
