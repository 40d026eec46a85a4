/**
 * Check of `atoll doctor`: whether an instance has used up the ports that it goes out with, as the
 * metrics of the daemon say. Changes nothing.
 */
import type { Config } from '../config.ts'
import { systemClock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

const TIMEOUT_MS = 3_000
/** `name{labels} value` in Prometheus's text format. */
const LINE = /^(atoll_nat_ports(?:_used)?)\{([^}]*)\} (\d+)$/gm
/** A share is as good as used up at this part: the kernel finds the last free ports seldom. */
const NEARLY_FULL = 0.9

/** Reads the metrics of the daemon that runs here. */
export async function checkNatPorts({ metrics }: Pick<Config, 'metrics'>): Promise<CheckResult> {
  const address = metrics.listen === '0.0.0.0' ? '127.0.0.1' : metrics.listen
  const url = `http://${address}:${metrics.port}/metrics`
  const asking = fetch(url).then(
    (answer) => answer.text(),
    () => null,
  )
  const text = await inTime(systemClock, TIMEOUT_MS, asking)
  return text === null ? ok('not known: atolld does not run here') : judgeNatPorts(text)
}

/** The result for these metrics. */
export function judgeNatPorts(metrics: string): CheckResult {
  const lines = [...metrics.matchAll(LINE)].map(([, name = '', labels = '', value = '']) => ({
    name,
    labels,
    value: Number(value),
  }))
  const used = new Map(
    lines.flatMap(({ name, labels, value }) =>
      name === 'atoll_nat_ports_used' ? [[labels, value] as const] : [],
    ),
  )
  const shares = lines.filter(({ name }) => name === 'atoll_nat_ports')
  const full = shares.flatMap(({ labels, value: ports }) => {
    const now = used.get(labels) ?? 0
    const [, instance = labels] = /instance="([^"]*)"/.exec(labels) ?? []
    return now >= ports * NEARLY_FULL ? [`${instance} uses ${now} of ${ports}`] : []
  })
  if (full.length === 0)
    return ok(
      shares.length === 0 ? 'no instance goes out' : `${shares.length} NICs have ports to spare`,
    )
  return warn(
    `${full.join('; ')} ports to one destination outside: more connections there are dropped`,
    'let the instance keep connections open and use them again, give it a floating IP, or a larger type',
  )
}
