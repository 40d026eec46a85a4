/**
 * Which addresses a storage is to refuse: columns of hosts. A fence is written in the transaction
 * that takes over a lost host's instances, and ended by that host when it is back, in two steps: it
 * marks it when nothing runs there any more, and removes it when the storage refuses it no longer.
 * Between these it is nobody else's matter. So the host is never free of it while somebody may
 * still carry it out, and it is found again wherever the host is interrupted.
 */
import { z } from 'zod'
import type { HostName } from '../../model/ids.ts'
import {
  fenceText,
  type HostFence,
  parseStorageFence,
  type StorageFence,
} from '../../model/storage.ts'
import { host as hostColumn, label, reached, storageFence } from './columns.ts'
import { nobody, noun, type Session } from './noun.ts'
import type { RowShape } from './rows.ts'

/** Columns of other nouns. */
interface Tables {
  readonly hosts: {
    readonly name: HostName
    readonly state: string
    readonly storageAddress: string | null
    readonly storageFence: string | null
  }
}

interface FenceRow {
  readonly name: HostName
  readonly state: string
  readonly storageAddress?: string | null | undefined
  readonly storageFence: string | null
}

const FENCES: RowShape<FenceRow> = {
  name: 'storage fences',
  key: ['name'],
  cached: false,
  schema: z.object({
    name: hostColumn,
    state: label,
    storageAddress: reached.storageAddress,
    storageFence: storageFence.nullable(),
  }),
}

interface StorageFences {
  readonly fences: readonly HostFence[]
  readonly isWhole: boolean
}

/** A fence of a new takeover. */
type NewFence = Omit<StorageFence, 'isEnding'>

/** The noun. It has no table of its own. */
export const storageFences = noun({
  tables: {},
  reads: ({ db, rows }: Session<Tables>) => {
    const select = () =>
      db.selectFrom('hosts').select(['name', 'state', 'storageAddress', 'storageFence'])

    /** The names of hosts that are not forgotten, by the addresses of these that they have. */
    async function owners(addresses: readonly string[]): Promise<ReadonlySet<string | null>> {
      if (addresses.length === 0) return new Set()
      const found = await db
        .selectFrom('hosts')
        .select('storageAddress')
        .where('state', '!=', 'forgotten')
        .where('storageAddress', 'in', addresses)
        .execute()
      return new Set(found.map(({ storageAddress }) => storageAddress))
    }

    return {
      /**
       * Those of all hosts. That of a forgotten one counts, too, until another host has the
       * address. `isWhole`: none is unreadable.
       */
      async storageFences(): Promise<StorageFences> {
        const found = await select().where('storageFence', 'is not', null).execute()
        const read = rows.parse(FENCES, found).flatMap(({ name, state, storageFence: text }) => {
          const fence = parseStorageFence(text ?? '')
          return fence === undefined ? [] : [{ host: name, state, fence }]
        })
        const forgotten = read.filter(({ state }) => state === 'forgotten')
        const owned = await owners(forgotten.map(({ fence }) => fence.address))
        const fences = read.flatMap(({ host, state, fence }) =>
          state === 'forgotten' && owned.has(fence.address) ? [] : [{ host, fence }],
        )
        return { fences, isWhole: read.length === found.length }
      },
      /**
       * The address that this storage has to refuse before others open what the host had open
       * there; or why nobody can say that.
       */
      async addressToFence(
        host: HostName,
        storage: string,
      ): Promise<{ readonly address: string } | { readonly problem: string }> {
        const [row] = rows.parse(FENCES, await select().where('name', '=', host).execute())
        const address = row?.storageAddress ?? null
        if (address === null) return { problem: 'it has never said from which address it comes' }
        const before = parseStorageFence(row?.storageFence ?? '')
        const isOther =
          before !== undefined &&
          !before.isEnding &&
          (before.address !== address || before.storage !== storage)
        if (!isOther) return { address }
        return {
          problem: `it is refused at ${before.address} by ${before.storage} already, and has come from ${address} since`,
        }
      },
    }
  },
  writes: ({ db }: Session<Tables>) => {
    const update = (host: HostName) => db.updateTable('hosts').where('name', '=', host)
    return {
      /** Has the storage refuse the host from now on, at the address of `addressToFence`. */
      async fenceStorage(host: HostName, fence: NewFence): Promise<void> {
        const text = fenceText({ ...fence, isEnding: false })
        await update(host).set({ storageFence: text }).execute()
      },
      /**
       * Writes that the storage refuses the host, which had ended that meanwhile. Nothing changes
       * if it has been taken over again.
       */
      async refenceStorage(host: HostName, fence: NewFence): Promise<void> {
        await update(host)
          .where(({ eb, or }) =>
            or([eb('storageFence', 'is', null), eb('storageFence', 'like', '%~%')]),
          )
          .set({ storageFence: fenceText({ ...fence, isEnding: false }) })
          .execute()
      },
      /** Marks it as ending, as the host itself. `changed` if it was taken over again. */
      async endStorageFence(host: HostName, fence: StorageFence): Promise<'done' | 'changed'> {
        const { numUpdatedRows } = await update(host)
          .where('storageFence', '=', fenceText(fence))
          .set({ storageFence: fenceText({ ...fence, isEnding: true }) })
          .executeTakeFirstOrThrow()
        return numUpdatedRows === 1n ? 'done' : 'changed'
      },
      /** Removes it, as the host itself. `changed` if it was taken over or refused again. */
      async removeStorageFence(host: HostName, fence: StorageFence): Promise<'done' | 'changed'> {
        const { numUpdatedRows } = await update(host)
          .where('storageFence', '=', fenceText(fence))
          .set({ storageFence: null })
          .executeTakeFirstOrThrow()
        return numUpdatedRows === 1n ? 'done' : 'changed'
      },
    }
  },
  touches: {
    // Whoever opens a disk reads it then, and no host must look because of it.
    fenceStorage: nobody,
    refenceStorage: nobody,
    endStorageFence: nobody,
    removeStorageFence: nobody,
  },
  inCopy: {
    fenceStorage: null,
    refenceStorage: null,
    endStorageFence: null,
    removeStorageFence: null,
  },
})
