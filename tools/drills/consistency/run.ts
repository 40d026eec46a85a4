/**
 * The consistency check: workers send requests, faults are injected, an observer reads the actual
 * state. In the end the history must be consistent.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { DescribeInstancesCommand, DescribeKeyPairsCommand } from '@aws-sdk/client-ec2'
import type { Lab } from '../../lab/lab.ts'
import {
  clientOf,
  describe,
  type ListClient,
  labCredentials,
  listClient,
  sampleImage,
  terminate,
} from '../api.ts'
import type { Progress } from '../drill.ts'
import { waitUntilHealthy } from '../lab-health.ts'
import { violations } from './check.ts'
import type { Event, Final } from './history.ts'
import { injectFaults } from './nemesis.ts'
import { type Observations, observe } from './observer.ts'
import { randomOf } from './random.ts'
import { work } from './workers.ts'

const WORKERS_PER_HOST = 2
const ATTEMPT_MS = 5000
const WHOLE_MS = 180_000
/** The lab's hosts have little capacity, so that they are full from time to time. */
export const SCARCE = { capacity: { vcpuRatio: 2 } }

export interface ConsistencyResult {
  readonly seed: number
  readonly seconds: number
  readonly faults: readonly string[]
  /** Requests by kind and outcome. */
  readonly requests: Readonly<Record<string, number>>
  readonly looks: number
  readonly violations: readonly string[]
}

/**
 * One run. The same seed gives the same requests and faults in the same order. Their timing depends
 * on the machine.
 */
export async function checkConsistency(
  lab: Lab,
  options: { readonly seed: number; readonly seconds: number },
  progress: Progress,
): Promise<ConsistencyResult & { readonly history: readonly Event[] }> {
  const { seed, seconds } = options
  const leaveOutside = lab.outside.enter()
  try {
    const credentials = await labCredentials(lab)
    const clients = lab.hosts.map(({ name }) => clientOf(lab, name, credentials))
    const list = listClient(clients, ATTEMPT_MS)
    const image = await sampleImage(list)
    await terminate(
      list,
      (await describe(list)).flatMap(({ InstanceId = '' }) => InstanceId),
    )
    await waitUntilHealthy(lab, WHOLE_MS)

    const run = `c${Date.now()}`
    const history: Event[] = []
    const seen: Observations = { rounds: [], overbooked: [] }
    const stopping = new AbortController()
    const ending = new AbortController()
    const workers = Array.from({ length: WORKERS_PER_HOST * lab.hosts.length }, (_, index) =>
      work(
        `${run}-w${index}`,
        clients,
        image,
        randomOf(seed * 1000 + index),
        history,
        stopping.signal,
      ),
    )
    const observing = observe(lab, seen, ending.signal)
    const wreaking = injectFaults(lab, randomOf(seed), stopping.signal, progress)
    await delay(seconds * 1000)
    stopping.abort()
    const faults = await wreaking
    await Promise.all(workers)
    progress(`${history.length} requests asked; waiting until the lab is healthy`)
    const { found } = await waitUntilHealthy(lab, WHOLE_MS)
    ending.abort()
    await observing
    const final = await finalOf(list, run)
    const wrong = [...found, ...seen.overbooked, ...violations(history, final, seen.rounds)]
    for (const { ec2 } of clients) ec2.destroy()
    return {
      seed,
      seconds,
      faults,
      requests: countBy(history.map(({ kind, outcome }) => `${kind} ${outcome}`)),
      looks: seen.rounds.length,
      violations: [...new Set(wrong)],
      history,
    }
  } finally {
    leaveOutside()
  }
}

/** The final records of this run, from any host. */
async function finalOf(list: ListClient, run: string): Promise<Final> {
  const { Reservations = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeInstancesCommand({}), { abortSignal }),
  )
  const { KeyPairs = [] } = await list.send((ec2, abortSignal) =>
    ec2.send(new DescribeKeyPairsCommand({}), { abortSignal }),
  )
  const instances = Reservations.flatMap(({ Instances = [] }) => Instances)
  return {
    instances: instances
      .filter(({ ClientToken = '' }) => ClientToken.startsWith(run))
      .map(({ InstanceId = '', State, ClientToken, Tags = [] }) => ({
        id: InstanceId,
        state: State?.Name ?? '',
        token: ClientToken ?? null,
        tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
      })),
    keys: KeyPairs.flatMap(({ KeyName = '' }) => KeyName),
  }
}

function countBy(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
