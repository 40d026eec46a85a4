/**
 * Waits until a lab works: engines in one cluster, healthy daemons, and a sample image in every
 * Docker Engine.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../src/model/errors.ts'
import { daemonState, galeraState, rabbitNodes } from './engines.ts'
import { cacheDir, type LabHost } from './host.ts'
import type { Lab } from './lab.ts'
import { until } from './run.ts'
import { labStatus, statusRow } from './status.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Half a minute on an idle machine with two cores. A busy one may take longer. */
const ENGINE_MS = 240_000
const IMAGE_MS = 120_000
const SAMPLES = ['atoll-sample:latest', 'atoll-sample:static']
/** A file that all machines of the lab see. */
const SAMPLE_FILE = 'atoll-sample.tar'
const LINES_SHOWN = 15
/** Checking takes processor time that the starting services need. */
const LOOK_AGAIN_MS = 500

/**
 * Resolves when every host that is on and not cut off is ready, with the engines of those hosts in
 * one cluster.
 */
export async function untilReady(
  lab: Lab,
  options: { readonly progress?: (line: string) => void; readonly timeoutMs?: number } = {},
): Promise<void> {
  const { progress = () => {}, timeoutMs = ENGINE_MS } = options
  const on: LabHost[] = []
  for (const host of lab.hosts) if ((await host.isOn()) && !host.isCut()) on.push(host)
  const engines = on.filter((host) => host.hasEngines)
  const size = engines.length
  const parts: readonly Part[] = [
    ...on.map((host) => ({
      host,
      service: 'dockerd',
      what: 'has the sample image',
      holds: async () => hasSampleImage(lab, host, host === on[0]),
    })),
    ...engines.map((host) => ({
      host,
      service: 'mariadb',
      what: `is one of ${size} and synced`,
      holds: async () => {
        const state = await galeraState(host)
        return state?.primary === true && state.state === 'Synced' && state.size === size
      },
    })),
    ...engines.map((host) => ({
      host,
      service: 'rabbitmq',
      what: `is one of ${size}`,
      holds: async () => (await rabbitNodes(host))?.length === size,
    })),
    ...on.map((host) => ({
      host,
      service: 'atolld',
      what: 'is healthy',
      holds: async () => (await daemonState(host))?.healthy === true,
    })),
  ]
  await Promise.all(
    parts.map(async (part) => {
      await untilHolds(lab, part, timeoutMs)
      progress(`${part.host.name}: ${part.service} ${part.what}`)
    }),
  )
}

/** The state that a part of a host must reach. */
interface Part {
  readonly host: LabHost
  readonly service: string
  readonly what: string
  holds(): Promise<boolean>
}

async function untilHolds(
  lab: Lab,
  { host, service, what, holds }: Part,
  timeoutMs: number,
): Promise<void> {
  const name = `${service} on ${host.name} ${what}`
  try {
    await until(name, timeoutMs, async () => ((await holds()) ? true : null), LOOK_AGAIN_MS)
  } catch (cause) {
    const lines = (await host.service(service).log()).trimEnd().split('\n').slice(-LINES_SHOWN)
    const rows = (await labStatus(lab)).map((status) => statusRow(status).join(' | '))
    const story = [messageOf(cause), ...rows, `the log of ${service} ends:`, ...lines]
    throw new Error(story.join('\n'), { cause })
  }
}

/**
 * Loads the sample images if the engine answers and lacks them. One host builds them and all others
 * load those, because a registered image is pinned by digest, and each build has another one.
 */
async function hasSampleImage(lab: Lab, host: LabHost, isBuilder: boolean): Promise<boolean> {
  const did = async (...argv: readonly string[]) =>
    (await host.exec(argv, { timeoutMs: IMAGE_MS })).exitCode === 0
  const isKept = () => existsSync(join(cacheDir(lab.layout), SAMPLE_FILE))
  const kept = `/var/cache/${SAMPLE_FILE}`
  const has = await did('docker', 'image', 'inspect', ...SAMPLES)
  if (isKept()) return has || (await did('docker', 'load', '--input', kept))
  if (!isBuilder) return false
  return (
    (has || (await did(join(ROOT, 'scripts/make-sample-image')))) &&
    (await did('docker', 'save', '--output', `${kept}.new`, ...SAMPLES)) &&
    (await did('mv', `${kept}.new`, kept))
  )
}
