/**
 * Our DHCP server alone, as a process of its own, for the benchmark `dhcp`: `server.ts NICS`. It
 * answers on the links of so many NICs in the namespace that it runs in, says `ready`, and runs
 * until it is killed.
 */
import { createLinuxHost } from '../../../src/host/linux.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { systemRunner } from '../../../src/lib/runner.ts'
import { createDhcp } from '../../../src/services/dhcp/dhcp.ts'
import { hostWant } from '../../kit/instance.ts'
import { silentLog } from '../../kit/log.ts'
import { wantOf } from '../many-instances.ts'

const NO_LIMIT = { burst: 1e9, perSecond: 1e9 }

const host = createLinuxHost({ log: silentLog, runner: systemRunner })
const dhcp = createDhcp({
  host,
  settings: { leaseSeconds: 3600, mtu: 1500, zone: 'atoll.internal' },
  // As shipped, a NIC gets five answers a second.
  limits: { answer: NO_LIMIT, read: NO_LIMIT },
  clock: systemClock,
  metrics: createMetrics(),
  log: silentLog,
})
const { local } = wantOf(Number(process.argv[2]), 0)
await dhcp.apply({
  ...{ want: { ...hostWant(), local }, resync: false, log: silentLog },
  signal: new AbortController().signal,
})
process.stdout.write('ready\n')
