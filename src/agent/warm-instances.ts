/**
 * Offers the instances that wait on this host to launches, in the records, and says what is to be
 * kept waiting (the setting `warmInstances`). Without that setting it withdraws once what an
 * earlier run has offered, and does nothing from then on.
 *
 * An instance is offered once. A launch takes it by deleting the offer, so its id is never used
 * twice. An offer of one that does not wait any more is withdrawn; until then a launch may take it,
 * and is then a launch like any other.
 */
import type { Log } from '../lib/log.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import type { WarmPool, WarmReport, WarmSetting, WarmWant } from '../model/warm-instance.ts'
import type { Snapshot } from '../plan/want.ts'
import { warmWantOf } from '../plan/warm.ts'
import type { Store } from '../store/store.ts'
import type { Duty } from './duty.ts'

/** What it works with. */
interface WarmParts {
  readonly store: Pick<Store, 'read' | 'change'>
  readonly host: HostName
  readonly pool: WarmPool
  readonly settings: readonly WarmSetting[]
  readonly log: Log
}

/** The duty, and what the operator reads of the settings. */
export interface WarmInstances extends Duty {
  reports(): readonly WarmReport[]
}

const noop = () => undefined

/** The duty of a host. */
export function createWarmInstances(parts: WarmParts): WarmInstances {
  const { store, host, pool, settings } = parts
  const understood = createUnderstanding(parts)
  const offered = new Set<InstanceId>()
  /** Those whose offers were gone at the last look. */
  let taken: ReadonlySet<InstanceId> = new Set()
  let isForgotten = false
  let kept = '[]'

  async function read() {
    return await store.read(async (tx) => ({
      images: await tx.images({ ids: [...new Set(settings.map(({ image }) => image))] }),
      types: await tx.instanceTypes(),
      offers: await tx.warmInstances(host),
    }))
  }

  async function forget(): Promise<void> {
    if (isForgotten) return
    await store.change((tx) => tx.withdrawWarmInstances(host))
    isForgotten = true
  }

  /** An offer that may have been made, as far as is known, is not made again. */
  async function offer(ids: readonly InstanceId[], ended: readonly InstanceId[]): Promise<void> {
    const fresh = pool.waiting().filter(({ id }) => ids.includes(id))
    for (const { id } of fresh) offered.add(id)
    try {
      await store.change(async (tx) => {
        await tx.withdrawWarmInstances(host, ended)
        for (const one of fresh) await tx.offerWarmInstance({ ...one, host })
      })
    } catch (error) {
      for (const { id } of fresh) pool.discard(id)
      throw error
    }
  }

  return {
    name: 'warm-instances',
    reports: understood.reports,
    async run({ hosts, instances }: Snapshot) {
      if (settings.length === 0) {
        await forget()
        return false
      }
      const { offers, ...records } = await read()
      const isActive = hosts.some(({ name, state }) => name === host && state === 'active')
      const usable = understood.wants(records)
      const wants = isActive ? usable : []
      pool.keep(wants)
      const isNews = JSON.stringify(wants) !== kept
      kept = JSON.stringify(wants)
      const waiting = new Set(pool.waiting().map(({ id }) => id))
      const known = new Set([...offers, ...instances].map(({ id }) => id))
      const gone = new Set([...waiting].filter((id) => offered.has(id) && !known.has(id)))
      // Its launch was committed after this host has read its instances, or came to nothing.
      for (const id of gone) if (taken.has(id)) pool.discard(id)
      taken = gone
      for (const id of offered) if (!waiting.has(id)) offered.delete(id)
      const fresh = [...waiting].filter((id) => !offered.has(id))
      const ended = offers.flatMap(({ id }) => (waiting.has(id) ? [] : id))
      if (fresh.length + ended.length > 0) await offer(fresh, ended)
      return isNews
    },
    // A launch that took one now would wait for this host to come back.
    async close() {
      if (offered.size > 0) await store.change((tx) => tx.withdrawWarmInstances(host)).catch(noop)
    },
  }
}

/** What the settings come to, for the pool, the log and the operator. */
function createUnderstanding({ host, pool, settings, log }: Omit<WarmParts, 'store'>) {
  /** At the last look: why nothing can wait, or null. */
  let problems: readonly (string | null)[] = settings.map(() => null)
  return {
    /** What is to be kept waiting. Says in the log, once, which settings come to nothing. */
    wants(records: Parameters<typeof warmWantOf>[1]): readonly WarmWant[] {
      const own = { host, driver: pool.driver }
      const found = settings.map((setting) => warmWantOf(setting, records, own))
      for (const [at, one] of found.entries())
        if (typeof one === 'string' && one !== problems[at])
          log.warn({ ...settings[at], problem: one }, 'nothing can be kept waiting for launches')
      problems = found.map((one) => (typeof one === 'string' ? one : null))
      return found.filter((one) => typeof one !== 'string')
    },
    reports(): readonly WarmReport[] {
      const waiting = pool.waiting()
      return settings.map((setting, at) => ({
        ...setting,
        waiting: waiting.filter(
          ({ image, type }) => image === setting.image && type === setting.type,
        ).length,
        problem: problems[at] ?? null,
      }))
    },
  }
}
