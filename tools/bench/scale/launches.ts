/**
 * Load for the API: launches with the daemon's own RunInstances, on several hosts in turn, like the
 * API server. After a 503 a launch is repeated as by the AWS SDKs: with the same client token, at
 * most three times. https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Action, ApiParts } from '../../../src/api/action.ts'
import { registerImage } from '../../../src/api/actions/register-image.ts'
import { runInstances } from '../../../src/api/actions/run-instances.ts'
import { createBudget } from '../../../src/api/budget.ts'
import { answerWithFallback } from '../../../src/api/replica-fallback.ts'
import { parseCidr } from '../../../src/model/addr.ts'
import { AtollError, messageOf } from '../../../src/model/errors.ts'
import { newIds, parseAccountId } from '../../../src/model/ids.ts'
import { insertWholeVpc } from '../../../src/store/new-vpc.ts'

/** The first account of every cloud. */
const ACCOUNT = '000000000001'
const TYPE = 'at1.small'
const ATTEMPTS = 3
const FIRST_PAUSE_MS = 100
/** Like the API server's. */
const DEADLINE_MS = 30_000

/**
 * What to launch, and where: in each of the subnets in turn, or in the default one if there are
 * none.
 */
export interface Load {
  readonly image: string
  readonly subnets: readonly string[]
}

/** The result of launches. */
export interface Launched {
  readonly seconds: number
  /** Time from call to answer of each that succeeded. */
  readonly ms: readonly number[]
  /** Attempts that were repeated after a 503. */
  readonly repeats: number
  /** Messages of those that failed. */
  readonly failures: readonly string[]
}

/** Launches `count` instances one by one, `width` at a time, as fast as possible. */
export async function storm(
  hosts: readonly ApiParts[],
  load: Load,
  count: number,
  width: number,
): Promise<Launched> {
  const tally = createTally(hosts, load)
  const began = performance.now()
  let next = 0
  const work = async () => {
    while (next < count) await tally.launch(next++)
  }
  await Promise.all(Array.from({ length: width }, work))
  return tally.sum(performance.now() - began)
}

/** Launches `perSecond` instances a second, however long they take. */
export async function stream(
  hosts: readonly ApiParts[],
  load: Load,
  perSecond: number,
  seconds: number,
): Promise<Launched> {
  const tally = createTally(hosts, load)
  const began = performance.now()
  const under: Promise<void>[] = []
  for (let index = 0; index < perSecond * seconds; index += 1) {
    await delay(Math.max(0, began + (index * 1000) / perSecond - performance.now()))
    under.push(tally.launch(index))
  }
  await Promise.all(under)
  return tally.sum(performance.now() - began)
}

/** Registers an image, and returns its id. */
export async function registerSample(host: ApiParts): Promise<string> {
  const input = { Name: `sample-${randomUUID()}`, ImageLocation: 'docker://sample:latest' }
  const registered = await again(
    () => call(host, registerImage, input),
    () => undefined,
  )
  return (registered as { readonly ImageId: string }).ImageId
}

/**
 * Makes VPCs beside the default one, each with a subnet and its default group, and gives the
 * subnets. They are written as records, so that quotas do not count.
 */
export async function makeVpcs({ store }: ApiParts, count: number): Promise<readonly string[]> {
  const made: string[] = []
  const newId = newIds(randomBytes)
  const { value: base } = await store.read(async (tx) => (await tx.subnets({}))[0])
  if (base === undefined) throw new RangeError('there is no default subnet')
  const { account, zone } = base
  await store.change(async (tx) => {
    made.length = 0
    for (let number = 0; number < count; number += 1) {
      const range = parseCidr(`10.${number >> 8}.${number & 255}.0/24`)
      if (range === undefined) throw new RangeError('a network is malformed')
      const [vpc, id] = [newId('vpc'), newId('subnet')]
      const settings = { dnsSupport: true, dnsHostnames: true, isDefault: false }
      const own = { id: vpc, account, cidr: range, network: number + 1 }
      await insertWholeVpc(tx, { ...own, ...settings }, newId)
      await tx.insertSubnet({
        id,
        vpc,
        account,
        cidr: range,
        zone,
        isDefault: false,
        mapPublicIp: false,
      })
      made.push(id)
    }
  })
  return made
}

/** The result of `work`, repeated after a 503. `repeated` is called each time. */
async function again<T>(work: () => Promise<T>, repeated: () => void, tries = 1): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isAway = error instanceof AtollError && error.kind === 'unavailable'
    if (!isAway || tries === ATTEMPTS) throw error
    repeated()
    await delay(Math.random() * FIRST_PAUSE_MS * 2 ** tries)
    return await again(work, repeated, tries + 1)
  }
}

function createTally(hosts: readonly ApiParts[], { image, subnets }: Load) {
  const ms: number[] = []
  const failures: string[] = []
  let repeats = 0
  const repeated = () => {
    repeats += 1
  }
  return {
    async launch(index: number): Promise<void> {
      const host = hosts[index % hosts.length]
      if (host === undefined) throw new RangeError('there is no host to ask')
      const began = performance.now()
      try {
        const asked = { ImageId: image, InstanceType: TYPE, MinCount: 1, MaxCount: 1 }
        const SubnetId = subnets[index % Math.max(1, subnets.length)]
        const place = SubnetId === undefined ? {} : { SubnetId }
        const input = { ...asked, ...place, ClientToken: randomUUID() }
        await again(() => call(host, runInstances, input), repeated)
        ms.push(performance.now() - began)
      } catch (error) {
        failures.push(messageOf(error))
      }
    },
    sum: (tookMs: number): Launched => ({ seconds: tookMs / 1000, ms, repeats, failures }),
  }
}

/** The answer of an action of the first account. */
export async function call(
  parts: ApiParts,
  action: Action,
  input: object,
): Promise<Readonly<Record<string, unknown>>> {
  const account = parseAccountId(ACCOUNT)
  if (account === undefined) throw new RangeError('the account is malformed')
  const { output } = await answerWithFallback(action, {
    input: { ...input },
    caller: { account, user: 'admin', accessKey: 'AKIDEXAMPLE', rights: 'all' },
    parts,
    budget: createBudget(parts, { pageItems: 1000, answerBytes: 16 * 1024 * 1024 }, 'test'),
    signal: AbortSignal.timeout(DEADLINE_MS),
  })
  return { ...output }
}
