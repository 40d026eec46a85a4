/**
 * The Docker Engine's events about our containers: a live stream that reconnects, and past events.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemEvents
 */
import type Dockerode from 'dockerode'
import { z } from 'zod'
import { linesOf } from '../host/sockets/lines.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { type Backoff, pauseMs } from '../lib/retry.ts'
import type { InstanceId } from '../model/ids.ts'
import { INSTANCE_LABEL, instanceFromMark } from '../model/names.ts'
import type { ContainerEvent } from './state.ts'

const eventSchema = z.object({
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()).optional() }),
  timeNano: z.number(),
})

const NANOS_IN_MS = 1_000_000
const RETRY: Backoff = { firstMs: 200, lastMs: 5_000 }
/** The engine keeps fewer events in total. */
const HISTORY_LIMIT = 1_000

/** What a listener gets. */
export interface EventListener {
  /** The stream is open. From now on no event is missed. */
  connected(): void
  /** The stream broke. What was read before may be old. */
  lost(): void
  /** Something happened to this container. */
  changed(containerId: string, instance: InstanceId): void
}

/**
 * Follows the events until `signal` aborts. Opens the stream again, after growing pauses, whenever
 * it breaks.
 */
export async function followEvents(options: {
  readonly docker: Dockerode
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  readonly listener: EventListener
}): Promise<void> {
  const { docker, clock, log, signal, listener } = options
  let failures = 0
  while (!signal.aborted) {
    try {
      const stream = await openEvents(docker, signal)
      failures = 0
      listener.connected()
      for await (const line of linesOf(stream, signal)) report(line, listener)
    } catch (error) {
      if (!signal.aborted) log.debug({ error }, 'the Docker event stream broke')
    }
    if (signal.aborted) return
    listener.lost()
    failures += 1
    await clock.sleep(pauseMs(RETRY, failures), signal).catch(() => undefined)
  }
}

function openEvents(docker: Dockerode, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
  return docker.getEvents({
    filters: { type: ['container'], label: [INSTANCE_LABEL], event: ['start', 'die', 'destroy'] },
    abortSignal: signal,
  })
}

function report(line: string, listener: EventListener): void {
  const event = parseEvent(line)
  const instance = instanceFromMark(event?.Actor.Attributes?.[INSTANCE_LABEL])
  if (event !== null && instance !== undefined) listener.changed(event.Actor.ID, instance)
}

function parseEvent(line: string): z.infer<typeof eventSchema> | null {
  try {
    return eventSchema.parse(JSON.parse(line))
  } catch {
    return null
  }
}

/**
 * The signals and ends of a container since a time that the engine still remembers, in ascending
 * order.
 */
export async function pastEvents(
  docker: Dockerode,
  containerId: string,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
  signal: AbortSignal,
): Promise<readonly ContainerEvent[]> {
  const stream = await docker.getEvents({
    since: sinceMs / 1000,
    // Not in the engine's future, so that it answers from memory and closes the stream. Fractions
    // of a second count.
    until: nowMs / 1000,
    filters: { type: ['container'], container: [containerId], event: ['kill', 'die'] },
    abortSignal: signal,
  })
  const events: ContainerEvent[] = []
  for await (const line of linesOf(stream, signal)) {
    const event = parseEvent(line)
    if (event !== null && events.length < HISTORY_LIMIT)
      events.push({ action: event.Action, timeMs: event.timeNano / NANOS_IN_MS })
  }
  return events
}
