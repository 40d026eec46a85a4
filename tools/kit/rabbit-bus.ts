/** Buses over a test's own RabbitMQ, and waiting until they are idle. */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { allBellMs } from '../../src/bus/bus.ts'
import { openRabbitBus, type RabbitBus, type RabbitBusOptions } from '../../src/bus/rabbit.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { deriveKey } from '../../src/lib/key-derivation.ts'
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts'
import type { HostName } from '../../src/model/ids.ts'
import { silentLog } from './log.ts'
import { eventually } from './netns.ts'
import { RABBIT_PASSWORD, RABBIT_USER } from './rabbit.ts'

export interface TestBus {
  readonly bus: RabbitBus
  readonly host: HostName
  readonly metrics: Metrics
}

/** A host's bus, not yet connected. */
export function openTestBus(
  name: string,
  nodes: readonly string[],
  more: Partial<RabbitBusOptions> = {},
): TestBus {
  const host = name as HostName
  const metrics = createMetrics()
  const bus = openRabbitBus({
    host,
    nodes,
    vhost: '/',
    user: RABBIT_USER,
    password: RABBIT_PASSWORD,
    key: deriveKey('the secret of the cluster', 'bus', 32),
    tls: { to: 'none', ca: null, cert: null, key: null },
    log: silentLog,
    metrics,
    clock: systemClock,
    random: randomBytes,
    hosts: () => 1,
    ...more,
  })
  return { bus, host, metrics }
}

/**
 * Waits until all are connected, and the bells that they ring for themselves at that moment have
 * arrived.
 */
export async function quiet(...ends: readonly TestBus[]): Promise<void> {
  await eventually('all are connected', () => ends.every(({ bus }) => bus.node() !== null), 20_000)
  // Bells to all hosts are merged over this time. After it the next one is sent at once.
  await sleep(allBellMs(1))
}
