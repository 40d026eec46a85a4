/** Reads the metrics that another process has measured. What is no metric is left out. */
import { z } from 'zod'
import type { MeasuredMetrics } from './metrics.ts'

const NAME = /^[a-zA-Z_:][\w:]{0,199}$/

/** One metric of another process. Prometheus's data model says which names there are. */
const metricSchema = z.looseObject({
  name: z.string().regex(NAME),
  help: z.string().max(1000),
  type: z.enum(['counter', 'gauge', 'histogram', 'summary']),
  aggregator: z.enum(['sum', 'first', 'min', 'max', 'average', 'omit']),
  values: z.array(z.unknown()).max(100_000),
})

/** What has not been measured yet is no number, and null in JSON. */
const valueSchema = z.looseObject({
  value: z.number(),
  labels: z.record(z.string().regex(/^\w{1,100}$/), z.union([z.string(), z.number()])),
  metricName: z.string().regex(NAME).optional(),
})

/** What `measure` of another process has said: none or one list of metrics. */
export function parseMeasured(text: string): readonly MeasuredMetrics[] {
  try {
    const read = z.array(z.unknown()).max(10_000).safeParse(JSON.parse(text))
    return read.success ? [read.data.flatMap(parseMetric)] : []
  } catch {
    return []
  }
}

function parseMetric(one: unknown): readonly object[] {
  const { data } = metricSchema.safeParse(one)
  if (data === undefined) return []
  return [{ ...data, values: data.values.filter((value) => valueSchema.safeParse(value).success) }]
}
