/** A configuration that names an engine and not how to enter it. */
import { expect, it } from 'vitest'
import { parseConfig } from '../../src/config-file.ts'
import { openBus } from '../../src/engines.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { silentLog } from '../../tools/kit/log.ts'

it('is told as what it is, with the name of the setting', async () => {
  const config = parseConfig('bus: {kind: rabbitmq, nodes: ["127.0.0.1:1"]}', 'a.yaml')
  const context = { config, clock: systemClock, log: silentLog }
  await expect(
    openBus(context as Parameters<typeof openBus>[0], createMetrics(), () => 1),
  ).rejects.toMatchObject({
    name: 'ConfigError',
    message: 'the configuration: cluster.secretFile: must be set',
  })
})
