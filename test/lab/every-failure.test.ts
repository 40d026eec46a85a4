/**
 * One host whose k-th call fails, for every k (for every third in the short mode): a call of the
 * host port, of the workload driver or of the store, before it did anything or after it did
 * everything. After each failure the next passes make everything as it should be, and at the end
 * nothing is left.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LinkSocket } from '../../src/host/sockets/udp.ts'
import { type InstanceId, parseId } from '../../src/model/ids.ts'
import type { Store } from '../../src/store/store.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type Watch, watchCalls } from '../kit/every-failure.ts'
import { startWholeHost, type WholeHost } from '../kit/whole-host.ts'
import { isLong } from '../long-files.ts'

/** The machine may be busy with other suites. */
const CONVERGE_MS = 90_000
const TEST_MS = 600_000
let whole: WholeHost
let image: string
const host = watchCalls()
const driver = watchCalls()
const records = watchCalls()

/** The records with every call counted, those inside a transaction too. */
function breakable(store: Store, watch: Watch): Store {
  return watch.over<Store>({
    ...store,
    change: (work) => store.change((tx) => work(watch.over(tx))),
    claim: (work) => store.claim((tx) => work(watch.over(tx))),
  })
}

beforeAll(async () => {
  whole = await startWholeHost({
    // Nobody gets the socket of a call that failed: whoever made it fail must close it.
    host: (port) =>
      host.over(port, {
        lost: (result) => {
          if (typeof result === 'object' && result !== null && 'sendFrom' in result)
            (result as LinkSocket).close()
        },
      }),
    driver: (port) =>
      driver.over(port, { methods: ['list', 'launch', 'start', 'plug', 'stop', 'remove'] }),
    store: (port) => breakable(port, records),
  })
  const answer = await whole.act('RegisterImage', {
    Name: 'static',
    ImageLocation: 'docker://atoll-sample:static',
  })
  image = String(answer['ImageId'])
})
afterAll(() => whole?.close())

/** Asks, and asks again as a client does as long as the records do not take the question. */
async function ask(action: string, input: object): Promise<Record<string, unknown>> {
  for (let failures = 0; failures <= MORE.times; failures += 1) {
    try {
      return await whole.act(action, input)
    } catch {
      // Each of the calls that fail may be one of these.
    }
  }
  return await whole.act(action, input)
}

async function converged(what: string): Promise<void> {
  let last: readonly string[] = []
  await eventually(
    what,
    async () => {
      last = await whole.differences().catch((error: unknown) => [String(error)])
      return last.length === 0
    },
    CONVERGE_MS,
  ).catch((cause: unknown) => {
    throw new Error(`${what}: ${last.join('; ')}`, { cause })
  })
}

let tokens = 0

async function launch(): Promise<InstanceId> {
  tokens += 1
  const answer = await ask('RunInstances', {
    ImageId: image,
    InstanceType: 'at1.small',
    MinCount: 1,
    MaxCount: 1,
    ClientToken: `token-${tokens}`,
  })
  const [one] = answer['Instances'] as { readonly InstanceId: string }[]
  const id = parseId('i', one?.InstanceId ?? '')
  if (id === undefined) throw new Error('RunInstances gave no id')
  return id
}

/** Each thing that can be asked of an instance, in the order of a life. */
const LIFE = ['StopInstances', 'StartInstances', 'RebootInstances', 'TerminateInstances'] as const
const PORTS = { host, driver, records }
/**
 * Several failures in one step, so that every call fails once in few runs. A launch, the longest,
 * makes about fifty calls of the host port when nothing fails.
 */
const DISTANCE = 13
const MORE = { times: 3, distance: DISTANCE }
/** Every so many of these runs are made. */
const STEP = isLong ? 1 : 3

/** One life in each of whose steps these calls fail; counts failures by port. */
async function live(call: number, when: 'before' | 'after', counts: Record<string, number>) {
  const broken = async <T>(work: () => Promise<T>, what: string): Promise<T> => {
    for (const { failures } of Object.values(PORTS)) failures.arm(call, when, MORE)
    const result = await work()
    await converged(`${what}, call ${call} fails ${when}`)
    for (const [name, { failures }] of Object.entries(PORTS)) {
      counts[name] = (counts[name] ?? 0) + failures.count
      failures.disarm()
    }
    return result
  }
  const id = await broken(launch, 'launch')
  for (const action of LIFE) await broken(() => ask(action, { InstanceIds: [id] }), action)
  expect(await whole.instance(id)).toMatchObject({
    state: 'terminated',
    stateReason: { code: 'Client.UserInitiatedShutdown' },
  })
  // The pass after the one that found it gone takes its rules away.
  let leftovers: readonly string[] = []
  const nothing = async () => {
    leftovers = await whole.leftovers()
    return leftovers.length === 0
  }
  await eventually('nothing is left', nothing, CONVERGE_MS).catch((cause: unknown) => {
    throw new Error(leftovers.join('; '), { cause })
  })
  const left = await whole.store.read(async (tx) => ({
    nics: await tx.nics({}),
    used: (await tx.hosts()).map((one) => [one.usedVcpus, one.usedMemoryMiB]),
  }))
  expect(left).toEqual({ nics: [], used: [[0, 0]] })
}

test.each(['before', 'after'] as const)(
  'calls that fail %s they are done',
  { timeout: TEST_MS },
  async (when) => {
    const counts: Record<string, number> = {}
    let lives = 0
    for (let call = 1; call <= DISTANCE; call += STEP) {
      await live(call, when, counts)
      lives += 1
    }
    console.log(`calls that failed ${when} they were done, in ${lives} lives:`, counts)
    for (const name of Object.keys(PORTS)) expect(counts[name]).toBeGreaterThan(lives)
  },
)
