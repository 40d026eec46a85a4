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
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { InstanceId } from '../../model/ids.ts'
import { isAlive } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { missingInstances, requireInstances } from '../instance-changes.ts'
import { type InstanceDetails, instanceDetails } from '../instance-details.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, idListSchema, idSchema, pagedShape } from '../schemas.ts'
import { instanceStatusView, instanceView } from '../views/instance.ts'
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
