/** Lists that are read in parts: their pages are what the filters leave of the whole list. */
import type {
  InstanceStatus,
  NetworkInterface,
  Reservation,
  TagDescription,
  Volume,
} from '@aws-sdk/client-ec2'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Action } from '../../../src/api/action.ts'
import { describeInstanceStatus } from '../../../src/api/actions/describe-instance-status.ts'
import { describeInstances } from '../../../src/api/actions/describe-instances.ts'
import { describeNetworkInterfaces } from '../../../src/api/actions/describe-network-interfaces.ts'
import { describeTags } from '../../../src/api/actions/describe-tags.ts'
import { describeVolumes } from '../../../src/api/actions/describe-volumes.ts'
import {
  type Comparables,
  compileFilters,
  type Filter,
  type FilterTable,
  type TagView,
} from '../../../src/api/filters.ts'
import {
  INSTANCE_FILTERS,
  INSTANCE_STATUS_FILTERS,
  type ListedInstance,
} from '../../../src/api/views/instance-filters.ts'
import { NETWORK_INTERFACE_FILTERS } from '../../../src/api/views/network-interface.ts'
import { VOLUME_FILTERS } from '../../../src/api/views/volume.ts'
import type { Store } from '../../../src/store/store.ts'
import { fillLists, INSTANCES, TAGS } from '../../contract/store/lists.ts'
import { ACCOUNT, settle } from '../../contract/store/records.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'
import { newBudget } from '../../kit/budget.ts'
import { openMemoryStore } from '../../kit/memory-store.ts'

/** Two daemons, and the records that both have, with what the engine did for each statement. */
const held: { clouds: Cloud[]; store?: Store } = { clouds: [] }
const plans = new Map<string, readonly string[]>()
beforeAll(async () => {
  held.store = await openMemoryStore(undefined, (plan, statement) => plans.set(statement, plan))
  await settle(held.store)
  await fillLists(held.store)
  held.clouds = [await openCloud(), await openCloud()]
})
afterAll(async () => {
  for (const cloud of held.clouds) await cloud[Symbol.asyncDispose]()
  await held.store?.close()
})

/** A list, and how a test reads it. */
interface Listed<Item> {
  readonly action: Action
  readonly asked?: object
  readonly items: (answer: Record<string, unknown>) => readonly Item[]
  readonly filters: FilterTable<Item>
  readonly tags?: (item: Item) => readonly TagView[]
}

const instances: Listed<ListedInstance> = {
  action: describeInstances,
  items: ({ Reservations }) =>
    (Reservations as Reservation[]).flatMap(({ ReservationId, OwnerId, Instances = [] }) =>
      Instances.map((view) => {
        const nics = (view.NetworkInterfaces ?? []).map((nic) => nic.NetworkInterfaceId)
        const nicTags = TAGS.filter(({ resource }) => nics.some((id) => id === resource))
        return {
          ...{ reservation: ReservationId ?? '', owner: OwnerId ?? '', view, allocated: [] },
          nicTags: nicTags.map(({ key, value }) => ({ Key: key, Value: value })),
        }
      }),
    ),
  filters: INSTANCE_FILTERS,
  tags: ({ view }) => view.Tags ?? [],
}
const statuses: Listed<InstanceStatus> = {
  action: describeInstanceStatus,
  items: ({ InstanceStatuses }) => InstanceStatuses as InstanceStatus[],
  filters: INSTANCE_STATUS_FILTERS,
}
const nics: Listed<NetworkInterface> = {
  action: describeNetworkInterfaces,
  items: ({ NetworkInterfaces }) => NetworkInterfaces as NetworkInterface[],
  filters: NETWORK_INTERFACE_FILTERS,
  tags: ({ TagSet }) => TagSet ?? [],
}
const volumes: Listed<Volume> = {
  action: describeVolumes,
  items: ({ Volumes }) => Volumes as Volume[],
  filters: VOLUME_FILTERS,
  tags: ({ Tags }) => Tags ?? [],
}
const tags: Listed<TagDescription> = {
  action: describeTags,
  items: ({ Tags }) => Tags as TagDescription[],
  filters: {
    key: ({ Key }) => Key,
    'resource-id': ({ ResourceId }) => ResourceId,
    'resource-type': ({ ResourceType }) => ResourceType,
    value: ({ Value }) => Value,
  },
  tags: ({ Key, Value }) => [{ Key, Value }],
}

/** All pages, from one daemon after another. */
async function pagesOf<Item>(
  { action, asked, items }: Listed<Item>,
  request: { readonly Filters?: readonly Filter[]; readonly MaxResults?: number | undefined },
): Promise<readonly (readonly Item[])[]> {
  const { store, clouds } = held
  const pages: (readonly Item[])[] = []
  let NextToken: unknown
  do {
    const cloud = clouds[pages.length % clouds.length]
    if (cloud === undefined || store === undefined) throw new Error('there is no cloud')
    const input = { ...asked, ...request, ...(NextToken === undefined ? {} : { NextToken }) }
    const answer = await cloud.runOn(store, action, input)
    pages.push(items(answer))
    NextToken = answer['NextToken']
  } while (NextToken !== undefined)
  return pages
}

function textsOf(found: Comparables): readonly string[] {
  const all = (Array.isArray(found) ? found : [found]) as readonly unknown[]
  return all.flatMap((value) => {
    if (value === undefined) return []
    return value instanceof Date ? value.toISOString() : String(value)
  })
}

/** Filters by what some items have, parts of it, and what none has. */
function anyFilters<Item>(
  all: readonly Item[],
  { filters, tags: tagsOf }: Listed<Item>,
): fc.Arbitrary<readonly Filter[]> {
  const pattern = (text: string) =>
    fc.constantFrom(text, text, text, `${text.slice(0, 3)}*`, `?${text.slice(1)}`, '*', 'nobody')
  const anyValues = (texts: readonly string[]) =>
    fc.array(fc.constantFrom('', ...texts).chain(pattern), { minLength: 1, maxLength: 3 })
  const byName = Object.entries(filters).map(([Name, read]) =>
    anyValues([...new Set(all.flatMap((item) => textsOf(read(item))))]).map((Values) => ({
      Name,
      Values,
    })),
  )
  if (tagsOf === undefined) return fc.array(fc.oneof(...byName), { maxLength: 3 })
  const known = all.flatMap(tagsOf)
  const keys = [...new Set(known.map(({ Key = '' }) => Key))]
  const values = [...new Set(known.map(({ Value = '' }) => Value))]
  const byTag = [
    ...keys.map((key) => anyValues(values).map((Values) => ({ Name: `tag:${key}`, Values }))),
    anyValues(keys).map((Values) => ({ Name: 'tag-key', Values })),
    anyValues(values).map((Values) => ({ Name: 'tag-value', Values })),
  ]
  return fc.array(fc.oneof(fc.oneof(...byName), fc.oneof(...byTag)), { maxLength: 3 })
}

const CASES: readonly (readonly [string, Listed<never>])[] = [
  ['DescribeInstances', instances],
  ['DescribeInstanceStatus', statuses],
  [
    'DescribeInstanceStatus of all instances',
    { ...statuses, asked: { IncludeAllInstances: true } },
  ],
  ['DescribeNetworkInterfaces', nics],
  ['DescribeVolumes', volumes],
  ['DescribeTags', tags],
] as unknown as readonly (readonly [string, Listed<never>])[]

describe.each(CASES)('%s', (_name, listed) => {
  it('pages of any length are what any filters leave of the whole list', async () => {
    const all = (await pagesOf(listed, {})).flat()
    expect(all.length).toBeGreaterThan(3)
    await fc.assert(
      fc.asyncProperty(
        anyFilters(all, listed),
        fc.option(fc.integer({ min: 5, max: 12 }), { nil: undefined }),
        async (Filters, MaxResults) => {
          const request = MaxResults === undefined ? { Filters } : { Filters, MaxResults }
          const pages = await pagesOf(listed, request)
          const passes = await compileFilters(newBudget(), Filters, { ...listed, documented: [] })
          expect(pages.flat()).toEqual(all.filter(passes))
          if (MaxResults === undefined) return
          for (const page of pages.slice(0, -1)) expect(page).toHaveLength(MaxResults)
          expect(pages.at(-1)?.length).toBeLessThanOrEqual(MaxResults)
          expect(pages.length === 1 || pages.at(-1)?.length !== 0).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('finds by each filter what has its value', async () => {
    const all = (await pagesOf(listed, {})).flat()
    for (const [Name, read] of Object.entries(listed.filters))
      for (const value of new Set(all.flatMap((item) => textsOf(read(item)))))
        if (value !== '') {
          const Filters = [{ Name, Values: [value.replaceAll(/[\\*?]/g, '\\$&')] }]
          const passes = await compileFilters(newBudget(), Filters, { ...listed, documented: [] })
          expect((await pagesOf(listed, { Filters })).flat()).toEqual(all.filter(passes))
        }
  })

  it.each(['', ' ', 'x', 'r-1 000000', '\u0000', '\ud800 \ud800'])(
    'refuses a token with the key %j, or goes on behind it',
    async (key) => {
      const { store, clouds } = held
      const token = JSON.stringify([1, listed.action.name, key])
      const NextToken = Buffer.from(token).toString('base64url')
      if (store === undefined) throw new Error('there are no records')
      const outcome = await clouds[0]
        ?.runOn(store, listed.action, { ...listed.asked, NextToken })
        .then(
          () => 'OK',
          (error: { readonly code?: string }) => error.code,
        )
      expect(['OK', 'InvalidNextToken']).toContain(outcome)
    },
  )
})

it('DescribeInstances lists all instances of the account, those of a launch together', async () => {
  const all = (await pagesOf(instances, { MaxResults: 5 })).flat()
  const own = INSTANCES.filter(({ account }) => account === ACCOUNT)
  expect(new Set(all.map(({ view }) => view.InstanceId))).toEqual(new Set(own.map(({ id }) => id)))
  const place = ({ reservation, view }: ListedInstance) =>
    `${reservation} ${String(view.AmiLaunchIndex).padStart(6, '0')} ${view.InstanceId}`
  expect(all.map(place)).toEqual(all.map(place).toSorted())
})

it('no statement of these actions looks at all rows of a table that may be long', () => {
  const long = /^SCAN (instances|volumes|nics|nicGroups|nicAddresses|addresses|tags|tagged|same)\b/
  const scans = [...plans].filter(([, plan]) => plan.some((step) => long.test(step)))
  expect(plans.size).toBeGreaterThan(100)
  expect(scans).toEqual([])
})
