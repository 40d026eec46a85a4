/**
 * Takes a running instance over from another host: what is beside its disk first, then a process
 * that waits for it, then everything else, over two connections. It stands still on both hosts
 * afterwards, and runs on the one to which the records give it.
 */
import { createWriteStream } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../lib/clock.ts'
import { whileHeard } from '../../lib/deadline.ts'
import { exists, syncPath } from '../../lib/files.ts'
import { below, removeTree } from '../../lib/paths.ts'
import { splice } from '../../lib/splice.ts'
import type { CarriedFlow } from '../../model/carried-flow.ts'
import { messageOf, refused, unavailable } from '../../model/errors.ts'
import type { HostName } from '../../model/ids.ts'
import type { ArrivingWant } from '../../model/move.ts'
import { MIB } from '../../model/sizes.ts'
import type { ImageWant, InstanceWant } from '../../model/want.ts'
import type { LiveMover, Mover, WorkloadDriver } from '../driver.ts'
import { differenceOf } from './live-protocol.ts'
import { connectLive, describeLive, sendLive } from './live-source.ts'
import { fileSource, listFiles, type MovePeer } from './peer-source.ts'

/** What the host that takes it over has. */
export interface LiveArrival {
  readonly self: HostName
  readonly instance: InstanceWant
  /** Of its image here. */
  readonly digest: string
  readonly mover: LiveMover
  /** Takes some of its connections over. Never rejects. */
  readonly carryOn: (flows: readonly CarriedFlow[]) => Promise<void>
  /**
   * Lets it go on, when everything is here. `sinceMs` is when it stood still, by the monotonic
   * clock; null: not known. Errors: what a pass has to do then.
   */
  readonly goOn: (sinceMs: number | null) => Promise<void>
}

interface Taking {
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  readonly want: ArrivingWant<ImageWant>
  readonly driver: Pick<WorkloadDriver, 'remove'> & { readonly mover: Mover }
  readonly live: LiveArrival
  readonly peer: MovePeer
  readonly progress: (message: string) => void
  /** Is called when something has arrived. */
  readonly arrived: () => void
  readonly signal: AbortSignal
}

/** Largest file beside the disk: a console's output, a seed, or the variables of a firmware. */
const FILE_MAX_BYTES = 64 * MIB
/** The other host may be silent during the switch (8 s) and when it ends what failed (20 s). */
const SILENT_MS = 30_000

/**
 * Resolves when everything is here, with the moment (monotonic) in which it stood still; null: not
 * known. Errors: `unavailable` before anything of the instance itself was sent; `refused` when the
 * hosts are too different, and when it was begun and failed.
 */
export async function takeOver(taking: Taking): Promise<number | null> {
  const { want, live, peer, progress, signal } = taking
  progress('asking how it runs')
  const { kind, diskBytes } = await describeLive(peer, want, signal)
  const there = { host: want.from, kind }
  const here = { host: live.self, kind: await live.mover.kindFor(live.instance, live.digest) }
  const difference = differenceOf(there, here)
  if (difference !== null)
    throw refused('UnsupportedOperation', `it cannot move while it runs: ${difference}`)
  await fetchFiles(taking)
  progress('beginning')
  const own = await live.mover.receive(live.instance, live.digest, diskBytes)
  const ends = new AbortController()
  const over = AbortSignal.any([signal, ends.signal])
  try {
    const disk = await connectLive(peer, want, 'disk', over)
    const memory = await connectLive(peer, want, 'memory', over)
    splice(own.disk, disk)
    splice(own.memory, memory)
    return await passOn(taking, over)
  } finally {
    ends.abort()
    own.disk.destroy()
    own.memory.destroy()
  }
}

async function passOn(taking: Taking, over: AbortSignal): Promise<number | null> {
  const { want, live, peer, signal, clock } = taking
  let sinceMs: number | null = null
  // Some after the others, and beside the rest of the memory.
  let carrying = Promise.resolve()
  const said = {
    progress(message: string) {
      taking.arrived()
      taking.progress(message)
    },
    still() {
      sinceMs ??= clock.monotonic()
    },
    flows(flows: readonly CarriedFlow[]) {
      carrying = carrying.then(() => live.carryOn(flows))
    },
  }
  try {
    const received = live.mover.received(want.instance, over)
    const late = () => unavailable(`${peer.name} has been silent for ${SILENT_MS / 1000} seconds`)
    const sent = whileHeard({ clock, ms: SILENT_MS, late, signal: over }, (until, heard) =>
      sendLive(peer, want, { ...said, heard }, until),
    )
    await Promise.all([sent, received])
    await carrying
    return sinceMs
  } catch (error) {
    signal.throwIfAborted()
    // It may have stood still for a while, so it is not tried again without being asked.
    throw refused('UnsupportedOperation', messageOf(error))
  }
}

/** Removes what an arrival needs until everything is here. */
export async function tidyUp({ want, driver }: Pick<Taking, 'want' | 'driver'>): Promise<void> {
  await removeTree(driver.mover.home(want.instance), directoryOf(want.move))
}

/** The directory of the move, in the home of the instance. */
export function directoryOf(move: number): string {
  return `arriving-${move}`
}

/** Those beside the disk. Removes what is there of an earlier stay. */
async function fetchFiles({ want, driver, peer, arrived, signal }: Taking) {
  const { instance, move } = want
  const home = driver.mover.home(instance)
  const directory = below(home, directoryOf(move))
  if (!(await exists(directory))) await driver.remove(instance, null)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  for (const [index, file] of (await listFiles(peer, want, signal)).entries()) {
    const path = below(directory, file.name)
    const { body } = await fileSource(peer, { instance, move, file: index }, file).open(
      null,
      signal,
    )
    await pipeline(body, atMost(FILE_MAX_BYTES, arrived), createWriteStream(path), { signal })
    await rename(path, below(home, file.name))
  }
  await syncPath(home)
}

/** Passes that many bytes on. */
function atMost(bytes: number, passed: () => void) {
  return async function* limited(chunks: AsyncIterable<Buffer>) {
    let left = bytes
    for await (const chunk of chunks) {
      left -= chunk.length
      if (left < 0) throw unavailable(`a file is larger than ${bytes} bytes`)
      passed()
      yield chunk
    }
  }
}
