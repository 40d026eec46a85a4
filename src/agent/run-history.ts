/**
 * The history of the daemon's runs on this machine. It tells this machine from a copy of its disk,
 * which has the same host name, identity and keys.
 *
 * Each run of the daemon has a random id. The host row holds the id of the last run (`HostRun`; the
 * column is called `life`). The state directory holds the ids of earlier runs, so a copy of the
 * disk knows them only up to the time of the copy. The runtime directory holds the id of the last
 * run since the machine booted. It is in memory, so no copy of the disk has it.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readRecord, writeRecord } from '../lib/files.ts'
import type { HostRun } from '../store/records/host.ts'

const RUN_ID_BYTES = 16
/** So many, because a restored backup of the records brings back the id of an old run. */
const REMEMBERED = 256
const HISTORY_FILE = 'host.lives'
const LAST_RUN_FILE = 'host.life'

const runId = z.string().regex(/^[0-9a-f]{32}$/)
/** The keys are those of older daemons. */
const historySchema = z.object({
  lives: z.array(runId).min(1),
  machine: z.string().nullable(),
  /** Another machine has run under this identity. Only an operator can let this one run again. */
  rival: z.boolean(),
})
const lastRunSchema = z.object({ life: runId })

/** The runs of the daemon on this machine. */
export interface RunHistory {
  readonly current: HostRun
  /** The history file. An operator removes it to declare this machine the right one. */
  readonly file: string
  /** Why the daemon must not run until an operator decides; null if it may. */
  readonly refused: 'twin' | 'moved' | null
  /** The records have this run now, so the next one on this boot may follow it. Never rejects. */
  confirmed(): Promise<void>
  /** Remembers for good that another machine runs under this identity. Never rejects. */
  rememberDuplicate(): Promise<void>
}

/**
 * Starts a run. `machine` is the firmware's id of this machine, null when it has none. A full disk
 * does not prevent a run.
 */
export async function startRun(options: {
  readonly stateDir: string
  readonly runtimeDir: string
  readonly machine: string | null
  readonly random: (bytes: number) => Uint8Array
}): Promise<RunHistory> {
  const { stateDir, runtimeDir, machine, random } = options
  const file = join(stateDir, HISTORY_FILE)
  const before = await readRecord(file, historySchema)
  const last = (await readRecord(join(runtimeDir, LAST_RUN_FILE), lastRunSchema))?.life ?? null
  // A damaged file is not a removed one: it lets this machine follow no earlier run.
  const known = before?.lives ?? ((await exists(file)) ? [] : null)
  const fresh = Buffer.from(random(RUN_ID_BYTES)).toString('hex')
  const write = (lives: readonly string[], rival = false) =>
    writeRecord(file, { lives, machine, rival }).then(
      () => true,
      () => false,
    )
  const isMoved = machine !== null && (before?.machine ?? machine) !== machine
  const refused = before?.rival === true ? 'twin' : isMoved ? 'moved' : null
  const remembered = (known ?? []).slice(-REMEMBERED)
  const isWritten = refused === null && (await write([...remembered, fresh]))
  // If the id could not be written, no later run could follow this one. So it reuses the last id.
  const own = isWritten ? fresh : (remembered.at(-1) ?? fresh)
  return {
    current: { own, proven: last !== null && remembered.includes(last) ? last : null, known },
    file,
    refused,
    async confirmed() {
      await writeRecord(join(runtimeDir, LAST_RUN_FILE), { life: own }).catch(() => undefined)
    },
    async rememberDuplicate() {
      await write([...remembered, own], true)
    },
  }
}
