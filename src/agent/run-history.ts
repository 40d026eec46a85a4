/**
 * Which life of this machine is lived: what tells it from copies of its disk, which have the same
 * name, identity and keys.
 *
 * Each run of the daemon is a life with a name of its own. The records keep the last one
 * (`HostLife`), and the state directory those that the next one may go on from, so a copy of the
 * disk knows them only up to the time when it was made. What it does not have is the runtime
 * directory, which is in memory and says which life was lived since this machine was started.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { exists, readRecord, writeRecord } from '../lib/files.ts'
import type { HostLife } from '../store/records/host.ts'

const LIFE_BYTES = 16
/** So many, because the records may be set back to a backup, and have a life of then. */
const REMEMBERED = 256
const LIVES_FILE = 'host.lives'
const LIFE_FILE = 'host.life'

const life = z.string().regex(/^[0-9a-f]{32}$/)
const livesSchema = z.object({
  lives: z.array(life).min(1),
  machine: z.string().nullable(),
  /**
   * Another machine was seen to live under this identity: this one never takes its place by itself.
   */
  rival: z.boolean(),
})
const lifeSchema = z.object({ life })

/** The lives of this machine. */
export interface Lives {
  readonly life: HostLife
  /** Removing it says that this machine is the one that the records mean. */
  readonly file: string
  /** Why this machine does not live at all until an operator says so; null: it may. */
  readonly refused: 'twin' | 'moved' | null
  /**
   * The records have taken this life: the next one on this boot goes on from it at once. Never
   * rejects.
   */
  confirmed(): Promise<void>
  /** Another machine lives under this identity: remembered for good. Never rejects. */
  foundRival(): Promise<void>
}

/**
 * Begins a life. `machine` is what hardware calls itself, null when that is not known. A full disk
 * is no reason not to live.
 */
export async function beginLife(options: {
  readonly stateDir: string
  readonly runtimeDir: string
  readonly machine: string | null
  readonly random: (bytes: number) => Uint8Array
}): Promise<Lives> {
  const { stateDir, runtimeDir, machine, random } = options
  const file = join(stateDir, LIVES_FILE)
  const before = await readRecord(file, livesSchema)
  const lived = (await readRecord(join(runtimeDir, LIFE_FILE), lifeSchema))?.life ?? null
  // A file that cannot be read is not one that an operator removed: nothing is known of what came
  // before.
  const known = before?.lives ?? ((await exists(file)) ? [] : null)
  const fresh = Buffer.from(random(LIFE_BYTES)).toString('hex')
  const write = (lives: readonly string[], rival = false) =>
    writeRecord(file, { lives, machine, rival }).then(
      () => true,
      () => false,
    )
  const isMoved = machine !== null && (before?.machine ?? machine) !== machine
  const refused = before?.rival === true ? 'twin' : isMoved ? 'moved' : null
  const remembered = (known ?? []).slice(-REMEMBERED)
  const isWritten = refused === null && (await write([...remembered, fresh]))
  // What could not be written could not be gone on from: then the last life goes on.
  const own = isWritten ? fresh : (remembered.at(-1) ?? fresh)
  return {
    life: { own, proven: lived !== null && remembered.includes(lived) ? lived : null, known },
    file,
    refused,
    async confirmed() {
      await writeRecord(join(runtimeDir, LIFE_FILE), { life: own }).catch(() => undefined)
    },
    async foundRival() {
      await write([...remembered, own], true)
    },
  }
}
