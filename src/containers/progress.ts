/**
 * The engine's progress stream of a pull or an import: JSON lines. The last one may be an error.
 */
import { z } from 'zod'
import { linesOf } from '../host/sockets/lines.ts'
import { MIB } from '../model/sizes.ts'
import { faultOf } from './errors.ts'

const lineSchema = z.object({
  status: z.string().optional(),
  id: z.string().optional(),
  progressDetail: z
    .object({ current: z.number().optional(), total: z.number().optional() })
    .optional(),
  error: z.string().optional(),
})

/** Further layers are not counted. */
const LAYER_LIMIT = 512

/**
 * Reads the stream to its end, and calls `progress` with a short sentence. Rejects with the
 * engine's error (`faultOf`), and when `signal` aborts.
 */
export async function finished(
  stream: NodeJS.ReadableStream,
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const layers = new Map<string, { readonly current: number; readonly total: number }>()
  for await (const line of linesOf(stream, signal)) {
    const parsed = parseLine(line)
    if (parsed?.error !== undefined) throw faultOf(parsed.error)
    const { current, total } = parsed?.progressDetail ?? {}
    if (parsed?.id === undefined || current === undefined || total === undefined) continue
    if (layers.has(parsed.id) || layers.size < LAYER_LIMIT)
      layers.set(parsed.id, { current, total })
    progress(describe(parsed.status ?? 'Pulling', layers))
  }
}

function parseLine(line: string): z.infer<typeof lineSchema> | null {
  try {
    return lineSchema.parse(JSON.parse(line))
  } catch {
    return null
  }
}

function describe(
  status: string,
  layers: ReadonlyMap<string, { readonly current: number; readonly total: number }>,
): string {
  let current = 0
  let total = 0
  for (const layer of layers.values()) {
    current += layer.current
    total += layer.total
  }
  return `${status}: ${(current / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MiB`
}
