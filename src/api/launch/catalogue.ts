/**
 * What launches choose from, as last read: hosts, instance types and subnets.
 *
 * Launches in quick succession share one reading, so the reads a second do not grow with the number
 * of hosts (`docs/measured.md`, "Shortcuts"). An old reading does no harm: it only proposes, and
 * the host's row (`takeCapacity`), the offer's row and the NIC's keys decide, which also know a
 * subnet that is gone. Types are never removed; an action that removes one must make launches read
 * it in their own transaction.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Host, InstanceType, Subnet } from '../../model/records.ts'
import type { ReservedCapacity } from '../../model/recovery.ts'
import type { OfferedInstance } from '../../model/warm-instance.ts'
import type { Reserve } from '../../plan/failover/reserve.ts'
import type { ReadTx } from '../../store/store.ts'
import { readReserve } from '../instances/reserve.ts'

/** A reading is used for this long, times the number of hosts. */
const AGE_MS_PER_HOST = 1

/** One reading, of all accounts. */
export interface CatalogueReading {
  readonly hosts: readonly Host[]
  readonly types: readonly InstanceType[]
  readonly subnets: readonly Subnet[]
  /** What is to be left free; null: nothing. */
  readonly reserve: Reserve | null
  /** What hosts have started already. */
  readonly offers: readonly OfferedInstance[]
}

type CatalogueTx = Pick<
  ReadTx,
  'hosts' | 'instanceTypes' | 'subnets' | 'recoverable' | 'warmInstances'
>

/** The catalogue as one launch reads it. */
export interface CatalogueReader {
  /**
   * The last reading if it is young enough, or one that is being made, or else a new one in `tx`.
   * Errors: as the store's.
   */
  read(tx: CatalogueTx): Promise<CatalogueReading>
  /**
   * Whether what `read` gave was read for an earlier launch: there may be room, and what is asked
   * for, that it does not know of.
   */
  isOld(): boolean
  /** Lets the next `read` make a new one; false when the last one was new. */
  renew(): boolean
}

/** What one host that answers the API knows to choose from. */
export interface Catalogue {
  reader(): CatalogueReader
}

/** Knows nothing at first. */
export function createCatalogue(
  clock: Pick<Clock, 'monotonic'>,
  reserve: ReservedCapacity = 'none',
): Catalogue {
  let known: { readonly reading: CatalogueReading; readonly untilMs: number } | null = null
  let underWay: Promise<CatalogueReading> | null = null

  async function readOnce(tx: CatalogueTx): Promise<CatalogueReading> {
    const beganMs = clock.monotonic()
    const hosts = await tx.hosts()
    const reading = {
      hosts,
      types: await tx.instanceTypes(),
      subnets: await tx.subnets({}),
      reserve: await readReserve(tx, hosts, reserve),
      offers: await tx.warmInstances(),
    }
    known = { reading, untilMs: beganMs + reading.hosts.length * AGE_MS_PER_HOST }
    return reading
  }

  async function readAnew(tx: CatalogueTx): Promise<CatalogueReading> {
    const own = readOnce(tx)
    underWay ??= own
    try {
      return await own
    } finally {
      if (underWay === own) underWay = null
    }
  }

  /**
   * The reading that another launch has made or is making; null when there is none that will do.
   * Many launches come at once, and all of them would make the same one.
   */
  function readByOther(): Promise<CatalogueReading | null> | CatalogueReading | null {
    if (known !== null && clock.monotonic() < known.untilMs) return known.reading
    return underWay?.catch(() => null) ?? null
  }

  return {
    reader() {
      let isOld = false
      let mayBeOld = true
      return {
        async read(tx) {
          const byOther = mayBeOld ? readByOther() : null
          // Without a wait in between, of launches that come at once only the first one reads.
          const read = byOther === null ? null : await byOther
          isOld = read !== null
          return read ?? (await readAnew(tx))
        },
        isOld: () => isOld,
        renew() {
          mayBeOld = false
          return isOld
        },
      }
    },
  }
}
