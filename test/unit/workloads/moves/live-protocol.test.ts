/** What a host believes of another one that passes an instance on. */
import { expect, test } from 'vitest'
import { ipv4 } from '../../../../src/model/addr.ts'
import type { CarriedFlow } from '../../../../src/model/carried-flow.ts'
import {
  FLOWS_PER_LINE,
  formatFlow,
  NEWS_MAX_CHARS,
  newsSchema,
  parseFlow,
} from '../../../../src/workloads/moves/live-protocol.ts'

const [A, B] = ['10.0.0.1', '10.0.0.2']
const LONGEST: CarriedFlow = {
  ...{ protocol: 17, source: ipv4('255.255.255.255'), sourcePort: 65_535 },
  ...{ destination: ipv4('255.255.255.254'), destinationPort: 65_534 },
  ...{ state: 0, seconds: 432_000, isAssured: false },
}

test('as many connections as a line has are shorter than a line may be, and come out as they were', () => {
  const flows = Array.from({ length: FLOWS_PER_LINE }, () => LONGEST)
  const line = JSON.stringify({ kind: 'flows', flows: flows.map(formatFlow) })
  expect(line.length).toBeLessThan(NEWS_MAX_CHARS)
  const news = newsSchema.parse(JSON.parse(line))
  expect(news.kind === 'flows' && news.flows.map(parseFlow)).toEqual(flows)
})

test.each<[string, readonly unknown[]]>([
  ['ICMP', [1, A, 0, B, 0, 0, 30, true]],
  ['all protocols', [-1, A, 0, B, 0, 0, 30, true]],
  ['an address that is none', [6, '10.0.0.256', 1, B, 2, 3, 30, true]],
  ['an address with a length', [6, '10.0.0.0/8', 1, B, 2, 3, 30, true]],
  ['IPv6', [6, '::1', 1, B, 2, 3, 30, true]],
  ['a port above 65535', [6, A, 65_536, B, 2, 3, 30, true]],
  ['a port below 0', [6, A, 1, B, -1, 3, 30, true]],
  ['a part of a port', [6, A, 1.5, B, 2, 3, 30, true]],
  ['TCP that begins', [6, A, 1, B, 2, 1, 30, true]],
  ['TCP that is closed', [6, A, 1, B, 2, 8, 30, true]],
  ['a state that the kernel does not know', [6, A, 1, B, 2, 99, 30, true]],
  ['a part of a state', [6, A, 1, B, 2, 3.5, 30, true]],
  ['UDP with a state', [17, A, 1, B, 2, 3, 30, true]],
  ['what has ended', [6, A, 1, B, 2, 3, 0, true]],
  ['what lasts too long', [6, A, 1, B, 2, 3, 432_001, true]],
  ['a translation', [6, A, 1, B, 2, 3, 30, true, { nat: '10.9.9.9' }]],
  ['too little', [6, A, 1, B, 2, 3, 30]],
])('refuses %s', (_what, flow) => {
  const good = [6, A, 1, B, 2, 3, 30, true]
  expect(newsSchema.safeParse({ kind: 'flows', flows: [good] }).success).toBe(true)
  expect(newsSchema.safeParse({ kind: 'flows', flows: [good, flow] }).success).toBe(false)
})

test('refuses lines without connections, and with too many', () => {
  const flows = Array.from({ length: FLOWS_PER_LINE + 1 }, () => [6, A, 1, B, 2, 3, 30, true])
  expect(newsSchema.safeParse({ kind: 'flows', flows }).success).toBe(false)
  expect(newsSchema.safeParse({ kind: 'flows', flows: [] }).success).toBe(false)
})
