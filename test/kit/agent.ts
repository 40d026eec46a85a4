/** The parts of an agent that a test is not about, and services that only count their calls. */
import { join } from 'node:path'
import type { AgentParts } from '../../src/agent/agent.ts'
import { createLedger, type Ledger } from '../../src/agent/ledger.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { HostService } from '../../src/services/service.ts'
import { silentLog } from '../../tools/kit/log.ts'

/** The ledger in a directory of a test. */
export function ledgerIn(directory: string): Ledger {
  return createLedger({ file: join(directory, 'ledger.json'), clock: systemClock, log: silentLog })
}

/** Parts whose ledger is in `directory`, that tell nobody anything and draw no waits. */
export function agentParts(
  directory: string,
  given: Pick<AgentParts, 'store' | 'bus' | 'services' | 'watchKernel' | 'metrics'>,
): AgentParts {
  return {
    ...given,
    rows: { found: () => undefined },
    ledger: ledgerIn(directory),
    onRecordsChanged: () => undefined,
    clock: systemClock,
    log: silentLog,
    random: () => 0,
  }
}

/** A service that only counts how often it was applied. */
export function countingService(
  name: string,
  more: Pick<HostService, 'engine' | 'passesGates' | 'watchesKernel'> = {},
) {
  const counts = { applied: 0 }
  const service: HostService = {
    name,
    gate: false,
    ...more,
    async apply() {
      counts.applied += 1
      return []
    },
    close: async () => undefined,
  }
  return { service, counts }
}
