/**
 * Makes guests' disks independent of other files with qemu-img, which runs in the jail
 * (`host/processes/jail.ts`): a guest controls the contents of its disk, and a QEMU that it has
 * taken over controls the header.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { needSpace } from '../host/files/space.ts'
import { jailPath, letJailRead, letJailWrite, runJailed } from '../host/processes/jail.ts'
import type { Clock } from '../lib/clock.ts'
import { below } from '../lib/paths.ts'
import { failureOf, type Runner } from '../lib/runner.ts'
import { AtollError, refused, unavailable } from '../model/errors.ts'
import { GIB, MIB, mib } from '../model/sizes.ts'
import type { CaptureWant } from '../model/want.ts'
import { allocatedBytes, KEPT_FILES, type Making } from './created-images.ts'

interface ConvertTools {
  readonly run: Runner
  readonly clock: Clock
  readonly settings: { readonly maxBytes: number }
  /** Replaces `IDLE_MS` in tests. */
  readonly idleMs?: number
}

interface ConvertJob {
  readonly want: CaptureWant
  readonly making: Making
  readonly progress: (message: string) => void
  readonly signal: AbortSignal
}

/** A disk, or a file that it is based on. */
interface Layer {
  readonly format: 'qcow2' | 'raw'
  readonly path: string
}

/** A disk that takes longer is on a machine that is too slow. */
const DEADLINE_SECONDS = 4 * 3600
/** A program that neither reads nor writes for this long hangs, and would occupy its place. */
const IDLE_MS = 300_000
const PROGRESS_EVERY_MS = 1_000
const MS = 1000
/** For caches of tables, buffers and libraries. It needs some 100 MiB. */
const MEMORY_BYTES = 2 * GIB

/**
 * Writes the image's disk from these layers, the topmost first. Errors: `refused` when it is too
 * large, `unavailable`.
 */
export async function convert(
  tools: ConvertTools,
  job: ConvertJob,
  layers: readonly Layer[],
): Promise<void> {
  const { clock, settings } = tools
  const { making, progress, signal, want } = job
  let bytes = 0
  for (const { path } of layers) bytes += await allocatedBytes(path)
  await needSpace(making.dir, Math.min(bytes, settings.maxBytes))
  const target = below(making.dir, KEPT_FILES.disk)
  const ending = new AbortController()
  const over = AbortSignal.any([signal, ending.signal])
  const watching = (async () => {
    for (;;) {
      const written = await allocatedBytes(target)
      progress(`Copying the disk: ${Math.round(written / MIB)} of at most ${mib(bytes)}`)
      if (written > settings.maxBytes) throw tooLarge(want, settings.maxBytes)
      await clock.sleep(PROGRESS_EVERY_MS, over)
    }
  })()
  // Its failure is reported below.
  watching.catch(() => ending.abort())
  const ran = await jailed(tools, layers, target, over).finally(() => ending.abort())
  const watched = await watching.catch((error: unknown) => error)
  signal.throwIfAborted()
  if (watched instanceof AtollError) throw watched
  if (ran.exitCode !== 0)
    throw unavailable(`the disk of ${want.instance} was not copied: qemu-img: ${failureOf(ran)}`)
  if ((await allocatedBytes(target)) > settings.maxBytes) throw tooLarge(want, settings.maxBytes)
}

async function jailed(
  { run, settings, idleMs = IDLE_MS }: ConvertTools,
  layers: readonly Layer[],
  target: string,
  signal: AbortSignal,
): ReturnType<Runner> {
  await using closing = new AsyncDisposableStack()
  const opened: FileHandle[] = []
  for (const { path } of layers) opened.push(closing.use(await open(path)))
  for (const layer of opened) await letJailRead(layer)
  const into = closing.use(await open(target, 'w', 0o600))
  const files = [...opened, into].map(({ fd }) => fd)
  const args = ['convert', '-q', '-O', 'qcow2', `json:${nodes(layers)}`, jailPath(layers.length)]
  // The file may exceed its contents by its tables, which grow with the size of the disk.
  const limits = {
    seconds: DEADLINE_SECONDS,
    memoryBytes: MEMORY_BYTES,
    fileBytes: 2 * settings.maxBytes,
  }
  const order = { program: 'qemu-img', args, files, limits }
  const options = { timeoutMs: DEADLINE_SECONDS * MS, idleMs, signal }
  return await letJailWrite(into, () => runJailed(run, order, options))
}

/**
 * The layers as QEMU's block nodes. Each is named here, so no other file is opened, whatever a
 * header says.
 */
function nodes(layers: readonly Layer[]): string {
  const described = layers.map(({ format }, index) => ({
    driver: format,
    file: { driver: 'file', filename: jailPath(index) },
  }))
  const whole = described.reduceRight<object | null>(
    (below, node) => (node.driver === 'qcow2' ? { ...node, backing: below } : node),
    null,
  )
  return JSON.stringify(whole)
}

function tooLarge({ instance }: CaptureWant, maxBytes: number): AtollError {
  return refused(
    'InvalidParameterValue',
    `the disk of ${instance} holds more than ${mib(maxBytes)} (setting images.maxGiB)`,
  )
}
