/** The audit of calls in a test: over a cloud's records, with files in a temporary directory. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditSettings, openAudit } from '../../src/api/audit/audit.ts'
import type { Audit } from '../../src/api/audit/port.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts'
import type { AuditEvent, AuditOwner } from '../../src/model/audit.ts'
import { MIB } from '../../src/model/sizes.ts'
import { type InformedStore, withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'

export interface TestAudit extends AsyncDisposable {
  readonly audit: Audit
  readonly directory: string
  readonly metrics: Metrics
  /** The records of an owner in the file of this host, oldest first. */
  filed(owner: AuditOwner): Promise<readonly Record<string, unknown>[]>
  /** The records of an owner in the store, newest first. */
  stored(owner: AuditOwner): Promise<readonly AuditEvent[]>
}

interface Options extends Partial<AuditSettings> {
  readonly clock?: Clock
  readonly writes?: InformedStore
}

/** Records calls over these records. */
export async function openTestAudit(store: Store, options: Options = {}): Promise<TestAudit> {
  const { clock = systemClock, writes = withoutReplica(store), ...more } = options
  const directory = await mkdtemp(join(tmpdir(), 'atoll-audit-'))
  const metrics = createMetrics()
  const audit = openAudit(
    { store: writes, clock, log: silentLog, metrics, random: randomBytes, hosts: () => 1 },
    {
      ...{ directory, fileBytes: 16 * MIB, totalBytes: 64 * MIB, reads: 'none' },
      ...{ recordsPerAccount: 10_000, days: 90, ...more },
    },
    { name: 'host1', region: 'atoll' },
  )
  return {
    audit,
    directory,
    metrics,
    async filed(owner) {
      const text = await readFile(join(directory, `${owner}.jsonl`), 'utf8').catch(() => '')
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
    stored: (owner) => store.read((tx) => tx.auditEvents({ owner, limit: 1000 })),
    async [Symbol.asyncDispose]() {
      await audit.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
