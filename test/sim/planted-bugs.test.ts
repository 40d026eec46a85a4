/**
 * Bugs that are planted in front of the ports of the real daemon, each as somebody could make it.
 * The simulation finds every one, and nothing wrong in the same cloud without it.
 */
import { beforeAll, expect, it } from 'vitest'
import { newerWant } from '../../src/agent/ledger.ts'
import type { Bell } from '../../src/bus/bus.ts'
import type { HostName } from '../../src/model/ids.ts'
import { NOUNS } from '../../src/store/nouns.ts'
import { nobody } from '../../src/store/records/noun.ts'
import { SCHEMA } from '../../src/store/schema.ts'
import type { Store, Tx } from '../../src/store/store.ts'
import type { Wraps } from '../../tools/sim/host.ts'
import { runSeeds, seedsFrom } from '../../tools/sim/run.ts'
import type { Choice } from '../../tools/sim/scenario.ts'
import { makeTemplate } from '../../tools/sim/template.ts'

/** In so many seeds each must be found. */
const SEEDS = 5
const SHORT = { lengthMs: 12_000 }

/** The store, whose transactions have other methods. */
function withMethods(store: Store, methods: (tx: Tx) => Partial<Tx>): Store {
  const changed = (tx: Tx): Tx => {
    const other = methods(tx)
    return new Proxy(tx, {
      get: (target, name) => Reflect.get(Object.hasOwn(other, name) ? other : target, name),
    })
  }
  return {
    ...store,
    change: (work) => store.change((tx) => work(changed(tx))),
    claim: (work) => store.claim((tx) => work(changed(tx))),
  }
}

const FORGOTTEN_GENERATION: Wraps = {
  // A change of an instance tells no host.
  schema: {
    ...SCHEMA,
    nouns: NOUNS.map((noun) =>
      'instances' in noun.tables
        ? { ...noun, touches: { ...noun.touches, updateInstance: nobody } }
        : noun,
    ),
  } as typeof SCHEMA,
}

const CHECKED_BEFORE: Wraps = {
  // Whether an instance fits is read, and written later whatever is there by then.
  store: (store) =>
    withMethods(store, (tx) => ({
      async takeCapacity(host, vcpus, memoryMiB, diskGiB) {
        const [found] = await tx.hosts([host])
        const fits =
          found?.state === 'active' &&
          found.usedVcpus + vcpus <= found.vcpus &&
          found.usedMemoryMiB + memoryMiB <= found.memoryMiB
        if (!fits) return 'full'
        await tx.returnCapacity(host, -vcpus, -memoryMiB, -(diskGiB ?? 0))
        return 'done'
      },
    })),
}

function bellsAsTruth(): Wraps {
  /** Hosts that have heard a bell since they have looked. */
  const rung = new Map<HostName, boolean>()
  return {
    // Without a bell, nothing has changed.
    bus: (bus, host) => {
      rung.set(host, true)
      bus.onBell((_bell: Bell) => void rung.set(host, true))
      return bus
    },
    store: (store, host) => {
      let own: Awaited<ReturnType<Tx['changedScopes']>>['own']
      return {
        ...store,
        single: (work) =>
          store.single((tx) =>
            work({
              ...tx,
              async changedScopes(sinceMs, of) {
                const found = await tx.changedScopes(sinceMs, of)
                if (rung.get(host) === false) return { ...found, own, scopes: [] }
                rung.set(host, false)
                own = found.own
                return found
              },
            }),
          ),
      }
    },
  }
}

const UNCHECKED_CLAIM: Wraps = {
  // Whoever wants to start an instance may, and the records do not hear of it.
  store: (store) => withMethods(store, () => ({ claimInstance: async () => 'done' })),
}

const BACKWARDS: Wraps = {
  // What was read last counts, however old the node is.
  ledger: (ledger) => ({
    load: ledger.load,
    async accept(want) {
      const accepted = await ledger.accept(want)
      return newerWant(null, accepted.local === want.local ? accepted : want)
    },
  }),
}

/**
 * Hosts that have just been given instances lose the database, for long enough that others give
 * these to themselves. By then each host has the image.
 */
const LOST_HOSTS: Choice = {
  hosts: 5,
  lengthMs: 20_000,
  more: {
    operations: [
      { kind: 'crowd', atMs: 2_000, host: 0, count: 4 },
      { kind: 'crowd', atMs: 6_500, host: 0, count: 8 },
    ],
    faults: [0, 1, 2].map((host) => ({
      ...{ kind: 'cut-store', host, node: 'all' },
      ...{ atMs: 6_750 + 100 * host, forMs: 12_000 },
    })),
  },
}

const CLAIMED_TWICE = ['runs twice', 'foreign instance']

/** What is planted, the rules that it breaks, where, and from which seed on it is looked for. */
const PLANTED: readonly (readonly [string, () => Wraps, readonly string[], Choice, number])[] = [
  ['a change that advances no generation', () => FORGOTTEN_GENERATION, ['not as wanted'], SHORT, 4],
  [
    'capacity that is checked before it is taken',
    () => CHECKED_BEFORE,
    ['capacity twice'],
    SHORT,
    29,
  ],
  ['a bell that is taken for the truth', bellsAsTruth, ['not as wanted'], SHORT, 15],
  ['a claim that nobody checks', () => UNCHECKED_CLAIM, CLAIMED_TWICE, LOST_HOSTS, 1],
  ['a ledger that goes back', () => BACKWARDS, ['generation back'], SHORT, 30],
]

let image: Uint8Array
beforeAll(async () => {
  image = await makeTemplate()
})

it.each(PLANTED)('%s is found', { timeout: 300_000 }, async (_bug, wraps, rules, choice, first) => {
  const failure = await runSeeds(seedsFrom(first, SEEDS), choice, { image, wraps: wraps() })
  expect(rules).toContain(failure?.outcome.violation?.rule)
  // It is the bug that was found.
  expect(await runSeeds([failure?.seed ?? 0], choice, { image })).toBeNull()
})
