/**
 * Instances after their launch: DescribeInstances, DescribeInstanceStatus, Start-, Stop-, Reboot- and
 * TerminateInstances, GetConsoleOutput.
 *
 * A change is written to the records in one transaction, for all of its instances or for none, and the hosts are rung
 * after the commit; the hosts' agents do the rest. Instances of other accounts do not exist here.
 */
import type {
  DescribeInstanceStatusResult,
  DescribeInstancesResult,
  GetConsoleOutputResult,
  InstanceStateChange,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { isoTime } from '../../lib/clock.ts'
import type { AccountId, HostName, InstanceId } from '../../model/ids.ts'
import {
  type InstanceChange,
  requestReboot,
  requestStart,
  requestStop,
  requestTerminate,
} from '../../model/lifecycle.ts'
import type { Instance } from '../../model/records.ts'
import { isAlive } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces, writeOne } from '../budget.ts'
import { describe, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { type InstanceDetails, instanceDetails } from '../instance-details.ts'
import { dryRun, parseInput } from '../parameters.ts'
import {
  dryRunShape,
  idListSchema,
  idSchema,
  notFound,
  onlySchema,
  pagedShape,
  required,
  textSchema,
  withCode,
} from '../schemas.ts'
import { instanceStatusView, instanceView, stateChangeView } from '../views/instance.ts'
import {
  INSTANCE_FILTERS,
  INSTANCE_STATUS_FILTERS,
  type ListedInstance,
} from '../views/instance-filters.ts'
import { reservationsView } from '../views/reservation.ts'
import { tagsView } from '../views/tags.ts'

/** How long a host may take to read an instance's console. */
const CONSOLE_TIMEOUT_MS = 5_000

const instanceId = idSchema('i', 'InvalidInstanceID.Malformed')
const instanceIds = idListSchema('i', 'InvalidInstanceID.Malformed')
const paged = pagedShape(5, 1000, { larger: 'limited' })

const describeSchema = z.strictObject({
  ...paged,
  InstanceIds: instanceIds.optional(),
  IncludeManagedResources: z.boolean().optional(),
})

/** DescribeInstances. */
export const describeInstances: Action = {
  name: 'DescribeInstances',
  async run(call): Promise<DescribeInstancesResult> {
    const input = parseInput(describeSchema, call.input)
    refuseIdsWithMaxResults('instancesSet', input.InstanceIds, input)
    dryRun(call)
    const found = await call.parts.store.read((tx) => findInstances(tx, call, input.InstanceIds))
    const listed = await mapInPieces(
      call.budget,
      found,
      (details): ListedInstance & { readonly index: number } => ({
        reservation: details.instance.reservation,
        owner: details.instance.account,
        index: details.instance.launchIndex,
        view: instanceView(details, call.parts.settings),
        nicTags: details.nics.flatMap((nic) => tagsView(details.tags, nic.id)),
      }),
    )
    const page = await describe(call, listed, input, {
      action: 'DescribeInstances',
      // Instances of one reservation stay together, in the order of their launch.
      key: ({ reservation, index, view }) =>
        `${reservation} ${String(index).padStart(6, '0')} ${view.InstanceId}`,
      filters: INSTANCE_FILTERS,
      tags: ({ view }) => view.Tags ?? [],
    })
    return { Reservations: reservationsView(page.items), NextToken: page.nextToken }
  },
}

const statusSchema = z.strictObject({
  ...paged,
  InstanceIds: instanceIds.optional(),
  IncludeAllInstances: z.boolean().default(false),
  IncludeManagedResources: z.boolean().optional(),
})

/** DescribeInstanceStatus: running instances only, unless `IncludeAllInstances`. */
export const describeInstanceStatus: Action = {
  name: 'DescribeInstanceStatus',
  async run(call): Promise<DescribeInstanceStatusResult> {
    const input = parseInput(statusSchema, call.input)
    refuseIdsWithMaxResults('instancesSet', input.InstanceIds, input)
    dryRun(call)
    const found = await call.parts.store.read((tx) => findInstances(tx, call, input.InstanceIds))
    const shown = found.filter(
      ({ instance }) => input.IncludeAllInstances || instance.state === 'running',
    )
    const statuses = await mapInPieces(call.budget, shown, (details) =>
      instanceStatusView(details, call.parts.settings, isHostAlive(details, call)),
    )
    const page = await describe(call, statuses, input, {
      action: 'DescribeInstanceStatus',
      key: (status) => status.InstanceId ?? '',
      filters: INSTANCE_STATUS_FILTERS,
    })
    return { InstanceStatuses: [...page.items], NextToken: page.nextToken }
  },
}

function isHostAlive({ host }: InstanceDetails, call: Call): boolean {
  if (host === undefined) return false
  return isAlive(host, call.parts.settings.host)
}

async function findInstances(
  tx: ReadTx,
  call: Call,
  ids: readonly InstanceId[] | undefined,
): Promise<readonly InstanceDetails[]> {
  // An empty list of ids is no list: query clients cannot send one.
  const wanted = ids?.length === 0 ? undefined : ids
  const found = await instanceDetails(tx, call.caller.account, wanted)
  refuseMissing(wanted, new Set(found.map(({ instance }) => instance.id)), missingInstances)
  return found
}

function missingInstances(missing: readonly InstanceId[]): Error {
  return notFound('InvalidInstanceID.NotFound', 'instance ID', missing)
}

const changeShape = { ...dryRunShape, InstanceIds: required(instanceIds, 'instancesSet') }

const startSchema = z.strictObject({ ...changeShape, AdditionalInfo: textSchema.optional() })

/** StartInstances. */
export const startInstances: Action = {
  name: 'StartInstances',
  async run(call) {
    const input = parseInput(startSchema, call.input)
    return { StartingInstances: await changeInstances(call, input.InstanceIds, requestStart) }
  },
}

const stopSchema = z.strictObject({
  ...changeShape,
  // A guest that does not stop in time is killed anyway, so there is nothing more to force.
  Force: z.boolean().optional(),
  SkipOsShutdown: z.boolean().optional(),
  Hibernate: onlySchema(false, 'Hibernate is not supported; leave it out'),
})

/** StopInstances. */
export const stopInstances: Action = {
  name: 'StopInstances',
  async run(call) {
    const input = parseInput(stopSchema, call.input)
    return { StoppingInstances: await changeInstances(call, input.InstanceIds, requestStop) }
  },
}

const rebootSchema = z.strictObject(changeShape)

/** RebootInstances. */
export const rebootInstances: Action = {
  name: 'RebootInstances',
  async run(call) {
    const input = parseInput(rebootSchema, call.input)
    await changeInstances(call, input.InstanceIds, requestReboot)
    return {}
  },
}

const terminateSchema = z.strictObject({
  ...changeShape,
  InstanceIds: instanceIds.default([]).refine((ids) => ids.length > 0, {
    error: 'No instances specified',
    ...withCode('InvalidParameterCombination'),
  }),
  Force: z.boolean().optional(),
  SkipOsShutdown: z.boolean().optional(),
})

/** TerminateInstances. Address and capacity come back when the host reports that nothing is left. */
export const terminateInstances: Action = {
  name: 'TerminateInstances',
  async run(call) {
    const input = parseInput(terminateSchema, call.input)
    return {
      TerminatingInstances: await changeInstances(call, input.InstanceIds, requestTerminate),
    }
  },
}

/** Writes what `request` makes of each instance, and rings their hosts. One that refuses leaves all as they were. */
async function changeInstances(
  call: Call,
  ids: readonly InstanceId[],
  request: (instance: Instance, now: string) => InstanceChange | null,
): Promise<InstanceStateChange[]> {
  const { store, bus, clock } = call.parts
  const now = isoTime(clock.now())
  const { changes, hosts } = await store.transaction(async (tx) => {
    const instances = await requireInstances(tx, call.caller.account, ids)
    const requests = instances.map((instance) => ({ instance, change: request(instance, now) }))
    dryRun(call)
    const touched = new Set<HostName>()
    for (const { instance, change } of requests) {
      if (change === null) continue
      await writeOne(call.budget)
      await tx.updateInstance(instance.id, change)
      touched.add(instance.host)
    }
    // Always in the same order, so that two requests cannot wait for each other.
    const ordered = [...touched].sort()
    for (const host of ordered) await tx.advanceGeneration(host)
    return {
      changes: requests.map(({ instance, change }) =>
        stateChangeView(instance, change?.state ?? instance.state),
      ),
      hosts: ordered,
    }
  })
  for (const host of hosts) bus.ring(host)
  // A Name tag answers for what is running, on every host.
  if (hosts.length > 0) bus.ringAll()
  return changes
}

async function requireInstances(
  tx: ReadTx,
  account: AccountId,
  ids: readonly InstanceId[],
): Promise<readonly Instance[]> {
  const found = await tx.instances({ account, ids })
  refuseMissing(ids, new Set(found.map(({ id }) => id)), missingInstances)
  return found
}

const consoleSchema = z.strictObject({
  ...dryRunShape,
  InstanceId: instanceId,
  // Output is always read when it is asked for.
  Latest: z.boolean().optional(),
})

/** GetConsoleOutput: asks the instance's host, which keeps it for a while once the instance is terminated. `Output` is base64, at most 64 KiB of text. */
export const getConsoleOutput: Action = {
  name: 'GetConsoleOutput',
  async run(call): Promise<GetConsoleOutputResult> {
    const { InstanceId: id } = parseInput(consoleSchema, call.input)
    const { store, bus } = call.parts
    const [instance] = await store.read((tx) => requireInstances(tx, call.caller.account, [id]))
    if (instance === undefined) throw missingInstances([id])
    dryRun(call)
    const answer = await bus.ask(
      instance.host,
      'console',
      { instance: id },
      { timeoutMs: CONSOLE_TIMEOUT_MS, signal: call.signal },
    )
    return { InstanceId: id, Output: answer.output, Timestamp: new Date(answer.at) }
  },
}
