/**
 * `parts`: what each shortcut of the daemon saves. Each is measured with and without, alternately,
 * in one process and with the same records:
 *
 * - the planner, which computes the shared part of a want only when its records have changed
 *   (`src/agent/planner.ts`);
 * - a host's own writes, which it need not read again (`OwnWrite` in `src/agent/reader.ts`);
 * - the catalogue, which launches in quick succession share (`src/api/launch/catalogue.ts`).
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { bootstrap } from '../../src/agent/bootstrap.ts'
import { createPlanner } from '../../src/agent/planner.ts'
import { createRecordsReader } from '../../src/agent/reader.ts'
import { reportFacts } from '../../src/agent/report.ts'
import { createKeyGeneration } from '../../src/api/accounts/key-generation.ts'
import type { ApiParts } from '../../src/api/action.ts'
import { type Catalogue, createCatalogue } from '../../src/api/launch/catalogue.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { type Config, configSchema } from '../../src/config.ts'
import { DOCKER } from '../../src/containers/declaration.ts'
import { isoTime, systemClock } from '../../src/lib/clock.ts'
import { createTurns } from '../../src/lib/turns.ts'
import { cidr, cidrAddress } from '../../src/model/addr.ts'
import { apiSettings } from '../../src/settings.ts'
import { openMariadbStore } from '../../src/store/engines/mariadb/dialect.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../kit/log.ts'
import { type Mariadb, PASSWORD, startMariadb, USER } from '../kit/mariadb.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { type Load, registerSample, storm } from './scale/launches.ts'

const HOSTS = 1_000
const MEMBERS = [100, 1_000, 5_000] as const
const ROUNDS = 30
const STORM_ROUNDS = 6
const STORM_LAUNCHES = 64
const STORM_WIDTH = 32
const API_HOSTS = 4
const LEASE_MS = 3_600_000
const NETWORK = cidr('172.16.0.0/12')
const FABRIC = cidr('10.64.0.0/16')

/** One measurement with or without a shortcut, in milliseconds. */
type Once = () => Promise<number>

interface Part {
  readonly what: string
  readonly withIt: readonly number[]
  readonly without: readonly number[]
}

/** The benchmark `parts`. Needs root. */
export const parts: Benchmark = {
  name: 'parts',
  about: 'what each shortcut of the daemon saves: planner, own writes, catalogue',
  async run(progress) {
    const mariadb = await startMariadb(['--innodb-flush-log-at-trx-commit=1'])
    try {
      const found: Part[] = []
      await using clouds = new AsyncDisposableStack()
      const open = (hosts: number) =>
        clouds.adopt(openCloud(mariadb, hosts), async (cloud) => (await cloud).store.close())
      const large = await open(HOSTS)
      const measure = async (what: string, rounds: number, withIt: Once, without: Once) => {
        progress(what)
        found.push({ what, ...(await inTurn(rounds, withIt, without)) })
      }
      await measureCatalogue(large, measure)
      await measurePlanner(large, measure)
      await measureOwnWrites(await open(1), measure)
      return resultOf(found)
    } finally {
      await mariadb.end()
    }
  },
}

type Measure = (what: string, rounds: number, withIt: Once, without: Once) => Promise<void>

/** Both, round by round, in alternating order. */
async function inTurn(rounds: number, withIt: Once, without: Once): Promise<Omit<Part, 'what'>> {
  const figures = { withIt: [] as number[], without: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 1) figures.without.push(await without())
    figures.withIt.push(await withIt())
    if (round % 2 === 0) figures.without.push(await without())
  }
  return figures
}

/** Records of many hosts, and what launches need. */
interface Cloud {
  readonly store: Store
  readonly config: Config
  readonly load: Load
  /** The API of this many hosts. */
  api(catalogue: () => Catalogue): readonly ApiParts[]
}

async function openCloud({ node, freshDatabase }: Mariadb, hosts: number): Promise<Cloud> {
  const store = await openMariadbStore({
    nodes: [node],
    database: await freshDatabase(),
    user: USER,
    password: PASSWORD,
    tls: { to: 'none', ca: null, cert: null, key: null },
    log: silentLog,
  })
  await store.migrate()
  const config = configSchema.parse({ host: { name: 'h0000' } })
  const { name, zone } = config.host
  await bootstrap(store, { vpc: NETWORK, subnet: cidr('172.16.0.0/16'), zone }, randomBytes)
  await store.change(async (tx) => {
    for (let number = 0; number < hosts; number++) {
      const host = configSchema.parse({
        host: { name: `h${String(number).padStart(4, '0')}` },
      }).host
      await tx.upsertHost(
        {
          ...{ name: host.name, zone, identity: host.name, version: 'bench', shortOf: null },
          ...{ vcpus: 4096, memoryMiB: 16_777_216, diskGiB: null },
          fabricAddress: cidrAddress(FABRIC, number),
          lastSeenAt: isoTime(Date.now()),
        },
        LEASE_MS,
      )
    }
  })
  const bus = createLocalBus()
  const base = {
    store: withoutReplica(store),
    bus,
    clock: systemClock,
    turns: createTurns(),
    keyGeneration: createKeyGeneration(),
    random: randomBytes,
    keepKey: async <Key>(_tx: unknown, key: Key) => key,
    settings: { ...apiSettings(config, [DOCKER]), host: name },
  }
  const api = (catalogue: () => Catalogue) =>
    Array.from({ length: API_HOSTS }, () => ({ ...base, catalogue: catalogue() }))
  const [one] = api(sharedCatalogue)
  if (one === undefined) throw new RangeError('there is no host to ask')
  return { store, config, api, load: { image: await registerSample(one), subnets: [] } }
}

const sharedCatalogue = (): Catalogue => createCatalogue(systemClock)
const catalogueOfEachLaunch = (): Catalogue => ({
  reader: () => createCatalogue(systemClock).reader(),
})

async function measureCatalogue({ api, load }: Cloud, measure: Measure): Promise<void> {
  const launches = (catalogue: () => Catalogue): Once => {
    const hosts = api(catalogue)
    return async () => {
      const { seconds } = await storm(hosts, load, STORM_LAUNCHES, STORM_WIDTH)
      return (seconds * 1000) / STORM_LAUNCHES
    }
  }
  await measure(
    `catalogue: a launch, ${STORM_WIDTH} at a time, ${HOSTS} hosts`,
    STORM_ROUNDS,
    launches(sharedCatalogue),
    launches(catalogueOfEachLaunch),
  )
}

/**
 * The want of a pass after a step of one of the host's own instances, and the comparison of its
 * shared part with the one before, which the ledger and DNS make.
 */
async function measurePlanner(cloud: Cloud, measure: Measure): Promise<void> {
  const { store } = cloud
  for (const members of MEMBERS) {
    await launchUntil(cloud, members)
    const name = (await store.read((tx) => tx.instances({})))[0]?.host ?? cloud.config.host.name
    const records = await createRecordsReader(store, name, systemClock).read({ fresh: true })
    let bootCount = 1
    const planned = (planner: () => ReturnType<typeof createPlanner>): Once => {
      let before = planner()(records, null)
      return async () => {
        bootCount += 1
        const instances = records.instances.map((one) => ({ ...one, bootCount }))
        const began = performance.now()
        const want = planner()({ ...records, instances }, null)
        isDeepStrictEqual(want?.shared, before?.shared)
        const took = performance.now() - began
        before = want
        return took
      }
    }
    const kept = createPlanner(name)
    await measure(
      `planner: a step of its own, ${members} members of its VPCs`,
      ROUNDS,
      planned(() => kept),
      planned(() => createPlanner(name)),
    )
  }
}

async function launchUntil({ store, api, load }: Cloud, count: number): Promise<void> {
  const there = await store.read((tx) => tx.placedNics({}))
  const missing = count - there.length
  if (missing > 0) await storm(api(sharedCatalogue), load, missing, STORM_WIDTH)
}

/** An instance from its launch to `running`, as its host reports and reads it. */
async function measureOwnWrites(cloud: Cloud, measure: Measure): Promise<void> {
  const { store, config } = cloud
  await launchUntil(cloud, 2 * ROUNDS)
  const self = { name: config.host.name, identity: config.host.name }
  const reader = createRecordsReader(store, self.name, systemClock)
  const { instances } = await reader.read({ fresh: true })
  const due = instances.map(({ id }) => id)
  const reported = (knows: boolean): Once => {
    return async () => {
      const instance = due.pop()
      if (instance === undefined) throw new RangeError('no instance is left')
      const began = performance.now()
      for (const fact of [
        { kind: 'ready', instance } as const,
        { kind: 'running', instance, bootCount: 1 } as const,
      ]) {
        const known = await reader.read({ fresh: false })
        const { wrote } = await reportFacts(store, self, [fact], known, systemClock)
        reader.wrote(knows ? wrote : null)
      }
      await reader.read({ fresh: false })
      return performance.now() - began
    }
  }
  const what = `own writes: an instance from ready to running, ${due.length} on its host`
  await measure(what, ROUNDS, reported(true), reported(false))
}

function resultOf(found: readonly Part[]): BenchResult {
  const median = (figures: readonly number[]) => quantile(figures, 0.5)
  return {
    name: 'parts',
    head: ['', 'with it, p50, ms', 'without, p50, ms', 'ratio'],
    rows: found.map(({ what, withIt, without }) => [
      what,
      median(withIt).toFixed(2),
      median(without).toFixed(2),
      (median(without) / median(withIt)).toFixed(1),
    ]),
    targets: [],
    notes: ['MariaDB and everything else share the processors of one machine.'],
    raw: Object.fromEntries(
      found.flatMap(({ what, withIt, without }) => [
        [`${what}, with`, withIt],
        [`${what}, without`, without],
      ]),
    ),
  }
}
